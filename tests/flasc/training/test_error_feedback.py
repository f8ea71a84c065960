"""Nothing that is left out is lost, and memories outlive restarts."""

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as arrays
from safetensors.numpy import load, save

from emulator.runner.recording import Recording, RecordingTrainer
from flasc import codec
from flasc.common.settings import Wire
from flasc.training import error_feedback

FLASC = {"kind": "flasc", "down": 0.25, "up": 0.0625, "error_feedback": True}
WIRES = [Wire(), Wire(values="int4", rounding="stochastic")]
KINDS = [
    {"kind": "lora", "error_feedback": True},
    FLASC,
    {"kind": "sparse_adapter", "density": 0.3, "error_feedback": True},
]
COHORTS = [[1, 2], [4, 0, 1], [2, 3], [1, 4]]


def play(trainer, cohorts=COHORTS):
    contents = []
    for cohort in cohorts:
        uploads = trainer.train([trainer.download(c) for c in cohort])
        trainer.aggregate(uploads, [1 / len(cohort)] * len(cohort))
        contents += [getattr(upload, "content", upload) for upload in uploads]
    return contents


@given(arrays.arrays(np.float32, st.integers(1, 300), elements=st.floats(width=32)))
def test_a_memory_is_exact_and_no_longer_than_it_need_be(values):
    memory = error_feedback.remember(torch.from_numpy(values))
    got = error_feedback.add(torch.zeros(len(values)), memory).numpy()
    np.testing.assert_array_equal(got, values)
    assert len(memory) <= 12 + 4 * len(values)
    assert (memory == error_feedback.NOTHING) == (not values.any())


def test_an_update_without_memory_is_left_alone():
    delta = torch.tensor([-0.0, 1.0])
    assert error_feedback.add(delta, error_feedback.NOTHING) is delta


def test_what_is_sent_at_last_is_forgotten():
    memories = error_feedback.Memories()
    memories[3] = b"something"
    memories[3] = error_feedback.NOTHING
    assert memories[3] == error_feedback.NOTHING
    assert not memories.state()


@pytest.mark.parametrize("wire", WIRES, ids=lambda w: w.values)
@pytest.mark.parametrize("method", KINDS, ids=lambda m: m["kind"])
def test_all_that_was_learned_is_sent_or_remembered(make, method, wire, monkeypatch):
    """Stich et al.: over a client's rounds, sum of deltas = sum of messages + memory."""
    trainer = make(method, wire=wire)
    n = trainer.adapter.n
    learned, sent = ({c: np.zeros(n) for c in range(5)} for _ in range(2))
    train = trainer.engine.train

    def listened(jobs, data):
        done = train(jobs, data)
        for job, one in zip(jobs, done, strict=True):
            learned[job.draw.client] += one.delta.numpy()
        return done

    monkeypatch.setattr(trainer.engine, "train", listened)
    for cohort in COHORTS:
        downloads = [trainer.download(c) for c in cohort]
        uploads = trainer.train(downloads)
        for download, upload in zip(downloads, uploads, strict=True):
            support = codec.decode(download.content, n=n).indices
            sent[upload.client] += codec.decode(upload.content, n=n, support=support).to_dense()
        trainer.aggregate(uploads, [1 / len(cohort)] * len(cohort))
    for client in range(5):
        kept = error_feedback.add(torch.zeros(n), trainer.download(client).memory).numpy()
        scale = np.abs(learned[client]).max()
        np.testing.assert_allclose(sent[client] + kept, learned[client], rtol=0, atol=1e-6 * scale)


def test_flasc_ranks_what_is_new_and_what_was_left_out_together(make):
    trainer, plain = make(FLASC), make({**FLASC, "error_feedback": False})
    first, same = play(trainer, [[1]]), play(plain, [[1]])
    assert first == same
    n = trainer.adapter.n
    memory = error_feedback.add(torch.zeros(n), trainer.download(1).memory)
    assert memory.count_nonzero() > n // 2
    (upload,), (without,) = (t.train([t.download(1)]) for t in (trainer, plain))
    dense = make({"kind": "flasc", "down": 0.25, "up": 1.0})
    dense.restore({k: v for k, v in trainer.snapshot().items() if not k.startswith("memory")})
    (delta,) = dense.train([dense.download(1)])
    total = codec.decode(delta.content, n=n).to_dense() + memory.numpy()
    largest = np.sort(np.argsort(-np.abs(total), kind="stable")[: int(n * 0.0625)])
    got = codec.decode(upload.content, n=n)
    np.testing.assert_array_equal(got.indices, largest)
    np.testing.assert_array_equal(got.values, total[largest])
    assert upload.content != without.content


def test_a_memory_moves_only_when_its_upload_is_merged(make):
    trainer = make(FLASC)
    play(trainer, [[1, 2]])
    before = {c: trainer.download(c).memory for c in range(5)}
    assert [bool(before[c]) for c in range(5)] == [False, True, True, False, False]
    uploads = trainer.train([trainer.download(c) for c in (1, 2, 4)])
    trainer.aggregate(uploads[:1], [1.0])  # 2 and 4 were too late
    after = {c: trainer.download(c).memory for c in range(5)}
    assert [c for c in range(5) if after[c] != before[c]] == [1]
    assert after[1] == uploads[0].memory


def test_dense_messages_leave_nothing_out(make):
    trainer = make({"kind": "lora", "error_feedback": True})
    play(trainer)
    assert not [name for name in trainer.snapshot() if name.startswith("memory")]


@pytest.mark.parametrize("method", KINDS, ids=lambda m: m["kind"])
def test_a_snapshot_holds_memories_exactly(make, method):
    wire = Wire(values="int8")
    trainer, restored = make(method, wire=wire), make(method, wire=wire)
    play(trainer, COHORTS[:2])
    restored.restore(load(save(trainer.snapshot())))
    assert play(restored, COHORTS[2:]) == play(trainer, COHORTS[2:])
    assert torch.equal(restored.params, trainer.params)
    ours, theirs = restored.snapshot(), trainer.snapshot()
    assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)
    kept = sum(array.nbytes for name, array in theirs.items() if name.startswith("memory"))
    assert kept <= 5 * (12 + 4 * trainer.adapter.n)


def test_a_recording_goes_on_as_if_it_had_not_stopped(make, tmp_path):
    """Also where the newest state is gone, so that rounds are trained again."""

    def opened():
        recording = Recording(tmp_path, {"what": "feedback"})
        return RecordingTrainer(recording, lambda: (make(FLASC), {}))

    whole = make(FLASC)
    play(whole)
    first = opened()
    play(first, COHORTS[:2])
    newest = first.state
    first.close()
    (first.recording.folder / "states" / f"{newest}.safetensors").unlink()
    again = opened()
    play(again)
    assert again.trained == 2
    assert torch.equal(again._live.params, whole.params)
    again.close()
