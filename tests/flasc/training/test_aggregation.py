"""Weights of updates and entries that were not sent, against formulas written out."""

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

from flasc.training.aggregation import by_examples, combined, over_senders
from flasc.training.settings import Aggregation, FedAvg, Privacy

SENDERS, EXAMPLES = Aggregation(zeros="senders"), Aggregation(weights="examples")
counts = st.lists(st.integers(0, 1000), min_size=1, max_size=6)


@given(counts, st.integers(0, 5))
def test_examples_weigh_as_in_fedavg(examples, seed):
    deltas = [torch.from_numpy(row) for row in np.random.default_rng(seed).normal(size=(6, 8))]
    deltas = deltas[: len(examples)]
    found = combined(EXAMPLES, deltas, [1 / len(deltas)] * len(deltas), [None] * 6, examples)
    if sum(examples):
        wanted = sum(n * d for n, d in zip(examples, deltas, strict=True)) / sum(examples)
    else:
        wanted = sum(deltas) / len(deltas)
    torch.testing.assert_close(found, wanted)


@given(counts, st.data())
def test_the_weights_of_the_policy_keep_their_sum(examples, data):
    positive = st.floats(0.01, 1)
    weights = data.draw(st.lists(positive, min_size=len(examples), max_size=len(examples)))
    found = by_examples(weights, examples)
    assert sum(found) == pytest.approx(sum(weights))
    assert all(new == 0 for new, n in zip(found, examples, strict=True) if not n and sum(examples))


@given(st.integers(1, 6), st.integers(0, 20))
def test_an_entry_is_averaged_over_its_senders(clients, seed):
    rng = np.random.default_rng(seed)
    sent = torch.from_numpy(rng.random((clients, 50)) < 0.4)
    deltas = torch.from_numpy(rng.normal(size=(clients, 50)).astype(np.float32)) * sent
    found = combined(SENDERS, list(deltas), [1 / clients] * clients, list(sent), [1] * clients)
    wanted = deltas.sum(0) / sent.sum(0).clamp(min=1)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("weights", [[1 / 3] * 3, [0.7, 0.1, 0.13]])
def test_where_all_send_everything_the_bits_are_those_of_the_mean(weights):
    deltas = [torch.randn(40, generator=torch.Generator().manual_seed(i)) for i in range(3)]
    supports = [None, torch.ones(40, dtype=torch.bool), None]
    plain = combined(Aggregation(), deltas, weights, supports, [1, 2, 3])
    assert torch.equal(combined(SENDERS, deltas, weights, supports, [1, 2, 3]), plain)


def test_senders_keep_their_weights():
    """By hand: entry 0 from both, entry 1 from the second alone, entry 2 from none."""
    supports = [torch.tensor([True, False, False]), torch.tensor([True, True, False])]
    total = 0.3 * torch.tensor([1.0, 0, 0]) + 0.1 * torch.tensor([5.0, 7.0, 0])
    found = over_senders(total, [0.3, 0.1], supports)
    torch.testing.assert_close(found, torch.tensor([0.8, 0.4 * 7, 0]))


def step(make, method, **keys):
    """What a round of plain averaging subtracts from the vector; its uploads; the trainer."""
    trainer = make(method, server=FedAvg(kind="fedavg"), **keys)
    before = trainer.params.clone()
    uploads = trainer.train([trainer.download(client) for client in (0, 1, 4)])
    trainer.aggregate(uploads, [1 / 3] * 3)
    return before - trainer.params, uploads, trainer


def test_a_round_weighs_clients_by_their_examples(make):
    found, uploads, trainer = step(make, "lora", aggregation=EXAMPLES)
    deltas = [trainer._payload.decode(upload.content)[0] for upload in uploads]
    assert len({upload.examples for upload in uploads}) == 3
    wanted = sum(u.examples * d for u, d in zip(uploads, deltas, strict=True))
    wanted /= sum(upload.examples for upload in uploads)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-7)


def test_a_round_averages_over_senders(make):
    """FLASC's uploads overlap in part: an entry of one sender counts three times as much."""
    method = {"kind": "flasc", "down": 1, "up": 0.25}
    counted, uploads, trainer = step(make, method)
    averaged, *_ = step(make, method, aggregation=SENDERS)
    senders = sum(trainer._payload.decode(upload.content)[1].int() for upload in uploads)
    assert set(senders.unique().tolist()) >= {0, 1, 2}
    torch.testing.assert_close(averaged, counted * 3 / senders.clamp(min=1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("how", [SENDERS, EXAMPLES])
def test_privacy_has_the_plain_mean(make, how):
    dp = Privacy(clip=1.0, noise=1.0, cohort=3)
    with pytest.raises(AssertionError, match="the accountant assumes"):
        step(make, "lora", aggregation=how, dp=dp)


def test_defaults_are_not_in_the_digest(make):
    settings = make("lora").settings.model_dump(mode="json")
    assert "aggregation" not in settings
    named = make("lora", aggregation=SENDERS).settings.model_dump(mode="json")
    assert named == settings | {"aggregation": {"weights": "uniform", "zeros": "senders"}}
