"""A search with real training, at a reduced size."""

from pathlib import Path

import pytest

from emulator.runner import inputs, run, training_job
from emulator.runner.executors import Local, Options
from emulator.runner.search import Axes, read_space, search

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("main job")]
SMOKE = Path(__file__).parents[4] / "scenarios/smoke.yaml"
SMALL = ["training.rounds=2", "training.cohort=2", "training.evaluation.examples=100"]
METHOD = "FLASC 1/4 down, 1/16 up"


def test_it_trains_each_configuration_once_and_resumes(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "write_report", lambda *_: None)
    trained = []
    real = training_job._real_trainer

    def counted(settings, *args):
        trained.append(settings)
        return real(settings, *args)

    monkeypatch.setattr(training_job, "_real_trainer", counted)
    space = read_space(
        inputs.read(SMOKE, SMALL), METHOD, "16x slower", Axes((), (0.25,), (0.25, 0.0625))
    )
    options = Options(tmp_path / "recordings", device="cpu")

    def searched(folder, **more):
        return search(space, tmp_path / folder, options, engine=Local(1), **more)

    class CutError(Exception):
        pass

    def cut(_):
        raise CutError

    with pytest.raises(CutError):
        searched("cut", on_start=cut)
    assert len(trained) == 1
    found = searched("found")
    assert len(trained) == len({each.model_dump_json() for each in trained}) == 2
    assert [(t.name, t.trained_rounds) for t in found.trials] == [
        (METHOD, 0), ("FLASC 1/4 down, 1/4 up", 2)
    ]  # fmt: skip
    sparse, dense = (trial.outcomes[0] for trial in found.trials)
    assert 3 < dense.bytes_up / sparse.bytes_up < 4.5
    again = searched("again")
    assert len(trained) == 2
    assert [t.outcomes for t in again.trials] == [t.outcomes for t in found.trials]
    study = inputs.read(tmp_path / "found/recommended.yaml")
    assert run.run(study, tmp_path / "run", options, engine=Local(1)).trained_rounds == 0
