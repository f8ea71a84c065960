"""Logged trainings over links whose times follow from arithmetic.

Every link is 1 MB/s down and 0.1 MB/s up with a delay of 50 ms.
"""

import pytest

from emulator.simulation.records import UNKNOWN, Client, Computation, Evaluation, Round, Transfer
from emulator.simulation.rounds.logged import (
    LoggedRound,
    LoggedTrainer,
    LoggedTraining,
    LoggedVisit,
)
from emulator.simulation.simulate import simulate
from flasc.common.messages import Score

from ..small_scenario import of, scenario

DELAY_S = 0.05
VISIT = LoggedVisit(down=1_000_000, up=100_000, seconds=2.0, examples=10)
VISIT_S = DELAY_S + 1 + 2 + DELAY_S + 1


def rows(*rounds, modelled=False, examples=None, **keys):
    log = LoggedTraining(rounds, examples)
    return simulate(scenario(**keys), 0, LoggedTrainer(log, modelled=modelled))


def test_the_clients_and_times_are_those_logged():
    slow = LoggedVisit(down=1_000_000, up=100_000, seconds=5.0)
    found = rows(LoggedRound({3: VISIT, 1: slow}, 2), LoggedRound({4: VISIT}, 1))
    rounds = of(Round, found)
    assert [(r.round, r.cohort, r.used) for r in rounds] == [(1, 2, 2), (2, 1, 1)]
    assert [r.finish_s for r in rounds] == pytest.approx([VISIT_S + 3, 2 * VISIT_S + 3])
    assert [r.client for r in of(Transfer, found) if r.direction == "down"] == [3, 1, 4]
    assert {r.outcome for r in of(Transfer, found)} == {"used"}
    assert not of(Evaluation, found)


def test_scores_follow_their_rounds_and_what_is_not_known_is_marked():
    scores = {"validation": Score(UNKNOWN, 0.5, 1.5), "test": Score(20, 0.25, UNKNOWN)}
    found = rows(LoggedRound({0: VISIT}, 1), LoggedRound({0: VISIT}, 1, scores))
    assert [tuple(each) for each in of(Evaluation, found)] == [
        (2, pytest.approx(2 * VISIT_S), "validation", -1, 0.5, 1.5),
        (2, pytest.approx(2 * VISIT_S), "test", 20, 0.25, -1),
    ]


def test_the_initial_model_is_scored_before_any_time_passes():
    initial = {"validation": Score(9, 0.1, 3.0)}
    log = LoggedTraining([LoggedRound({0: VISIT}, 1)], initial=initial)
    found = simulate(scenario(), 0, LoggedTrainer(log, modelled=False))
    assert [tuple(each) for each in of(Evaluation, found)] == [(0, 0.0, "validation", 9, 0.1, 3.0)]
    assert log.scored
    assert not LoggedTraining(log.rounds).scored


def test_a_failed_visit_costs_bytes_and_time_and_has_no_update():
    failed = LoggedVisit(down=1_000_000, up=200_000, seconds=3.0, failed=True)
    silent = LoggedVisit(down=1_000_000, up=0, failed=True)
    found = rows(LoggedRound({0: VISIT, 1: failed, 2: silent}, 1))
    (only,) = of(Round, found)
    assert only.used == 1
    assert only.finish_s == pytest.approx(DELAY_S + 1 + 3 + DELAY_S + 2)  # the server waits for it
    sent = {(t.client, t.direction): (t.nbytes, t.outcome) for t in of(Transfer, found)}
    assert sent == {
        (0, "down"): (1_000_000, "used"),
        (0, "up"): (100_000, "used"),
        (1, "down"): (1_000_000, "cut"),
        (1, "up"): (200_000, "cut"),
        (2, "down"): (1_000_000, "cut"),
    }
    assert {c.client: c.outcome for c in of(Computation, found)} == {0: "used", 1: "cut", 2: "cut"}


def test_a_round_of_failures_has_no_step():
    failed = LoggedVisit(down=1_000_000, up=0, failed=True)
    found = rows(LoggedRound({0: failed}, 0), LoggedRound({0: VISIT}, 1))
    assert [r.used for r in of(Round, found)] == [0, 1]
    assert of(Round, found)[1].finish_s == pytest.approx(DELAY_S + 1 + VISIT_S)


def test_with_more_updates_than_were_merged_the_first_ones_end_the_round():
    """Over-selection: under another network, other clients may be first than in the real run."""
    quick = LoggedVisit(down=1_000_000, up=100_000, seconds=1.0)
    slow = LoggedVisit(down=1_000_000, up=100_000, seconds=9.0)
    found = rows(LoggedRound({0: slow, 1: VISIT, 2: quick}, 2), LoggedRound({0: VISIT}, 1))
    first, second = of(Round, found)
    assert (first.used, first.finish_s) == (2, pytest.approx(VISIT_S))
    assert second.finish_s == pytest.approx(2 * VISIT_S)
    outcomes = {t.client: t.outcome for t in of(Transfer, found) if t.round == 1}
    assert outcomes == {0: "late", 1: "used", 2: "used"}


def test_a_compute_model_replaces_the_logged_seconds():
    found = rows(LoggedRound({0: VISIT}, 1), modelled=True, compute={"per_example": "30 ms"})
    (computation,) = of(Computation, found)
    assert computation.finish_s - computation.start_s == pytest.approx(10 * 0.03)
    assert computation.examples == 10


def test_without_seconds_training_takes_no_time():
    visit = LoggedVisit(down=1_000_000, up=100_000)
    (only,) = of(Round, rows(LoggedRound({0: visit}, 1)))
    assert only.finish_s == pytest.approx(VISIT_S - 2)


def test_a_target_ends_the_simulation_as_the_scenario_says():
    rounds = [LoggedRound({0: VISIT}, 1, {"validation": Score(1, n / 10, 1)}) for n in range(1, 9)]
    target = {"accuracy": 0.3, "stop_after": 2}
    assert len(of(Round, rows(*rounds, training={"target": target}))) == 5
    never = {"accuracy": 0.3, "stop_after": "never"}
    assert len(of(Round, rows(*rounds, training={"target": never}))) == 8


def test_the_examples_of_each_client_are_in_its_row():
    found = rows(LoggedRound({0: VISIT}, 1), examples=range(30))
    assert [row.examples for row in of(Client, found)] == list(range(30))
    assert {row.examples for row in of(Client, rows(LoggedRound({0: VISIT}, 1)))} == {-1}
