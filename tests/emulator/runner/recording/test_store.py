import json
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import save_file

from emulator.common.errors import RecordingError, StorageError
from emulator.runner.recording import Recording

SETTINGS = {"what": "toy", "seed": 0}


@pytest.fixture
def log(bench):
    trainer = bench.open()
    uploads = trainer.train([trainer.download(c) for c in (1, 2)])
    trainer.aggregate(uploads, [0.5, 0.5])
    trainer.evaluate("validation")
    trainer.close()
    return bench.folder / "log.jsonl"


def test_other_settings_are_another_recording(tmp_path):
    roots = {Recording(tmp_path, {"seed": seed}).root for seed in range(5)}
    assert len(roots) == 5
    assert not list(tmp_path.iterdir())  # opening writes nothing


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "not json\n" + text,
        lambda text: text.replace('"aggregate"', '"exec"'),
        lambda text: text.replace("0.5", "0.25"),
        lambda text: text.replace('"client":1', '"client":7', 3),
        lambda text: text.replace('"nbytes"', '"nbites"'),
        lambda text: text.replace('"fact"', '"fiction"'),
        lambda text: "[" * 100_000 + "\n" + text,
        lambda text: "{}\n",
        lambda text: "\0\n",
        lambda text: '"text"\n' + text,
        lambda text: text.replace('"nbytes":101', '"nbytes":"101"'),
        lambda text: text.replace('"nbytes":101', '"nbytes":-1'),
        lambda text: text.replace('"examples":3', '"examples":[3]'),
        lambda text: text.replace('"steps":1', '"steps":' + "9" * 400),
        lambda text: text.replace('"loss":', '"loss":1e999,"was":'),
        lambda text: text.replace('"accuracy":', '"accuracy":true,"was":'),
    ],
)
def test_a_damaged_log_is_one_clear_error(bench, log, damage):
    text = log.read_text()
    assert damage(text) != text
    log.write_text(damage(text))
    if damage(text).count("client") and '"client":7' in damage(text):
        # A changed fact is only caught where an id depends on it; here the aggregation's does not.
        Recording(bench.store, SETTINGS)
        return
    with pytest.raises(RecordingError, match=r"log\.jsonl: line \d+"):
        Recording(bench.store, SETTINGS)


def test_a_foreign_folder_is_refused(bench, log):
    path = bench.folder / "settings.json"
    for text in ("", "[]", "{}", json.dumps({"settings": {"what": "else"}}), "\xff"):
        path.write_bytes(text.encode("latin-1"))
        with pytest.raises(RecordingError, match="not a recording of this training"):
            Recording(bench.store, SETTINGS)
    path.unlink()
    with pytest.raises(RecordingError, match=r"settings\.json is missing"):
        Recording(bench.store, SETTINGS)


def test_a_damaged_state_is_named(bench, log):
    states = list((bench.folder / "states").iterdir())
    for state in states:
        state.write_bytes(b"\xff" * 40)
    trainer = bench.open()
    trainer.aggregate(trainer.train([trainer.download(c) for c in (1, 2)]), [0.5, 0.5])
    with pytest.raises(RecordingError, match="cannot be read"):
        trainer.train([trainer.download(3)])


def test_a_state_is_what_was_written(tmp_path):
    recording = Recording(tmp_path, SETTINGS)
    arrays = {"b": np.arange(6.0).reshape(2, 3), "a": np.array(7)}
    with recording.writing({}):
        recording.save_state("x", arrays)
    kept = recording.load_state("x")
    assert kept.keys() == arrays.keys()
    assert all(np.array_equal(kept[name], arrays[name]) for name in arrays)
    path = recording.folder / "states/x.safetensors"
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    with pytest.raises(RecordingError, match="does not have its hash"):
        recording.load_state("x")


def test_a_state_without_a_hash_is_an_older_one(tmp_path):
    recording = Recording(tmp_path, SETTINGS)
    (recording.folder / "states").mkdir(parents=True)
    save_file({"a": np.arange(3)}, recording.folder / "states/x.safetensors")
    assert recording.load_state("x")["a"].tolist() == [0, 1, 2]


def test_another_trainings_state_is_a_damaged_one(bench, log):
    with Recording(bench.store, SETTINGS).writing({}):
        for path in (bench.folder / "states").iterdir():
            Recording(bench.store, SETTINGS).save_state(path.stem, {"other": np.zeros(3)})
    trainer = bench.open()
    trainer.aggregate(trainer.train([trainer.download(c) for c in (1, 2)]), [0.5, 0.5])
    with pytest.raises(RecordingError, match="not a state of this training"):
        trainer.train([trainer.download(3)])


def test_a_refusing_disk_is_a_storage_error(bench, tmp_path):
    bench.store = tmp_path / "file"
    bench.store.write_text("not a folder")
    trainer = bench.open()
    with pytest.raises(StorageError, match="cannot be written"):
        trainer.download(0)


def test_a_state_that_cannot_be_deleted_is_a_storage_error(log):
    recording = Recording(log.parent.parent, SETTINGS)
    recording.drop_state("none")
    (log.parent / "states/stuck.safetensors").mkdir()
    with pytest.raises(StorageError, match="cannot be written"):
        recording.drop_state("stuck")


def test_a_full_disk_loses_nothing_that_was_recorded(bench, log):
    """A process whose files may not grow stands in for a full disk: real writes really fail."""
    before = log.read_bytes()
    code = f"""
import resource, signal, sys
from pathlib import Path
sys.path[:0] = {sys.path!r}
from emulator.common.errors import StorageError
from emulator.runner.recording import Recording
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
recording = Recording(Path({str(bench.store)!r}), {SETTINGS!r})
with recording.writing({{}}):
    resource.setrlimit(resource.RLIMIT_FSIZE, ({len(before) + 10}, {len(before) + 10}))
    try:
        recording.add("evaluate", state="", split="test", examples=1, accuracy=1, loss=1)
    except StorageError as error:
        print(error.message)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "cannot be written" in done.stdout, done
    assert log.read_bytes() == before
    assert Recording(bench.store, SETTINGS).scores
