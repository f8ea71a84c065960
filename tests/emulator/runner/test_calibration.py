"""Compute times that are fitted to a message log, against the law that the log was drawn from."""

import math
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings, strategies as st

from emulator.common.distributions import MAX_VALUES, Empirical, LogNormal, quantile
from emulator.common.errors import MessageLogError
from emulator.integrations.message_log import Header, MessageLog, Visit
from emulator.runner.calibration import calibrate, law, section, table
from emulator.simulation.clients.compute import Compute

HEADER = Header(flasc_emu_message_log=1, run="r", method="FedAvg")


def log_of(*visits):
    """A log of (round, client, seconds, examples); seconds None: the visit failed."""
    made = (
        Visit(round=n, client=str(c), bytes_down=1, bytes_up=1, seconds=s, examples=e)
        for n, c, s, e in visits
    )
    return MessageLog(Path("log.jsonl"), HEADER, tuple(made))


def drawn(median, sigma, clients, rounds, seed):
    """A log whose clients have times per example from a log-normal law, and these times."""
    rng = np.random.default_rng(seed)
    times = median * np.exp(sigma * rng.standard_normal(clients))
    examples = rng.integers(1, 200, (rounds, clients)).tolist()
    return log_of(
        *(
            (n + 1, c, float(times[c] * examples[n][c]), examples[n][c])
            for n in range(rounds)
            for c in range(clients)
        )
    ), times


def parsed(found, log):
    """The compute section as a scenario reads it."""
    return Compute.model_validate(yaml.safe_load(section(found, log))["compute"])


@settings(max_examples=40, deadline=None)
@given(st.floats(1e-5, 100), st.floats(0.05, 2), st.integers(20, 300), st.integers(0, 2**32 - 1))
def test_the_law_is_the_one_that_the_log_was_drawn_from(median, sigma, clients, seed):
    log, _ = drawn(median, sigma, clients, 2, seed)
    fitted = parsed(calibrate(log, "law"), log).per_example
    assert isinstance(fitted, LogNormal)
    # Five standard errors of the mean and of the standard deviation of n normal draws.
    assert abs(math.log(fitted.median / median)) < 5 * sigma / math.sqrt(clients)
    assert abs(fitted.sigma / sigma - 1) < 5 / math.sqrt(2 * (clients - 1))


@settings(max_examples=20, deadline=None)
@given(st.floats(1e-5, 100), st.integers(1, 100), st.integers(0, 2**32 - 1))
def test_a_table_has_the_time_of_each_client(median, clients, seed):
    log, times = drawn(median, 1.0, clients, 3, seed)
    found = calibrate(log, "table")
    fitted = parsed(found, log).per_example
    assert isinstance(fitted, Empirical)
    assert sorted(fitted.values) == pytest.approx(sorted(times), rel=1e-5)
    assert max(found.mean.worst, found.longest.worst) < 1e-9  # each client has its own time


def test_the_residual_is_that_of_the_seconds_of_each_round():
    """One client takes 1 s per example, then 3 s: the mean is 2 s."""
    log = log_of((1, 7, 10, 10), (2, 7, 30, 10))
    found = calibrate(log, "law")
    assert found.fitted == pytest.approx(2.0)
    assert found.mean == found.longest == (pytest.approx(2 / 3), pytest.approx(1.0), 1)


def test_mean_and_longest_differ():
    """Two clients, whose errors cancel in the mean of the second round alone."""
    log = log_of((1, 1, 1, 1), (1, 2, 4, 1), (2, 1, 3, 1), (2, 2, 2, 1))
    found = calibrate(log, "table")
    assert found.fitted.values == [2.0, 3.0]
    assert found.mean == (0.0, 0.0, 1)
    assert found.longest == (pytest.approx(0.125), pytest.approx(0.25), 1)


def test_equal_clients_have_one_constant():
    log, _ = drawn(0.02, 0.0, 5, 2, 0)
    assert "per_example: 20 ms\n" in section(calibrate(log, "law"), log)
    assert parsed(calibrate(log, "law"), log).per_example == pytest.approx(0.02)


def test_visits_without_both_are_left_out_and_counted():
    log = log_of((1, 1, 2, 4), (1, 2, None, 4), (1, 3, 2, None), (2, 1, 2, 0))
    found = calibrate(log, "law")
    assert (found.fitted, found.visits, found.of_visits) == (0.5, 1, 4)
    assert "from 1 of 4 answered visits" in section(found, log)


def test_failed_visits_are_left_out():
    failed = Visit(round=1, client="9", bytes_down=1, failed=True, seconds=99, examples=1)
    log = MessageLog(Path("log.jsonl"), HEADER, (*log_of((1, 1, 2, 4)).visits, failed))
    assert calibrate(log, "table").fitted.values == [0.5]


@pytest.mark.parametrize(
    ("visits", "form", "message"),
    [
        ([(1, 1, None, 4)], "law", "found seconds in 0 and examples in 1 of 1 answered visit"),
        ([(1, 1, 2, None)], "table", "found seconds in 1 and examples in 0 of 1 answered visit"),
        ([(1, 1, 2, None), (1, 2, None, 3)], "law", "1 of 2 answered visits, and both in none"),
        ([(1, 1, 0, 4), (1, 2, 3, 4)], "law", "found 1 client whose training took 0 s"),
        ([(1, 1, 1e-9, 1), (1, 2, 1e9, 1)], "law", "sigma 29.3; allowed for a law"),
    ],
)
def test_a_log_that_lacks_what_is_needed_is_refused(visits, form, message):
    with pytest.raises(MessageLogError) as error:
        calibrate(log_of(*visits), form)
    assert message in error.value.message
    assert error.value.message.startswith("log.jsonl: ")
    assert error.value.hint


def test_a_table_has_clients_that_take_no_time():
    assert calibrate(log_of((1, 1, 0, 4), (1, 2, 2, 4)), "table").fitted.values == [0.0, 0.5]


def test_a_table_of_very_many_clients_keeps_their_quantiles():
    times = np.exp(np.random.default_rng(0).standard_normal(3 * MAX_VALUES))
    found = table(times)
    assert len(found.values) == MAX_VALUES
    at = np.array([0.01, 0.25, 0.5, 0.75, 0.99])
    assert quantile(found, at) == pytest.approx(np.quantile(times, at), rel=1e-3)


def test_the_law_of_one_client_is_its_time():
    assert law(np.array([0.25])) == pytest.approx(0.25)
