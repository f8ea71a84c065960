"""Losses against transformers' own, metrics against their definitions written out."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from transformers import GPT2Config, GPT2LMHeadModel, ViTConfig, ViTForImageClassification

from flasc.data.examples import Examples
from flasc.data.objective import IGNORED, MacroF1, MultiLabel, NextToken, Perplexity, SingleLabel
from flasc.models.adapter import Adapter
from flasc.models.settings import Lora
from flasc.training import client, settings
from flasc.training.client import Draw, Job
from flasc.training.cohort import Cohort, supported

SETTINGS = settings.Client(lr=0.01, batch=4)
bits = st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=6)


def many_labels(n=12, seed=0):
    """A small ViT, its adapter, and pictures with any number of four labels."""
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        base = ViTForImageClassification(
            ViTConfig(
                hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48,
                image_size=8, patch_size=4, num_channels=1, num_labels=4,
                problem_type=MultiLabel().problem,
            )
        )  # fmt: skip
        adapter = Adapter(base.eval(), Lora(rank=4), "adapter")
    pixels = rng.standard_normal((n, 1, 8, 8), np.float32)
    return adapter, Examples({"pixel_values": pixels}, rng.integers(0, 2, (n, 4)).astype("f4"))


def next_tokens(n=12, length=9, seed=0):
    """A small GPT-2, its adapter, and texts of unequal length."""
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        base = GPT2LMHeadModel(
            GPT2Config(vocab_size=30, n_embd=32, n_layer=2, n_head=2, n_positions=length)
        )
        adapter = Adapter(base.eval(), Lora(rank=4), "adapter")
    ids = rng.integers(0, 30, (n, length)).astype(np.int32)
    mask = np.arange(length) < rng.integers(1, length + 1, n)[:, None]
    labels = np.where(mask, ids, IGNORED).astype(np.int64)
    return adapter, Examples({"input_ids": ids, "attention_mask": mask}, labels)


def moved(adapter, scale=0.3):
    generator = torch.Generator().manual_seed(1)
    return adapter.read() + scale * torch.randn(adapter.n, generator=generator)


def test_single_label():
    logits = torch.tensor([[2.0, 0.0, 0.0], [0.0, 0.0, 3.0]])
    labels = torch.tensor([0, 1])
    losses = SingleLabel().losses(logits, labels)
    expected = [np.log(np.exp(2) + 2) - 2, np.log(np.exp(3) + 2)]
    np.testing.assert_allclose(losses, expected, rtol=1e-6)
    assert SingleLabel().tally(logits, labels).tolist() == [[1, 1], [0, 1], [0, 0]]


@given(bits, bits)
def test_micro_f1_is_that_of_precision_and_recall(said, true):
    n = min(len(said), len(true))
    p, t = np.array(said[:n]), np.array(true[:n])
    # A probability of just 0.5 counts as said.
    logits = torch.from_numpy(np.where(p, 0.0, -1e-3))
    ((found, of),) = MultiLabel().tally(logits, torch.from_numpy(t.astype("f4")))
    hits = (p & t).sum()
    if not hits:
        assert found == 0
        return
    precision, recall = hits / p.sum(), hits / t.sum()
    assert found / of == pytest.approx(2 * precision * recall / (precision + recall))


def test_many_labels_are_scored_as_transformers_trains_them():
    adapter, data = many_labels()
    adapter.write(moved(adapter))
    batch = data.batch(np.arange(12), torch.device("cpu"))
    with torch.inference_mode():
        output = adapter.model(**batch)
    losses = MultiLabel().losses(output.logits, batch["labels"])
    torch.testing.assert_close(losses.mean(), output.loss)


def test_the_cohort_engine_trains_and_scores_many_labels_as_the_reference_does():
    adapter, data = many_labels()
    assert supported(adapter, SETTINGS)
    start = moved(adapter)
    held = [np.arange(5), np.arange(5, 12)]
    jobs = [Job(start, mine, None, Draw(0, 0, i)) for i, mine in enumerate(held)]
    judge = client.Reference(adapter, SETTINGS, MultiLabel())
    judged = judge.train(jobs, data)
    for group in (1, 2):
        engine = Cohort(adapter, SETTINGS, "fp32", group, MultiLabel())
        for one, other in zip(engine.train(jobs, data), judged, strict=True):
            assert (one.delta - other.delta).norm() < 1e-5 * other.delta.norm()
    right, of, loss = judge.score(start, data, 10)
    assert 0 < right < of
    assert engine.score(start, data, 10) == (right, of, pytest.approx(loss, rel=1e-5))


def test_padding_neither_trains_nor_counts():
    """A token is scored by the one before it, in plain numpy; padding may be anything."""
    adapter, data = next_tokens()
    judge = client.Reference(adapter, SETTINGS, NextToken())
    vector = moved(adapter)
    adapter.write(vector)
    with torch.inference_mode():
        batch = data.batch(np.arange(12), torch.device("cpu"))
        logs = adapter.model(**batch).logits.log_softmax(-1).numpy()
    ids, mask = data.features["input_ids"], data.features["attention_mask"]
    right = of = 0
    losses = np.zeros(12)
    for row in range(12):
        asked = [t for t in range(1, 9) if mask[row, t]]
        of += len(asked)
        right += sum(logs[row, t - 1].argmax() == ids[row, t] for t in asked)
        losses[row] = -np.mean([logs[row, t - 1, ids[row, t]] for t in asked]) if asked else 0
    assert judge.score(vector, data, 12) == (right, of, pytest.approx(losses.sum(), rel=1e-5))

    other = np.where(mask, ids, (ids + 7) % 30)
    moved_padding = Examples({"input_ids": other, "attention_mask": mask}, data.labels)
    assert judge.score(vector, moved_padding, 12) == (right, of, pytest.approx(losses.sum()))
    job = Job(vector, np.arange(8), None, Draw(0, 0, 0))
    one, again = (judge.train([job], d)[0].delta for d in (data, moved_padding))
    torch.testing.assert_close(one, again)
    assert one.norm() > 0


def test_a_language_model_is_left_to_the_reference():
    adapter, _ = next_tokens()
    assert not supported(adapter, SETTINGS)
    assert {span.part for span in adapter.spans} == {"lora_A", "lora_B"}


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=20))
def test_macro_f1_is_the_mean_of_the_classes(pairs):
    true = np.array([t for t, _ in pairs], np.int64)
    said = np.array([s for _, s in pairs], np.int64)
    logits = torch.nn.functional.one_hot(torch.from_numpy(said), 4).float()
    half = len(pairs) // 2
    tally = sum(
        MacroF1().tally(logits[part], torch.from_numpy(true[part]))
        for part in (slice(None, half), slice(half, None))
    )
    by_class = []
    for c in set(true.tolist()) | set(said.tolist()):
        hits = ((true == c) & (said == c)).sum()
        precision = hits / (said == c).sum() if (said == c).any() else 0
        recall = hits / (true == c).sum() if (true == c).any() else 0
        by_class.append(2 * precision * recall / (precision + recall) if hits else 0)
    expected = np.mean(by_class) if by_class else 0.0
    assert MacroF1().value(tally) == pytest.approx(expected)
    assert tally[:, 1].sum() == len(pairs)


def test_perplexity_is_that_of_all_tokens_whatever_their_batches():
    adapter, data = next_tokens()
    batch = data.batch(np.arange(12), torch.device("cpu"))
    labels = batch.pop("labels")
    with torch.inference_mode():
        logits = adapter.model(**batch).logits
    targets, flat = labels[:, 1:].flatten(), logits[:, :-1].flatten(0, 1)
    expected = torch.nn.functional.cross_entropy(flat, targets, ignore_index=IGNORED).exp()
    for cuts in ([0, 12], [0, 5, 12], [0, 1, 2, 12]):
        tally = sum(
            Perplexity().tally(logits[a:b], labels[a:b]) for a, b in itertools.pairwise(cuts)
        )
        assert Perplexity().value(tally) == pytest.approx(float(expected), rel=1e-5)
    bad = Perplexity().tally(logits * math.nan, labels)
    assert math.isfinite(Perplexity().value(bad))


def test_an_evaluation_of_a_large_vocabulary_is_cut(monkeypatch):
    adapter, data = next_tokens(n=70)
    engine = client.Reference(adapter, SETTINGS, NextToken())
    assert [len(part) for part in engine.parts(data, 70)] == [64, 6]
    vector = moved(adapter)
    whole = engine.score(vector, data, 70)
    monkeypatch.setattr(client, "EVALUATION_LOGITS", 30 * 9 * 20 + 1)
    assert [len(part) for part in engine.parts(data, 70)] == [20, 20, 20, 10]
    assert engine.score(vector, data, 70) == pytest.approx(whole)
