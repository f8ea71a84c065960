"""The cohort engine against its judge, the reference loop: same deltas, whatever the grouping."""

import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from flasc.data.examples import Examples
from flasc.models.adapter import Adapter
from flasc.models.settings import COHORT, Lora
from flasc.training import client, settings
from flasc.training.client import Draw, Job
from flasc.training.cohort import Cohort, forward as lean, supported
from flasc.training.cohort.architectures import ARCHITECTURES
from flasc.training.cohort.forward import Pass
from flasc.training.cohort.merge import merged
from flasc.training.cohort.pack import pack

CLASSES, VOCABULARY, LENGTH, N = 4, 60, 12, 90
SETTINGS = settings.Client(lr=0.01, epochs=2)  # higher, and GPT-2 amplifies rounding
ADAMW = {"optimizer": "adamw", "lr": 1e-3, "weight_decay": 0.1, "warmup": 4, "clip_norm": 0.1}
KINDS = ["bert", "bert everywhere", "gpt2", "gpt2 upright", "vit"]


def bert():
    from transformers import BertConfig, BertForSequenceClassification

    return BertForSequenceClassification(
        BertConfig(
            vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=3, num_attention_heads=2,
            intermediate_size=48, max_position_embeddings=LENGTH, num_labels=CLASSES,
        )
    )  # fmt: skip


def gpt2(**keys):
    from transformers import GPT2Config, GPT2ForSequenceClassification

    last = VOCABULARY - 1
    model = GPT2ForSequenceClassification(
        GPT2Config(
            vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=2, n_positions=LENGTH,
            eos_token_id=last, bos_token_id=last, num_labels=CLASSES, **keys,
        )
    )  # fmt: skip
    model.config.pad_token_id = last
    return model


def vit():
    from transformers import ViTConfig, ViTForImageClassification

    return ViTForImageClassification(
        ViTConfig(
            hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48,
            image_size=16, patch_size=4, num_labels=CLASSES,
        )
    )  # fmt: skip


def linear_names(model, *endings):
    return [
        name for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and name.endswith(endings)
    ]  # fmt: skip


def build(kind, scope="adapter", dropout=0.1, upper=None):
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        targets = None
        if kind.startswith("bert"):
            base = bert()
            if kind == "bert everywhere":
                targets = linear_names(
                    base, "query", "key", "attention.output.dense", "intermediate.dense"
                )
        elif kind.startswith("gpt2"):
            plain = {"scale_attn_by_inverse_layer_idx": True} if kind != "gpt2" else {}
            base = gpt2(**plain)
        else:
            base = vit()
            targets = linear_names(base, "q_proj", "v_proj", "query", "value", "fc2")
        for parameter in base.parameters():  # biases and norms away from zero and one
            parameter.data += 0.05 * torch.randn_like(parameter)
        if upper and targets:
            targets = sorted({name.rsplit(".", 1)[-1] for name in targets})
        lora = Lora(rank=4, dropout=dropout, targets=targets, upper_layers=upper)
        return Adapter(base.eval(), lora, scope)


def examples(kind, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, N)
    if kind == "vit":
        return Examples({"pixel_values": rng.standard_normal((N, 3, 16, 16), np.float32)}, labels)
    lengths = rng.integers(1, LENGTH + 1, N)
    mask = np.arange(LENGTH) < lengths[:, None]
    ids = np.where(mask, rng.integers(0, VOCABULARY, (N, LENGTH)), VOCABULARY - 1)
    ids[:, 0] = 1  # a pad token may stand inside a text, but no text is all padding
    return Examples({"input_ids": ids, "attention_mask": mask}, labels)


def jobs(adapter, seed=3):
    """Unequal clients, one with nothing, one with a mask, from vectors of their own."""
    rng = np.random.default_rng(seed)

    def vector(scale):
        return torch.from_numpy(rng.standard_normal(adapter.n, np.float32)) * scale

    held = np.split(rng.permutation(N), [5, 38, 38, 60])
    start = adapter.read() + vector(0.1)
    trains = vector(1) > 0
    return [
        Job(start + vector(0.05 * (i > 0)), mine, trains if i == 1 else None, Draw(0, 2, i))
        for i, mine in enumerate(held)
    ]


def furthest(found, judged):
    """Largest relative difference of a client's delta."""
    return max(
        float((a.delta - b.delta).norm() / b.delta.norm().clamp(min=1e-12))
        for a, b in zip(found, judged, strict=True)
    )


@pytest.mark.parametrize("kind", KINDS)
class TestAgainstTheReference:
    @pytest.mark.parametrize("keys", [{}, ADAMW], ids=["SGD", "AdamW"])
    def test_deltas_are_equal_with_dropout_on_whatever_the_group(self, kind, keys):
        adapter, data = build(kind), examples(kind)
        work, how = jobs(adapter), SETTINGS.model_copy(update=keys)
        judged = client.Reference(adapter, how).train(work, data)
        for group in (1, 3, len(work)):
            found = Cohort(adapter, how, "fp32", group).train(work, data)
            assert furthest(found, judged) < (1e-4 if keys else 1e-5)  # AdamW amplifies rounding
            assert [one.steps for one in found] == [one.steps for one in judged]

    def test_the_comparison_can_fail(self, kind):
        adapter, data = build(kind), examples(kind)
        work = jobs(adapter)
        judged = client.Reference(adapter, SETTINGS).train(work, data)
        other = [Job(j.start, j.examples, j.trainable, Draw(1, 2, j.draw.client)) for j in work]
        assert furthest(Cohort(adapter, SETTINGS, "fp32").train(other, data), judged) > 1e-2
        dry = build(kind, dropout=0.0)
        assert furthest(Cohort(dry, SETTINGS, "fp32").train(work, data), judged) > 1e-3

    def test_what_may_not_train_stays(self, kind):
        adapter, data = build(kind), examples(kind)
        work = jobs(adapter)
        masked = Cohort(adapter, SETTINGS, "fp32", 9).train(work, data)[1].delta
        assert not masked[~work[1].trainable].any()
        assert masked[work[1].trainable].any()

    def test_scores_are_equal_with_the_adapter_merged(self, kind):
        adapter, data = build(kind), examples(kind)
        vector = jobs(adapter)[0].start
        right, of, loss = client.Reference(adapter, SETTINGS).score(vector, data, 70)
        found = Cohort(adapter, SETTINGS, "fp32").score(vector, data, 70)
        assert found == (right, of, pytest.approx(loss, rel=1e-6))
        assert Cohort(adapter, SETTINGS, "fp32").score(vector, data, 30)[2] < found[2]

    def test_a_head_alone_is_trained_on_what_was_seen_once(self, kind):
        adapter, data = build(kind, "head"), examples(kind)
        work = jobs(adapter)
        judged = client.Reference(adapter, SETTINGS).train(work, data)
        engine = Cohort(adapter, SETTINGS, "fp32", 3)
        assert furthest(engine.train(work, data), judged) < 1e-5
        assert furthest(engine.train(work, data), judged) < 1e-5
        score = client.Reference(adapter, SETTINGS).score(work[0].start, data, 50)
        assert engine.score(work[0].start, data, 50) == (*score[:2], pytest.approx(score[2]))

    def test_a_penalty_adds_to_the_gradient(self, kind):
        adapter, data = build(kind), examples(kind)
        work = [replace(job, penalty=lambda vector: 0.1 * vector) for job in jobs(adapter)]
        judged = client.Reference(adapter, SETTINGS).train(work, data)
        found = Cohort(adapter, SETTINGS, "fp32", 3).train(work, data)
        assert furthest(found, judged) < 1e-5
        without = Cohort(adapter, SETTINGS, "fp32", 3).train(jobs(adapter), data)
        assert furthest(without, judged) > 1e-2

    def test_a_frozen_a_is_not_in_the_vector(self, kind):
        adapter, data = build(kind, "adapter_b"), examples(kind)
        work = jobs(adapter)
        judged = client.Reference(adapter, SETTINGS).train(work, data)
        engine = Cohort(adapter, SETTINGS, "fp32", 3)
        assert furthest(engine.train(work, data), judged) < 1e-5
        right, of, loss = client.Reference(adapter, SETTINGS).score(work[0].start, data, 50)
        found = engine.score(work[0].start, data, 50)
        assert found == (right, of, pytest.approx(loss, rel=1e-6))

    def test_neither_pruning_the_last_block_nor_padding_changes_anything(self, kind):
        adapter, data = build(kind), examples(kind)
        engine = Cohort(adapter, SETTINGS, "fp32")
        leaves = engine._leaves(jobs(adapter)[0].start.unsqueeze(0))
        batch = engine._pack(data, [np.arange(20)])
        rows = Draw(0, 0, 0).rows(0, 20)
        passes = (
            lean.Pass(engine._model, batch, leaves, lean.Dropper(rows, batch.length), prune, padded)
            for padded in (True, False)
            for prune in (False, True)
        )
        whole, *others = (one.classify(one.features(one.embedded())) for one in passes)
        assert kind == "vit" or len(batch.blocks) > 1
        for other in others:
            torch.testing.assert_close(other, whole, rtol=1e-5, atol=1e-6)

    def test_bf16_comes_close_and_masters_stay_float32(self, kind):
        adapter, data = build(kind), examples(kind)
        work = jobs(adapter)
        judged = client.Reference(adapter, SETTINGS).train(work, data)
        found = Cohort(adapter, SETTINGS, "bf16", 3).train(work, data)
        assert all(one.delta.dtype == torch.float32 for one in found)
        assert 1e-5 < furthest(found, judged) < 0.1

    def test_bf16_attends_in_float32_on_a_cpu(self, kind, monkeypatch):
        attend, seen = torch.nn.functional.scaled_dot_product_attention, set()

        def watched(q, *others, **options):
            seen.add(q.dtype)
            return attend(q, *others, **options)

        monkeypatch.setattr(lean.F, "scaled_dot_product_attention", watched)
        adapter, data = build(kind), examples(kind)
        engine = Cohort(adapter, SETTINGS, "bf16", 3)
        engine.train(jobs(adapter), data)
        assert seen == {torch.float32}
        assert engine._model.blocks[0].qkv.weight.dtype == torch.bfloat16

    @pytest.mark.parametrize("limit", [1 << 29, 20_000, 0])
    def test_lower_layers_are_run_once_whatever_is_kept(self, kind, limit, monkeypatch):
        monkeypatch.setattr("flasc.training.cohort.engine.LOWER_BYTES", limit)
        adapter, data = build(kind, upper=1), examples(kind)
        work = jobs(adapter)
        reference = client.Reference(adapter, SETTINGS)
        judged = reference.train(work, data)
        engine, fresh = (Cohort(adapter, SETTINGS, "fp32") for _ in range(2))
        runs = []
        monkeypatch.setattr(engine, "_run_below", lambda *a: runs.append(a) or real(*a))
        real = fresh._run_below
        for _ in range(2):
            found = engine.train(work, data)
            assert furthest(found, judged) < 1e-5
        again = Cohort(adapter, SETTINGS, "fp32").train(work[::-1], data)[::-1]
        assert all(torch.equal(a.delta, b.delta) for a, b in zip(found, again, strict=True))
        assert furthest(Cohort(adapter, SETTINGS, "fp32", 3).train(work, data), judged) < 1e-5
        right, of, loss = reference.score(work[0].start, data, 70)
        for _ in range(2):
            found = engine.score(work[0].start, data, 70)
            assert found == (right, of, pytest.approx(loss, rel=1e-6))
        units = len({job.examples.tobytes() for job in work}) + len(engine.parts(data, 70))
        assert len(runs) == units if limit == 1 << 29 else len(runs) > units
        assert engine._memory.nbytes <= limit


@pytest.mark.parametrize("kind", ["bert", "gpt2", "vit"])
def test_training_and_scores_start_above_remembered_layers(kind, monkeypatch):
    adapter, data = build(kind, upper=1), examples(kind)
    engine, work, blocks = Cohort(adapter, SETTINGS, "fp32"), jobs(adapter), []
    for name in ("_block", "_pruned"):
        real = getattr(Pass, name)
        monkeypatch.setattr(
            Pass, name, lambda one, *args, real=real: blocks.append(1) or real(one, *args)
        )
    lower = engine._lower
    assert lower == len(engine._model.blocks) - 1 > 0
    first = engine.train(work, data)
    steps = sum(one.steps for one in first)
    blocks.clear()
    again = engine.train(work, data)
    assert len(blocks) == steps  # one block per step: those below are remembered
    assert all(torch.equal(a.delta, b.delta) for a, b in zip(first, again, strict=True))
    engine.score(work[0].start, data, 70)
    blocks.clear()
    engine.score(work[0].start, data, 70)
    assert len(blocks) == len(engine.parts(data, 70))


def test_memory_that_runs_out_halves_the_group(monkeypatch):
    adapter, data = build("bert"), examples("bert")
    work = jobs(adapter)
    judged = client.Reference(adapter, SETTINGS).train(work, data)
    engine = Cohort(adapter, SETTINGS, "fp32", group=5)
    real, tried, held, freed = engine._train_group, [], [], []

    def small(group, data):
        tried.append(len(group))
        if len(group) > 2:
            step = torch.ones(1000)
            held.append(weakref.ref(step))
            raise torch.cuda.OutOfMemoryError("no")
        return real(group, data)

    monkeypatch.setattr(engine, "_train_group", small)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: freed.append(held[-1]() is None))
    assert furthest(engine.train(work, data), judged) < 1e-5
    assert tried == [5, 3, 2, 2, 1]
    assert freed == [True, True]  # the tensors of the failed step were gone


def test_memory_that_does_not_hold_one_client_is_said(monkeypatch):
    engine = Cohort(build("bert"), SETTINGS, "fp32")

    def none(group, data):
        raise torch.cuda.OutOfMemoryError("no")

    monkeypatch.setattr(engine, "_train_group", none)
    with pytest.raises(torch.cuda.OutOfMemoryError):
        engine.train(jobs(engine.adapter), examples("bert"))


def test_merging_leaves_the_frozen_weights_alone():
    adapter = build("gpt2")
    engine = Cohort(adapter, SETTINGS, "fp32")
    before = [block.qkv.weight.clone() for block in engine._model.blocks]
    found = merged(engine._model, jobs(adapter)[0].start)
    for block, weight, new in zip(engine._model.blocks, before, found.blocks, strict=True):
        assert torch.equal(block.qkv.weight, weight)
        assert not torch.equal(new.qkv.weight, weight)
        assert not new.qkv.sites


def test_its_architectures_are_known_without_torch():
    assert set(COHORT) == set(ARCHITECTURES)


def test_what_the_lean_forward_does_not_know_is_left_to_the_reference():
    assert supported(build("bert"), SETTINGS)
    assert not supported(build("bert", "all"), SETTINGS)
    assert not supported(build("bert"), settings.Client(base_dropout=True))


def test_only_real_tokens_are_packed():
    data = examples("bert")
    batch = pack(data, [np.array([3, 4]), np.array([9])], torch.device("cpu"))
    mask = data.features["attention_mask"][[3, 4, 9]]
    assert len(batch.row) == mask.sum()
    assert batch.length == mask.sum(1).max()
    assert batch.read_runs == ((0, 2), (2, 3))
    assert batch.token_runs == ((0, mask[:2].sum()), (mask[:2].sum(), mask.sum()))
    assert torch.equal(batch.inputs["input_ids"].flatten()[batch.place], torch.from_numpy(
        data.features["input_ids"][[3, 4, 9]][mask]))  # fmt: skip
    assert batch.token[batch.read].tolist() == [0, 0, 0]


def test_a_causal_model_pools_its_last_token():
    data = examples("gpt2")
    batch = pack(data, [np.arange(N)], torch.device("cpu"), reads="last", pad_token=VOCABULARY - 1)
    ids = data.features["input_ids"]
    last = [max(t for t in range(LENGTH) if row[t] != VOCABULARY - 1) for row in ids]
    assert batch.token[batch.read].tolist() == last
    assert batch.attends.sum(1).tolist() == [t + 1 for t in last]
