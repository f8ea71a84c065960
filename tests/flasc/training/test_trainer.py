"""The reference round against a transcription in numpy, and what every method must keep."""

import weakref

import numpy as np
import pytest
import torch

from flasc import codec
from flasc.common import rng
from flasc.common.errors import DivergedError, ModelError
from flasc.common.schedules import Cosine
from flasc.common.settings import Wire
from flasc.training import settings as config
from flasc.training.engine import Part, pick_device
from flasc.training.shared_models import SharedModels
from flasc.training.trainer import make as make_trainer

COHORTS = [[1, 2], [4, 0, 1], [2, 3], [1, 4]]


def play(trainer, cohorts=COHORTS):
    messages = []
    for cohort in cohorts:
        downloads = [trainer.download(c) for c in cohort]
        uploads = trainer.train(downloads)
        trainer.aggregate(uploads, [1 / len(cohort)] * len(cohort))
        messages += [*downloads, *uploads]
    return messages


def top(values, density):
    """The mask of the int(n d) largest magnitudes, ties to the lowest index, in plain numpy."""
    n = len(values)
    order = np.lexsort((np.arange(n), -np.abs(values)))
    mask = np.zeros(n, bool)
    mask[order[: int(n * density)]] = True
    return mask


def local_delta(trainer, start, client, version):
    """Steps 4 and 5 of the paper's round, written out: SGD with momentum from rest, by hand."""
    settings, adapter, task = trainer.settings, trainer.adapter, trainer.task
    adapter.write(torch.from_numpy(start))
    params, held = start.copy(), task.clients[client]
    velocity = np.zeros_like(params)
    with torch.random.fork_rng([]):
        order = rng.stream(settings.seed, "batches", version, client, 0).permutation(len(held))
        for step, at in enumerate(range(0, len(held), settings.client.batch)):
            chosen = held[order[at : at + settings.client.batch]]
            keys = rng.stream(settings.seed, "dropout", version, client, step)
            keys = keys.integers(-(2**31), 2**31, len(chosen), dtype=np.int32)
            adapter.rows.keys = torch.from_numpy(keys)
            adapter.write(torch.from_numpy(params))
            adapter.model.zero_grad()
            with adapter.training(base_dropout=False):
                output = adapter.model(**task.train.batch(chosen, torch.device("cpu")))
            logits, labels = output.logits, torch.from_numpy(task.train.labels[chosen])
            torch.nn.functional.cross_entropy(logits, labels).backward()
            gradient = np.concatenate([p.grad.numpy().ravel() for p in adapter.parameters])
            velocity = np.float32(settings.client.momentum) * velocity + gradient
            params = params - np.float32(settings.client.lr) * velocity
    return start - params


def test_a_round_is_the_ten_steps_of_the_paper(make):
    """Transcribed from PAPER.md, step by step, taking from flasc only model and draws."""
    down, up, lr, decay = 0.25, 0.0625, 0.01, 0.01
    trainer = make({"kind": "flasc", "down": down, "up": up})
    shadow = make({"kind": "flasc", "down": down, "up": up})
    p = trainer.params.numpy().astype(np.float32).copy()
    m, v = np.zeros_like(p), np.zeros_like(p)
    for t, cohort in enumerate(COHORTS):
        mask = top(p, down)
        deltas = []
        for client in cohort:
            start = np.where(mask, p, np.float32(0))
            delta = local_delta(shadow, start, client, t)
            deltas.append(np.where(top(delta, up), delta, np.float32(0)))
        g = np.mean(deltas, axis=0)
        p = p - np.float32(lr * decay) * p
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g * g
        m_hat, v_hat = m / (1 - 0.9 ** (t + 1)), v / (1 - 0.999 ** (t + 1))
        p = (p - lr * m_hat / (np.sqrt(v_hat) + 1e-8)).astype(np.float32)

        play(trainer, [cohort])
        got = trainer.params.numpy()
        # Adam divides by sqrt(v): where |g| is near the float's noise, so is its quotient.
        assert np.abs(got - p).max() <= 1e-5 * np.abs(p).max()
        shadow.adapter.write(torch.from_numpy(np.where(mask, got, np.float32(0))))
        with torch.inference_mode():
            batch = trainer.task.validation.batch(np.arange(60), torch.device("cpu"))
            right = (shadow.adapter.model(**batch).logits.argmax(-1) == batch["labels"]).sum()
        assert trainer.evaluate("validation").accuracy == int(right) / 60
        p = got.copy()  # so that rounding does not decide later masks


def test_the_transcription_can_fail(make):
    trainer, other = make("lora"), make("lora", client=config.Client(lr=0.0501))
    start = trainer.params.numpy().copy()
    (upload,) = trainer.train([trainer.download(1)])
    sent = codec.decode(upload.content, n=trainer.adapter.n).to_dense()
    right, wrong = (local_delta(t, start, 1, 0) for t in (trainer, other))
    assert np.abs(sent - right).max() < 1e-6 < np.abs(sent - wrong).max()


def test_density_one_is_dense_lora_to_the_bit(make):
    dense, flasc = make("lora"), make({"kind": "flasc", "down": 1.0, "up": 1.0})
    ours, theirs = play(flasc), play(dense)
    assert [m.content for m in ours] == [m.content for m in theirs]
    assert torch.equal(flasc.params, dense.params)
    assert flasc.evaluate("test") == dense.evaluate("test")


def test_flasc_sends_exactly_k_of_the_largest(make):
    trainer = make({"kind": "flasc", "down": 0.25, "up": 0.0625})
    n = trainer.adapter.n
    play(trainer, COHORTS[:1])
    download = codec.decode(trainer.download(1).content, n=n)
    np.testing.assert_array_equal(
        download.indices, np.flatnonzero(top(trainer.params.numpy(), 0.25))
    )
    (upload,) = trainer.train([trainer.download(1)])
    decoded = codec.decode(upload.content, n=n)
    delta = local_delta(trainer, download.to_dense(), 1, 1)
    np.testing.assert_array_equal(decoded.indices, np.flatnonzero(top(delta, 0.0625)))


def test_sparse_adapter_is_dense_once_and_then_stays_inside_its_mask(make):
    trainer = make({"kind": "sparse_adapter", "density": 0.3})
    n = trainer.adapter.n
    first = play(trainer, COHORTS[:1])
    assert all(m.nbytes == 12 + 4 * n for m in first)
    mask = top(trainer.params.numpy(), 0.3)
    for cohort in COHORTS[1:]:
        downloads = [trainer.download(c) for c in cohort]
        for download, upload in zip(downloads, trainer.train(downloads), strict=True):
            got = codec.decode(download.content, n=n)
            np.testing.assert_array_equal(got.indices, np.flatnonzero(mask))
            assert upload.nbytes == 12 + 4 * mask.sum()  # values alone: the mask is known
            assert download.nbytes > upload.nbytes
        trainer.aggregate(trainer.train(downloads), [0.5] * len(cohort))


@pytest.mark.parametrize("density", [0.98, 1.0])
def test_a_nearly_full_mask_still_reaches_the_client(make, density):
    """Dense would be shorter here, and would lose where the mask is."""
    trainer = make({"kind": "sparse_adapter", "density": density})
    play(trainer)
    got = codec.decode(trainer.download(0).content, n=trainer.adapter.n)
    count = trainer.adapter.n if got.indices is None else len(got.indices)
    assert count == int(trainer.adapter.n * density)


def test_half_precision_rounds_what_clients_start_from(make):
    exact, rounded = make("lora"), make("lora", wire=Wire(values="fp16"))
    assert rounded.download(0).nbytes < 0.51 * exact.download(0).nbytes
    decoded = codec.decode(rounded.download(0).content, n=rounded.adapter.n).to_dense()
    halved = rounded.params.numpy().astype(np.float16).astype(np.float32)
    np.testing.assert_array_equal(decoded, halved)
    ours, theirs = (t.train([t.download(1)])[0].content for t in (rounded, exact))
    assert ours != theirs


LORAS = [
    "lora",
    {"kind": "flasc", "down": 0.25, "up": 0.0625},
    {"kind": "sparse_adapter", "density": 0.25},
]
WIRES = [
    {"values": "int8"},
    {"values": "int4", "rounding": "stochastic"},
    {"values": "fp16", "up": {"values": "int8", "rounding": "stochastic"}},
]


@pytest.mark.parametrize("wire", WIRES, ids=str)
@pytest.mark.parametrize("method", LORAS, ids=str)
class TestEveryWire:
    def test_the_server_steps_by_what_it_decodes(self, make, method, wire):
        server = config.FedAvg(kind="fedavg")
        trainer = make(method, wire=Wire.model_validate(wire), server=server)
        play(trainer, COHORTS[:1])
        n, before = trainer.adapter.n, trainer.params.numpy().copy()
        support = codec.decode(trainer.download(1).content, n=n).indices
        (upload,) = trainer.train([trainer.download(1)])
        trainer.aggregate([upload], [1.0])
        sent = codec.decode(upload.content, n=n, support=support).to_dense()
        np.testing.assert_array_equal(trainer.params.numpy(), before - sent)

    def test_bytes_are_those_of_the_format(self, make, method, wire):
        trainer = make(method, wire=Wire.model_validate(wire))
        n = trainer.adapter.n
        (upload,) = trainer.train([trainer.download(1)])
        support = codec.decode(trainer.download(1).content, n=n).indices
        for message, way in ((trainer.download(1), "down"), (upload, "up")):
            dtype, _ = trainer.settings.wire.way(way)
            assert message.content[3] >> 4 == codec.DTYPES.index(dtype)
            decoded = codec.decode(message.content, n=n, support=support)
            assert message.value_bytes == codec.value_bytes(len(decoded.values), dtype)
            if decoded.indices is not None and message.content[3] & 15 != 4:
                assert message.nbytes == codec.size(decoded.indices, n, dtype=dtype)

    def test_draws_follow_from_round_and_client_alone(self, make, method, wire):
        wire = Wire.model_validate(wire)
        trainer, restored = (make(method, wire=wire) for _ in range(2))
        play(trainer, COHORTS[:2])
        restored.restore(trainer.snapshot())
        together = trainer.train([trainer.download(c) for c in (4, 1, 2)])
        alone = [restored.train([restored.download(c)])[0] for c in (2, 1, 4)][::-1]
        assert [u.content for u in alone] == [u.content for u in together]
        assert restored.download(0).content == trainer.download(0).content


@pytest.mark.parametrize("down", ["fp16", "int8", "int4"])
def test_clients_start_from_what_they_decode(make, down):
    """And their update is relative to it, whatever the server itself has."""
    trainer, shadow = make("lora", wire=Wire(down={"values": down})), make("lora")
    play(trainer, COHORTS[:1])
    download = trainer.download(1)
    (upload,) = trainer.train([download])
    start, sent = (
        codec.decode(m.content, n=shadow.adapter.n).to_dense() for m in (download, upload)
    )
    lost = np.abs(start - trainer.params.numpy()).max()
    assert np.abs(sent - local_delta(shadow, start, 1, 1)).max() < 1e-6 < lost


def test_seeds_and_rounds_draw_other_roundings(make):
    wire = Wire(values="int4", rounding="stochastic")
    first, other = make("head", wire=wire), make("head", wire=wire, seed=1)
    other.restore(first.snapshot())
    assert first.download(0).content != other.download(0).content
    before = first.download(0).content
    snapshot = first.snapshot() | {"version": np.array(1)}
    first.restore(snapshot)
    assert first.download(0).content != before


def test_training_learns(make):
    trainer = make("full", client=config.Client(lr=0.1, epochs=8), server=config.AdamW(lr=3e-3))
    before = trainer.evaluate("validation")
    play(trainer, [[0, 1, 2, 4, 5, 6]] * 12)
    after = trainer.evaluate("validation")
    assert after.loss < 0.9 * before.loss
    assert after.accuracy > before.accuracy + 0.1


def test_rates_far_too_high_are_said_to_diverge(make):
    trainer = make("full", client=config.Client(lr=1e30))
    with pytest.raises(DivergedError, match="client 1 diverged in round 1"):
        trainer.train([trainer.download(1)])


def test_seeds_name_everything_that_is_drawn(make):
    first, again, other = make("lora"), make("lora"), make("lora", seed=1)
    assert torch.equal(first.params, again.params)
    assert not torch.equal(first.params, other.params)
    before = torch.get_rng_state()
    play(first, COHORTS[:1])
    assert torch.equal(torch.get_rng_state(), before)  # nothing is drawn from the global stream


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU to be had")
def test_a_gpu_that_is_not_there_is_said_in_one_line():
    with pytest.raises(ModelError, match="found no GPU") as error:
        pick_device("cuda")
    assert "--device cpu" in error.value.hint
    assert pick_device("auto").type == "cpu"


class Full:
    """An operation that finds no memory: calls it, holds a large tensor and fails."""

    def __init__(self, error):
        self.error, self.held = error, None

    def __call__(self, *args, **keys):
        held = torch.ones(1000)
        self.held = weakref.ref(held)
        raise self.error


NO_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has 1 GiB."),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 99 bytes."),
    MemoryError(),
]
WORK = {
    "cohort": ({}, lambda t: t.train([t.download(1), t.download(4)])),
    "a piece of a helper": ({}, lambda t: t.work(Part(t.params, "test", np.arange(9)))),
    "evaluation": ({}, lambda t: t.evaluate("validation")),
    "reference": ({"engine": "reference"}, lambda t: t.train([t.download(1)])),
    "reference evaluation": ({"engine": "reference"}, lambda t: t.evaluate("test")),
    "full": ({"method": "full"}, lambda t: t.train([t.download(1)])),
    "saliency": (
        {"method": {"kind": "sparse_adapter", "density": 0.3, "score": "snip", "dense_rounds": 0}},
        lambda t: t.train([t.download(1)]),
    ),
}


@pytest.mark.parametrize("error", NO_MEMORY, ids=["GPU", "CPU", "Python"])
@pytest.mark.parametrize("work", WORK)
def test_memory_that_runs_out_is_one_clear_error(make, work, error, monkeypatch):
    keys, does = WORK[work]
    trainer, fails = make(**{"method": "lora", **keys}), Full(error)
    for name in ("layer_norm", "embedding"):
        monkeypatch.setattr(torch.nn.functional, name, fails)
    freed = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: freed.append(fails.held() is None))
    with pytest.raises(ModelError, match=r"^memory ran out while .*(training|evaluating)") as found:
        does(trainer)
    assert "task.tokens" in found.value.hint
    assert freed == [True]  # the tensors of the failed step were gone


def test_memory_that_runs_out_while_loading_is_told_too(make, monkeypatch):
    settings, shared = make("lora").settings, SharedModels()
    monkeypatch.setattr(shared, "task", Full(MemoryError()))
    with pytest.raises(ModelError, match="memory ran out while loading data and model"):
        make_trainer(settings, device="cpu", shared=shared)


def test_other_errors_of_torch_are_not_about_memory(make, monkeypatch):
    trainer = make("lora")
    monkeypatch.setattr(torch.nn.functional, "layer_norm", Full(RuntimeError("a bug")))
    with pytest.raises(RuntimeError, match="a bug"):
        trainer.evaluate("test")


def test_a_schedule_counts_server_steps_also_after_a_restart_and_with_stale_updates(make):
    """Asynchronous: a step per update, some of them computed from an older version."""
    schedule = Cosine(kind="cosine", rounds=4, warmup=2)
    server = config.FedAvg(kind="fedavg", lr=0.5, schedule=schedule)
    trainer = make("lora", server=server)
    uploads = trainer.train([trainer.download(client) for client in (1, 2, 4)])
    for step, upload in enumerate(uploads):
        before = trainer.params.clone()
        restarted = make("lora", server=server)
        restarted.restore(trainer.snapshot())
        for one in (trainer, restarted):
            one.aggregate([upload], [1.0])
        delta = torch.from_numpy(codec.decode(upload.content, n=trainer.adapter.n).to_dense())
        rate = 0.5 * min(1, (step + 1) / 2) * (1 + np.cos(np.pi * step / 4)) / 2
        torch.testing.assert_close(before - trainer.params, rate * delta, rtol=1e-3, atol=1e-6)
        assert torch.equal(trainer.params, restarted.params)


def test_evaluation_alone_may_be_bf16(make):
    """Training keeps every bit; the score is near, and is not the one in fp32."""
    plain, half = make("lora"), make("lora", evaluation_precision="bf16")
    for trainer in (plain, half):
        trainer.aggregate(trainer.train([trainer.download(0), trainer.download(1)]), [0.5, 0.5])
    assert torch.equal(plain.params, half.params)
    scores = plain.evaluate("validation"), half.evaluate("validation")
    assert scores[0].loss != scores[1].loss
    assert scores[1].loss == pytest.approx(scores[0].loss, rel=2e-2)


def test_the_reference_engine_does_not_evaluate_in_bf16(make):
    with pytest.raises(ModelError, match="found precision bf16: the reference engine"):
        make("lora", engine="reference", evaluation_precision="bf16")
