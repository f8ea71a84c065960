"""Packed recordings: the same facts without states, and damage that is told."""

import gzip
import json
import os
import tempfile
from dataclasses import asdict

import pytest
from hypothesis import given, settings, strategies as st

from emulator.common.errors import RecordingError, StorageError
from emulator.runner.recording import Recording, archive

SETTINGS = {"what": "toy", "seed": 0}


@pytest.fixture
def recording(bench):
    """Three steps, of which one branches off the first, and scores."""
    trainer = bench.open()
    for clients in ((1, 2), (4, 3)):
        uploads = trainer.train([trainer.download(c) for c in clients])
        trainer.aggregate(uploads, [0.25, 0.75])
        trainer.evaluate("validation")
    trainer.restart()
    trainer.aggregate(trainer.train([trainer.download(7)]), [1.0])
    trainer.close()
    return Recording(bench.store, SETTINGS)


@pytest.fixture
def file(recording, tmp_path):
    path = tmp_path / "one.json.gz"
    path.write_bytes(archive.pack("name: one\n", ["LoRA"], [recording]))
    return path


def facts(recording):
    return [
        recording.downloads, recording.uploads, recording.steps, recording.scores,
        asdict(recording.about), recording.provenance(),
    ]  # fmt: skip


def test_every_fact_comes_back_under_its_id_and_no_state(recording, file):
    assert len(recording.steps) == 3
    assert archive.is_packed(file)
    with archive.extracted(file) as (store, _):
        again = Recording(store, SETTINGS)
        assert facts(again) == facts(recording)
        assert not any(again.has_state(state) for state in [again.root, *again.steps])
    assert not store.exists()


def test_recordings_in_memory_are_those_of_the_folder(recording, file):
    with archive.extracted(file) as (store, recordings):
        assert list(recordings) == [recording.root]
        assert facts(recordings[recording.root]) == facts(Recording(store, SETTINGS))


def test_packing_what_was_unpacked_gives_the_same_bytes(recording, file):
    with archive.extracted(file) as (store, _):
        again = archive.pack("name: one\n", ["LoRA"], [Recording(store, SETTINGS)])
    assert again == file.read_bytes()


def changed(file, change):
    found = json.loads(gzip.decompress(file.read_bytes()))
    change(found)
    file.write_bytes(gzip.compress(json.dumps(found).encode()))


def row(kind):
    return lambda found: next(r for r in found["trainings"][0]["facts"] if r[0] == kind)


DAMAGE = {
    "another kind": lambda f: f.update(kind="flasc-emu packed recording 2"),
    "no methods": lambda f: f.update(methods=[1]),
    "no scenario": lambda f: f.update(scenario=None),
    "no trainings": lambda f: f.update(trainings={}),
    "a training of text": lambda f: f["trainings"].append("text"),
    "settings of text": lambda f: f["trainings"][0].update(settings="text"),
    "no facts": lambda f: f["trainings"][0].pop("facts"),
    "another fact": lambda f: f["trainings"][0]["facts"].append(["run", 1]),
    "an empty fact": lambda f: f["trainings"][0]["facts"].append([]),
    "a state from the end": lambda f: row("download")(f).__setitem__(1, -1),
    "a state to come": lambda f: row("step")(f).__setitem__(1, 99),
    "a state that is true": lambda f: row("score")(f).__setitem__(1, True),
    "bytes below zero": lambda f: row("download")(f).__setitem__(3, -1),
    "bytes of text": lambda f: row("upload")(f).__setitem__(3, "12"),
    "an accuracy that is none": lambda f: row("score")(f).__setitem__(4, float("nan")),
    "too few values": lambda f: row("upload")(f).pop(),
    "too many values": lambda f: row("upload")(f).append(1),
}


@pytest.mark.parametrize("change", DAMAGE.values(), ids=DAMAGE)
def test_damage_is_one_clear_error(file, change):
    changed(file, change)
    with (
        pytest.raises(RecordingError, match="not a packed recording") as told,
        archive.extracted(file),
    ):
        pass
    assert str(file) in told.value.message
    assert len(told.value.message) < 1000


def test_a_bomb_is_refused_before_it_is_unpacked(file, monkeypatch):
    monkeypatch.setattr(archive, "MAX_BYTES", 10_000)
    file.write_bytes(gzip.compress(b" " * 100_000_000))
    with pytest.raises(RecordingError, match="more than 10000 bytes"):
        archive.read(file)


def test_what_could_not_be_read_again_is_not_packed(recording, file, monkeypatch):
    length = len(gzip.decompress(file.read_bytes()))
    monkeypatch.setattr(archive, "MAX_BYTES", length)
    assert archive.pack("name: one\n", ["LoRA"], [recording]) == file.read_bytes()
    assert archive.read(file).methods == ["LoRA"]
    monkeypatch.setattr(archive, "MAX_BYTES", length - 1)
    with pytest.raises(RecordingError, match=rf"found {length} bytes to pack; allowed: "):
        archive.pack("name: one\n", ["LoRA"], [recording])


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_bytes_that_changed_are_told_or_mean_nothing(tmp_path_factory, data):
    file = tmp_path_factory.getbasetemp() / "damaged.json.gz"
    whole = archive.pack("name: one\n", ["LoRA"], [])
    place = data.draw(st.integers(0, len(whole) - 1))
    file.write_bytes(whole[:place] + data.draw(st.binary(max_size=3)) + whole[place + 1 :])
    try:
        found = archive.read(file)
    except RecordingError:
        return
    assert found.scenario == "name: one\n"  # the check sum vouches for it


def test_a_scenario_is_not_packed(tmp_path):
    (tmp_path / "a.yaml").write_text("name: a\n")
    assert not archive.is_packed(tmp_path / "a.yaml")
    assert not archive.is_packed(tmp_path / "none")
    assert not archive.is_packed(tmp_path)


def test_a_scenario_may_come_through_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert not archive.is_packed(tmp_path / "pipe")  # and nothing was read, or waited for


def test_a_disk_that_refuses_is_said(file, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with pytest.raises(StorageError, match="cannot be written"), archive.extracted(file):
        pass
