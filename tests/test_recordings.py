"""The recordings that we publish: whole, small, and what training gives again."""

import dataclasses
import gzip
import json
from pathlib import Path

import pytest

from emulator.runner import inputs, run
from emulator.runner.estimates import is_whole
from emulator.runner.executors import Local, Options
from emulator.runner.recording import Recording

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "recordings").glob("*.json.gz"))
every_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.split(".")[0])


def test_there_are_some():
    assert FILES


@every_file
def test_it_is_small_whole_and_says_what_it_was_made_on(path):
    found = inputs.read(path)
    trainings = found.trainings()
    emulations = sum(len(training.variants) for training in trainings)  # may train otherwise each
    assert path.stat().st_size < 8_000 * emulations
    with run.recorded(found, Options(Path("none"))) as options:
        for training in trainings:
            assert is_whole(training, options.recordings)
            settings = training.settings.model_dump(mode="json")
            said = Recording(options.recordings, settings).provenance()
            assert {"data", "engine", "torch", "peft", "device"} <= set(said)
    assert b"/tmp" not in gzip.decompress(path.read_bytes())


@every_file
def test_it_is_the_scenario_that_is_shipped(path):
    """A scenario that changed since would be another training."""
    name = path.name.removesuffix(".json.gz")
    paths = sorted(
        ROOT.glob(f"scenarios/**/{name}.yaml"), key=lambda path: "paper" not in path.parts
    )
    own = paths[0]  # scenarios/paper/slow_upload.yaml has all methods of the recording
    found = inputs.read(path)
    seeds = f"training.seeds={json.dumps(found.scenario.training.seeds)}"
    shipped = inputs.read(own, [seeds], found.methods)
    assert [t.settings for t in found.trainings()] == [t.settings for t in shipped.trainings()]


@pytest.mark.real
def test_training_a_row_again_gives_what_was_recorded(tmp_path):
    """Three rounds of FLASC. Exact where machine and versions are; close to it elsewhere."""
    name = "FLASC 1/4 down, 1/4 up"
    changes = ["training.rounds=3", "training.seeds=[0]", "vary=null"]
    found = inputs.read(ROOT / "recordings/figure3.json.gz", changes, [name])
    (training,) = found.trainings()
    settings = training.settings.model_dump(mode="json")
    again = dataclasses.replace(found, packed=None)
    outcome = run.run(again, tmp_path / "run", Options(tmp_path / "store"), engine=Local(1))
    assert outcome.trained_rounds == 3
    ours = Recording(tmp_path / "store", settings)
    with run.recorded(found, Options(tmp_path / "none")) as options:
        theirs = Recording(options.recordings, settings)
    for told, known in zip(
        dataclasses.astuple(ours.about), dataclasses.astuple(theirs.about), strict=True
    ):
        assert known in (None, told)  # older recordings do not say all
    assert len(ours.steps) == 3
    assert set(ours.steps) <= set(theirs.steps)  # the same clients, by the same weights
    for facts, known in ((ours.downloads, theirs.downloads), (ours.uploads, theirs.uploads)):
        assert len(facts) == 30
        for key, fact in facts.items():
            assert (fact.examples, fact.steps) == (known[key].examples, known[key].steps)
            assert fact.nbytes == pytest.approx(known[key].nbytes, rel=0.01)
    ((key, score),) = ours.scores.items()
    assert score.accuracy == pytest.approx(theirs.scores[key].accuracy, abs=0.02)
    assert score.loss == pytest.approx(theirs.scores[key].loss, rel=0.02)
