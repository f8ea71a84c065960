"""Methods whose clients differ: who is in which tier, and what each tier gets."""

import itertools
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

from flasc import codec
from flasc.methods.base import ReceivedModel, VectorLayout
from flasc.methods.het_lora import HetLoraMethod
from flasc.methods.tiers import deal
from flasc.models.settings import Lora
from flasc.training import settings as config
from flasc.training.client import Draw, Job

RANKS = [{"share": 1, "rank": 1}, {"share": 1, "rank": 2}, {"share": 1, "rank": 4}]
FEDAVG = config.FedAvg(kind="fedavg")


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=5), st.integers(1, 60))
def test_everybody_is_in_one_tier_and_counts_are_the_shares(shares, clients):
    dealt = deal(shares, VectorLayout([], 1, 0, clients))
    assert len(dealt) == clients
    for tier, share in enumerate(shares):
        assert abs(dealt.count(tier) - clients * share / sum(shares)) < 1


def test_who_is_where_is_the_seeds():
    thirds = [deal([1, 1, 1], VectorLayout([], 1, seed, 90)) for seed in (0, 0, 1)]
    assert thirds[0] == thirds[1] != thirds[2]
    assert all([tiers.count(i) for i in range(3)] == [30] * 3 for tiers in thirds)


# -- by density


@pytest.mark.parametrize("rank_head", [False, True])
def test_densities_by_tier_and_the_quirk_of_the_head(make, play, rank_head):
    tiers = [{"share": 1, "down": 1 / 4**i, "up": 1 / 4**i} for i in range(3)]
    trainer = make({"kind": "flasc_tiers", "tiers": tiers, "rank_head": rank_head})
    play(trainer)
    n = trainer.adapter.n
    head = np.concatenate([[s.part == "head"] * (s.stop - s.start) for s in trainer.adapter.spans])
    magnitude = np.abs(trainer.params.numpy())
    if not rank_head:  # theirs: the whole head, and the top of LoRA alone
        magnitude = np.where(head, np.inf, magnitude)
    downloads = [trainer.download(client) for client in range(7)]
    assert sorted({d.tier for d in downloads}) == [0, 1, 2]
    for download, upload in zip(downloads, trainer.train(downloads), strict=True):
        density = 1 / 4**download.tier
        k = int(n * density)
        if not rank_head:
            k = head.sum() + int((n - head.sum()) * density)
        got = codec.decode(download.content, n=n).indices
        order = np.lexsort((np.arange(n), -magnitude))
        np.testing.assert_array_equal(np.arange(n) if got is None else got, np.sort(order[:k]))
        sent = codec.decode(upload.content, n=n).indices  # ranked over everything, either way
        assert (n if sent is None else len(sent)) == int(n * density)


def test_tiers_are_scored_through_the_densest(make, play):
    tiers = [{"share": 1, "down": 0.1, "up": 1}, {"share": 1, "down": 1, "up": 0.1}]
    trainer = make({"kind": "flasc_tiers", "tiers": tiers})
    play(trainer)
    whole = make("lora")
    whole.restore({k: v for k, v in trainer.snapshot().items() if k != "round_mask"})
    assert trainer.evaluate("test") == whole.evaluate("test")


# -- by rank


def shapes(adapter):
    """{name: (part, view)} of a vector's spans as matrices, from the model's own parameters."""
    return [
        (span, tuple(p.shape)) for span, p in zip(adapter.spans, adapter.parameters, strict=True)
    ]


def first_ranks(adapter, rank):
    """Mask [n] of the entries that an adapter of a lower rank would have."""
    found = []
    for span, shape in shapes(adapter):
        mask = np.ones(shape, bool)
        if span.part == "lora_A":
            mask[rank:] = False
        elif span.part == "lora_B":
            mask[:, rank:] = False
        found.append(mask.ravel())
    return np.concatenate(found)


def test_a_truncated_tier_sends_what_a_lower_rank_has_and_no_index(make, play):
    trainer = make({"kind": "rank_tiers", "tiers": RANKS})
    play(trainer)
    downloads = [trainer.download(client) for client in range(7)]
    assert {d.tier for d in downloads} == {1, 2, 4}
    for message in [*downloads, *trainer.train(downloads)]:
        mask = first_ranks(trainer.adapter, message.tier)
        lower = make({"kind": "lora", "rank": message.tier}, lora=Lora(rank=message.tier))
        assert message.nbytes == 12 + 4 * mask.sum() == 12 + 4 * lower.adapter.n
        support = np.flatnonzero(mask)
        values = codec.decode(message.content, n=trainer.adapter.n, support=support).values
        if message.answers is None:
            np.testing.assert_array_equal(values, trainer.params.numpy()[mask])
        else:
            assert len(values) == mask.sum()


def test_a_truncated_client_is_a_lora_of_its_rank_at_the_servers_scale(make, play):
    """Scale alpha / r stays that of the server's rank: alpha 16 r_k / 4 at the client's own."""
    tiers = [{"share": 1, "rank": 2}]
    server = make({"kind": "rank_tiers", "tiers": tiers}, lora=Lora(rank=4, dropout=0.0))
    lower = make("lora", lora=Lora(rank=2, alpha=16 * 2 / 4, dropout=0.0))
    mask = torch.from_numpy(first_ranks(server.adapter, 2))
    lower._server.params = server.params[mask].clone()
    lower._contents.clear()
    (ours,), (theirs,) = (t.train([t.download(1)]) for t in (server, lower))
    values = [
        codec.decode(u.content, n=t.adapter.n, support=np.flatnonzero(mask)).values
        for u, t in ((ours, server), (theirs, lower))
    ]
    np.testing.assert_allclose(*values, rtol=1e-4, atol=1e-7)


def test_what_no_tier_has_stays_as_it_was(make, play):
    trainer = make({"kind": "rank_tiers", "tiers": [{"share": 1, "rank": 2}]}, server=FEDAVG)
    before = trainer.params.clone()
    play(trainer)
    mask = torch.from_numpy(first_ranks(trainer.adapter, 2))
    assert torch.equal(trainer.params[~mask], before[~mask])
    assert not torch.equal(trainer.params[mask], before[mask])


def test_ranks_by_norm_are_the_largest_rows_of_a_and_columns_of_b(make, play):
    trainer = make({"kind": "rank_tiers", "by": "norm", "tiers": [{"share": 1, "rank": 2}]})
    for round_ in range(3):
        params, expected = trainer.params.numpy(), []
        for span, shape in shapes(trainer.adapter):
            values = params[span.start : span.stop].reshape(shape)
            keep = np.ones(shape, bool)
            if span.part != "head":
                norms = np.linalg.norm(values, axis=1 if span.part == "lora_A" else 0)
                kept = np.isin(np.arange(4), np.lexsort((np.arange(4), -norms))[:2])
                keep = np.broadcast_to(
                    kept[:, None] if span.part == "lora_A" else kept, shape
                )  # ties, as of B at the start, to the lowest index
            expected.append(keep.ravel())
        mask = np.concatenate(expected)
        download = trainer.download(1)
        got = codec.decode(download.content, n=trainer.adapter.n)
        np.testing.assert_array_equal(got.indices, np.flatnonzero(mask))
        assert download.nbytes > 12 + 4 * mask.sum()  # the choice is told
        (upload,) = trainer.train([download])
        assert upload.nbytes == 12 + 4 * mask.sum()
        play(trainer, [[round_, 4]])


# -- HetLoRA


def products(adapter, vector):
    """B A of each LoRA layer, from the model's own state."""
    adapter.write(vector)
    state = adapter.model.state_dict()
    return [
        state[name.replace(".lora_A.", ".lora_B.")] @ a
        for name, a in state.items() if ".lora_A." in name
    ]  # fmt: skip


@pytest.mark.parametrize("weighting", ["uniform", "norm"])
def test_updates_are_weighed_by_the_norm_of_the_adapter_that_made_them(make, play, weighting):
    keys = {"kind": "het_lora", "tiers": RANKS, "weighting": weighting}
    trainer, shadow = make(keys, server=FEDAVG), make("lora")
    play(trainer)
    before = trainer.params.clone()
    downloads = [trainer.download(client) for client in (4, 1, 2)]
    uploads = trainer.train(downloads)
    norms, deltas = [], []
    for upload in uploads:
        mask = torch.from_numpy(first_ranks(trainer.adapter, upload.tier))
        support = np.flatnonzero(mask.numpy())
        decoded = codec.decode(upload.content, n=trainer.adapter.n, support=support)
        deltas.append(torch.from_numpy(decoded.to_dense()))
        all_layers = products(shadow.adapter, before * mask - deltas[-1])
        norms.append(math.sqrt(sum(float(ba.norm()) ** 2 for ba in all_layers)))
    trainer.aggregate(uploads, [1 / 3] * 3)
    assert max(norms) > 1.01 * min(norms)
    weights = np.full(3, 1 / 3) if weighting == "uniform" else np.array(norms) / sum(norms)
    expected = before - sum(float(w) * d for w, d in zip(weights, deltas, strict=True))
    torch.testing.assert_close(trainer.params, expected, rtol=1e-5, atol=1e-7)


def test_adapters_that_are_all_zero_weigh_as_the_policy_says(make):
    trainer = make({"kind": "het_lora", "tiers": RANKS}, server=FEDAVG)
    uploads = trainer.train([trainer.download(3), trainer.download(3)])  # holds no examples
    before = trainer.params.clone()
    trainer.aggregate(uploads, [0.5, 0.5])
    assert torch.equal(trainer.params, before)


def het(adapter, prune, penalty=0.0):
    tiers = [SimpleNamespace(share=1, rank=4)]
    settings = SimpleNamespace(tiers=tiers, weighting="norm", prune=prune, penalty=penalty)
    return HetLoraMethod(settings, VectorLayout(adapter.spans, 4, 0, 3))


def test_a_client_prunes_itself_where_its_last_ranks_have_shrunk(make):
    adapter = make("lora").adapter
    method = het(adapter, 0.75)
    start = torch.from_numpy(np.random.default_rng(0).standard_normal(adapter.n, np.float32))
    tail = ~torch.from_numpy(first_ranks(adapter, 3))
    got = ReceivedModel(start, None, 0, 4)
    shrunk, grown = (
        method.upload_mask(0.1 * start * tail, got),
        method.upload_mask(-0.1 * start * tail, got),
    )
    assert torch.equal(shrunk, ~tail)
    assert grown is got.down
    assert method.upload_mask(0.1 * start * ~tail, got) is got.down  # what stays does not matter
    assert het(adapter, 1.0).upload_mask(0.1 * start * tail, got) is got.down  # switched off


def test_the_penalty_is_the_gradient_of_the_last_ranks_norms(make):
    adapter = make("lora").adapter
    method, rng = het(adapter, 0.5, penalty=0.3), np.random.default_rng(0)
    vector = torch.from_numpy(rng.standard_normal(adapter.n))
    gradient = method.penalty(ReceivedModel(vector, None, 0, 4))
    found, eps = gradient(vector), 1e-6
    for _ in range(3):
        way = torch.from_numpy(rng.standard_normal(adapter.n))
        ahead, behind = (method._tail(vector + sign * eps * way, 2) for sign in (1, -1))
        assert float(found @ way) == pytest.approx(0.3 * (ahead - behind) / (2 * eps), rel=1e-6)
    assert not found[torch.from_numpy(first_ranks(adapter, 2))].any()
    assert torch.isfinite(gradient(make("lora").params)).all()  # B is zero there
    assert het(adapter, 1.0, penalty=0.3).penalty(ReceivedModel(vector, None, 0, 4)) is None
    assert het(adapter, 0.5).penalty(ReceivedModel(vector, None, 0, 4)) is None


def test_a_penalty_shrinks_the_last_ranks(make):
    trainer = make("lora")
    method = het(trainer.adapter, 0.5, penalty=0.3)
    drawn = np.random.default_rng(0).standard_normal(trainer.adapter.n, np.float32)
    start, held = torch.from_numpy(0.3 * drawn), trainer.task.clients[1]
    penalty = method.penalty(ReceivedModel(start, None, 0, 4))
    jobs = [Job(start, held, None, Draw(0, 0, 1), each) for each in (None, penalty)]
    plain, pressed = trainer.engine.train(jobs, trainer.task.train)
    without, tail = (method._tail(start - one.delta, 2) for one in (plain, pressed))
    assert tail < 0.95 * without


def test_who_has_pruned_itself_stays_at_its_new_rank(make, play, monkeypatch):
    norms = itertools.count()  # what is asked for first, after the training, is less
    monkeypatch.setattr(HetLoraMethod, "_tail", lambda *_: next(norms))
    trainer = make({"kind": "het_lora", "tiers": RANKS[2:], "prune": 0.5}, server=FEDAVG)
    n, size = trainer.adapter.n, {r: int(first_ranks(trainer.adapter, r).sum()) for r in (1, 2, 4)}
    down, up = play(trainer, [[1]])
    assert down.nbytes == 12 + 4 * size[4]
    pruned = codec.decode(up.content, n=n)  # says itself which ranks are left
    np.testing.assert_array_equal(pruned.indices, np.flatnonzero(first_ranks(trainer.adapter, 2)))
    assert [trainer.download(c).tier for c in (0, 1, 2)] == [4, 2, 4]
    assert trainer.download(1).nbytes == 12 + 4 * size[2]
    restored = make({"kind": "het_lora", "tiers": RANKS[2:], "prune": 0.5}, server=FEDAVG)
    restored.restore(trainer.snapshot())
    assert restored.download(1).content == trainer.download(1).content
    play(trainer, [[1], [1]])
    assert trainer.download(1).tier == 1  # and never less
