"""A run's folder knows where its trainings are, and another person's folder leads nowhere."""

import json
from pathlib import Path

import pytest

from emulator.common.errors import LedgerError
from emulator.runner import inputs, run_source


@pytest.fixture
def study(scenario, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return inputs.read(scenario())


def record(study, store):
    for training in study.trainings():
        log = store / run_source.recording_id(training, store) / "log.jsonl"
        log.parent.mkdir(parents=True)
        log.touch()


def test_the_folder_of_recordings_is_found_again_from_anywhere(study, tmp_path, monkeypatch):
    record(study, tmp_path / "store")
    (tmp_path / "runs/toy").mkdir(parents=True)
    run_source.keep(study, Path("store"), tmp_path / "runs/toy")
    assert run_source.of_run(Path("runs/toy")).recordings == Path("store")
    monkeypatch.chdir(tmp_path / "runs/toy")
    assert run_source.of_run(Path()).recordings == tmp_path / "store"
    assert run_source.unrecorded(study, tmp_path / "store") == []


def test_a_folder_without_a_training_of_the_run_is_not_used(study, tmp_path):
    (tmp_path / "other").mkdir()
    run_source.keep(study, tmp_path / "other", tmp_path)
    assert run_source.of_run(tmp_path).recordings == run_source.DEFAULT
    ids = json.loads((tmp_path / run_source.PLACE).read_text())["trainings"]
    assert len(ids) == len(run_source.unrecorded(study, tmp_path / "other")) == 3


@pytest.mark.parametrize("text", ["", "[]", '{"recordings": "x"}', '{"recordings": 1}', "[" * 9999])
def test_a_damaged_file_is_one_message(tmp_path, text):
    (tmp_path / run_source.PLACE).write_text(text)
    with pytest.raises(LedgerError, match=r"recordings\.json: found no folder") as error:
        run_source.of_run(tmp_path)
    assert "--recordings" in error.value.hint


def test_a_folder_of_an_older_version_has_the_default(tmp_path):
    assert run_source.of_run(tmp_path).recordings == run_source.DEFAULT
