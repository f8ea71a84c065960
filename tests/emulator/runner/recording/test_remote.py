"""A recording used from afar: the same files as one used where it is, whoever trains."""

import contextlib
from dataclasses import dataclass, field

import numpy as np
import pytest
from safetensors import SafetensorError

from emulator.common.errors import RecordingError, StorageError
from emulator.runner.recording import Recording, RecordingServer, RecordingTrainer, RemoteRecording

SETTINGS = {"what": "toy", "seed": 0}


@dataclass
class Straight:
    """A pipe to `home` that does what it is told at once, and loses all after `lost_after`."""

    home: RecordingServer
    lost_after: float = np.inf
    answers: list = field(default_factory=list)
    calls: int = 0

    def send(self, call):
        self.calls += 1
        if self.calls > self.lost_after:
            raise EOFError
        answer = self.home.do(call)
        if call.asked:
            self.answers.append(answer)

    def recv(self):
        return self.answers.pop(0)


@pytest.fixture
def afar(tmp_path, toy):
    """Opens trainers whose recordings are in `tmp_path/far`; (trainer, pipe)."""

    def opened(waiting=lambda: None, mixing=lambda _: None, version="1", **pipe):
        line = Straight(RecordingServer(tmp_path / "far", SETTINGS), **pipe)
        recording = RemoteRecording(tmp_path / "far", SETTINGS, line)
        made = RecordingTrainer(recording, lambda: (toy(), {"toy": version}), waiting, mixing)
        return made, line

    return opened


def play(trainer, rounds):
    known = []
    for number in range(rounds):
        downloads = [trainer.download((number * 3 + k) % 7) for k in range(3)]
        uploads = trainer.train(downloads)
        trainer.aggregate(uploads, [1 / 3] * 3)
        known += [(u.client, u.nbytes) for u in uploads]
        known.append(trainer.evaluate("validation"))
    return known


def files(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "lock"
    }


def test_the_folder_is_the_same_to_the_byte(bench, afar, tmp_path):
    near, (far, line) = bench.open(), afar()
    assert play(near, 13) == play(far, 13)
    assert near.export() == bench.folder / "adapter"
    assert far.export() == tmp_path / "far" / bench.folder.name / "adapter"
    assert files(bench.folder) == files(far.recording.folder)
    near.close()
    line.home.close()
    assert far.recording.provenance() == {"toy": "1"}


def test_it_is_nowhere_else(afar, tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr("tempfile.tempdir", None)
    trainer, _ = afar()
    play(trainer, 2)
    trainer.export()
    assert not list((tmp_path / "temporary").iterdir())


@pytest.mark.parametrize("lost_after", range(2, 90, 4))
def test_one_that_is_lost_costs_what_it_had_not_told(bench, afar, lost_after):
    near = bench.open()
    expected = play(near, 5)
    near.export()
    first, line = afar(lost_after=lost_after)
    with contextlib.suppress(EOFError):
        play(first, 5)
        first.export()
    line.home.close()
    trainer, _ = afar()
    assert play(trainer, 5) == expected
    trainer.export()
    # The last step may have been told, and its state or the score that follows not.
    assert trainer.trained in (5 - first.trained, 4 - first.trained)
    found = files(trainer.recording.folder)
    assert files(bench.folder).items() <= found.items()
    assert {name.split("/")[0] for name in found} == {p.name for p in bench.folder.iterdir()} - {
        "lock"
    }


def test_a_second_time_trains_nothing_and_holds_nothing(afar):
    trainer, line = afar()
    first = play(trainer, 4)
    line.home.close()
    one, _ = afar()
    assert play(one, 4) == first
    other, _ = afar()
    assert play(other, 4) == first
    assert (one.trained, other.trained) == (0, 0)


def test_a_worker_with_other_versions_tells_of_it(afar):
    first, line = afar()
    play(first, 2)
    line.home.close()
    told = []
    second, _ = afar(mixing=told.append, version="2")
    play(second, 2)
    assert told == []
    play(second, 3)
    assert told == ["toy 1 (now 2)"]


def test_who_waits_finds_what_the_other_has_trained(afar, monkeypatch):
    one, line = afar()
    first = play(one, 4)
    said = []
    other, _ = afar(lambda: said.append("waiting"))
    other.recording.steps.clear()
    other.recording.downloads.clear()
    other.recording.uploads.clear()
    other.recording.scores.clear()
    other.recording._read_bytes = 0
    monkeypatch.setattr("time.sleep", lambda _: line.home.close())
    assert play(other, 4) == first
    assert said == ["waiting"]
    assert other.trained == 0


def test_what_home_refuses_is_raised_where_it_was_asked(afar):
    trainer, line = afar()
    play(trainer, 2)
    line.home.close()
    (state,) = [p for p in trainer.recording.folder.glob("states/*") if trainer.state in p.name]
    state.write_bytes(b"")
    again, _ = afar()
    with pytest.raises(RecordingError, match=r"states/\w+\.safetensors: cannot be read"):
        play(again, 3)


def test_a_disk_that_refuses_is_told_though_nobody_waits(afar):
    trainer, _ = afar()
    play(trainer, 1)
    log = trainer.recording.folder / "log.jsonl"
    log.unlink()
    log.mkdir()
    with pytest.raises(StorageError):
        trainer.download(1)


def test_a_disk_there_that_is_full_is_told(afar, toy, tmp_path, monkeypatch):
    def full(*_):
        raise SafetensorError("Error while serializing: No space left on device")

    trainer, _ = afar()
    play(trainer, 1)
    with monkeypatch.context() as patch:
        patch.setattr(toy, "export", full)
        with pytest.raises(StorageError, match="No space left"):
            trainer.export()
    with monkeypatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(tmp_path / "none"))
        with pytest.raises(StorageError, match="No such file"):
            trainer.export()
    assert (trainer.export() / "model.npy").exists()


def test_a_foreign_folder_is_refused(afar):
    trainer, _ = afar()
    folder = trainer.recording.folder
    folder.mkdir(parents=True)
    (folder / "log.jsonl").touch()
    with pytest.raises(RecordingError, match=r"settings\.json is missing"):
        afar()


def test_a_state_comes_back_writable(afar):
    trainer, _ = afar()
    play(trainer, 1)
    arrays = trainer.recording.load_state(trainer.state)
    assert all(array.flags.writeable for array in arrays.values())
    there = Recording(trainer.recording.folder.parent, SETTINGS).load_state(trainer.state)
    assert {n: a.tobytes() for n, a in arrays.items()} == {n: a.tobytes() for n, a in there.items()}
