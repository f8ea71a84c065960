"""What is said before anything runs, against what then is."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from emulator.results.metrics import bytes_sent
from emulator.runner import inputs
from emulator.runner.estimates import LeastRounds, Messages, bars, is_whole, known, messages
from emulator.runner.events import ignore
from emulator.runner.training_job import Options, run_training
from flasc.training.shared_models import SharedModels


@given(st.lists(st.floats(1e-3, 1e12), min_size=1, max_size=50), st.integers(1, 100))
def test_bars_fit_and_every_value_shows(values, width):
    for blocks in (True, False):
        drawn = bars(np.array(values), width, blocks)
        assert len(drawn) == min(width, 40)
        assert drawn.count("█" if blocks else "@") >= 1
        assert blocks or drawn.isascii()


def test_bars_are_over_the_logarithm():
    assert bars(np.array([1.0, 10.0, 100.0, 100.0]), 3) == "▄▄█"
    assert bars(np.array([1.0, 100.0]), 5, blocks=False) == "@   @"


@pytest.mark.parametrize(("charge", "down"), [("encoded", 2_500_000), ("values", 1_250_000)])
def test_the_least_round_counts_the_bytes_that_are_timed(scenario, charge, down):
    overrides = ["network.transport=fluid", "network.clients.rtt=0", f"network.charge={charge}"]
    variant = inputs.read(scenario(), overrides).variants["slow"]
    least = {"encoded": {"down": 2_500_000, "up": 625_000},
             "values": {"down": 1_250_000, "up": 625_000}}  # fmt: skip
    found = LeastRounds(variant).seconds(Messages(2.5e6, 5e6 / 8, "x", least))
    assert found == pytest.approx([down / 2.5e6 + 1] * 4)


def test_recorded_bytes_are_those_that_a_run_sends(scenario, toys, tmp_path):
    read = inputs.read(scenario())
    training = read.trainings()[0]
    assert known(training, tmp_path).source == "computed"
    assert not is_whole(training, tmp_path)
    done = run_training(0, training, Options(tmp_path), ignore, SharedModels())
    rows = next(iter(done.emulations.values()))
    found = known(training, tmp_path)
    assert found.source == "recorded"
    assert found.down == bytes_sent(rows, "down") / 12  # four rounds of three clients
    assert found.up == bytes_sent(rows, "up") / 12
    assert 0 < found.least["values"]["up"] <= found.least["encoded"]["up"] <= found.up
    assert is_whole(training, tmp_path)


def test_a_training_ended_by_its_target_is_whole(scenario, toys, tmp_path):
    path = scenario()
    path.write_text(path.read_text().replace("rounds: 4", "rounds: 99").replace("never", "1"))
    training = inputs.read(path).trainings()[1]
    run_training(0, training, Options(tmp_path), ignore, SharedModels())
    assert is_whole(training, tmp_path)
    longer = inputs.read(path, ["training.target.accuracy=0.85"]).trainings()[1]
    assert not is_whole(longer, tmp_path)
    mean = inputs.read(path, ["training.target.rule=mean3"]).trainings()[1]
    assert not is_whole(mean, tmp_path)


def test_what_is_not_known_is_not_guessed(scenario, tmp_path):
    study = inputs.read(scenario(), ["task.model=owner/name"])
    lines = list(messages(study, tmp_path))[1:]
    assert len(lines) == 3
    assert all(line.endswith("not known until it is trained") for line in lines)
