"""Recorded trainings in memory: the same results as `flasc-emu run`, and no file."""

import shutil
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from emulator.common.errors import NotRecordedError
from emulator.explore.replays import MANY, Replays, Run, require_recorded
from emulator.results.metrics import curve, outcome
from emulator.runner import inputs, run as running
from emulator.runner.events import ignore
from emulator.runner.recording import archive
from emulator.runner.training_job import run_training
from flasc.training.shared_models import SharedModels

from .conftest import ROOT


def options(study):
    return running.options_for(study, None, train=False)


@pytest.fixture(scope="module")
def replays(study):
    return Replays(study, options(study))


@pytest.mark.parametrize("simulations", [1, MANY])
def test_results_are_those_of_a_run(study, replays, simulations):
    with running.recorded(study, options(study)) as known:
        for number, job in enumerate(study.trainings()):
            ran = run_training(number, job, known, ignore, SharedModels())
            for emulation, rows in ran.emulations.items():
                scenario = study.variants[emulation.variant]
                found = replays.measured(
                    scenario, Run(job.method, job.seed), simulations=simulations
                )
                named = replace(found.outcome, variant=emulation.variant)
                expected = outcome(emulation, rows, None)
                assert asdict(named) == pytest.approx(asdict(expected), rel=1e-9)
                assert found.curve.accuracy == curve(rows).accuracy
                assert found.curve.time_s == pytest.approx(curve(rows).time_s, rel=1e-9)


def test_nothing_is_left_on_the_disk(study, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    one = Replays(study, options(study))
    assert list(tmp_path.iterdir()) == []
    scenario = study.variants["as fast"]
    assert one.measured(scenario, Run("LoRA", 0)).outcome.rounds > 20
    assert list(tmp_path.iterdir()) == []


def test_each_row_is_told_so_that_a_simulation_can_be_stopped(study, replays):
    class StoppedError(Exception):
        pass

    def stop(_):
        raise StoppedError

    with pytest.raises(StoppedError):
        replays.measured(study.variants["as fast"], Run("LoRA", 0), stop)
    again = replays.measured(study.variants["as fast"], Run("LoRA", 0))
    assert again.outcome.rounds > 20, "the next simulation starts from the beginning"


def test_rounds_that_are_not_recorded_are_named():
    deadlines = inputs.read(ROOT / "recordings/deadline.json.gz", ["network.clients.up=0.2 Mbps"])
    one = Replays(deadlines, options(deadlines))
    run = Run(deadlines.methods[0], deadlines.scenario.training.seeds[0])
    with pytest.raises(NotRecordedError, match=r"asks for a round that is not among the \d+ recor"):
        one.measured(deadlines.variants["2 s"], run)


def test_a_message_log_is_replayed(log: Path):
    network = {"slow": {"network": {"server": {"down": "1 Gbps", "up": "1 Gbps"},
                                    "clients": {"down": "1 Mbps", "up": "1 Mbps"}}}}  # fmt: skip
    logged = inputs.read(log, networks=network)
    found = Replays(logged, options(logged)).measured(logged.variants["slow"], Run("FedAvg", 0))
    assert found.curve.round == (0, 1, 3)
    assert found.outcome.bytes_up == 6 * 40_000


def test_a_folder_of_recordings_is_read_into_memory(study, replays, tmp_path):
    """As that of a run's folder; its files are not needed any more."""
    store = tmp_path / "recordings"
    with archive.extracted(study.packed) as (folder, _):
        shutil.copytree(folder, store)
    own = replace(study, packed=None)
    require_recorded(own, running.options_for(own, store, train=False), "run")
    one = Replays(own, running.options_for(own, store, train=False))
    shutil.rmtree(store)
    scenario, run = study.variants["4x slower"], Run("LoRA", 0)
    assert one.measured(scenario, run) == replays.measured(scenario, run)


def test_a_study_without_any_recorded_training_is_refused(scenario, tmp_path):
    toy = inputs.read(scenario())
    with pytest.raises(NotRecordedError, match=r"toy\.yaml: found none of its trainings in .*none"):
        require_recorded(toy, running.options_for(toy, tmp_path / "none"), "toy.yaml")
