"""Laws of every split, limits of the Dirichlet, and the reference code's measured losses."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from flasc.common.rng import stream
from flasc.data.partition import (
    PARTITIONS,
    PartitionError,
    dirichlet,
    dirichlet_reference,
    iid,
    largest_remainder,
    log_dirichlet,
    natural,
)

NEWSGROUPS = np.repeat(np.arange(20), 452)  # 9,040 documents: train without validation
ALPHAS = [0.001, 0.01, 0.1, 1.0, 10.0, 1000.0]
EXACT = ["dirichlet", "iid"]


def counts(parts, labels):
    classes = labels.max() + 1
    return np.array([np.bincount(labels[part], minlength=classes) for part in parts])


@st.composite
def deals(draw):
    labels = draw(st.lists(st.integers(-3, 7), min_size=1, max_size=80))
    clients = draw(st.integers(1, len(labels)))
    return np.array(labels), clients, draw(st.sampled_from(ALPHAS)), draw(st.integers(0, 99))


@pytest.mark.parametrize("kind", EXACT)
@given(deal=deals())
def test_every_example_is_used_once_and_nobody_is_empty(kind, deal):
    labels, clients, alpha, seed = deal
    parts = PARTITIONS[kind](labels, clients, alpha, stream(seed, "split"))
    assert len(parts) == clients
    assert all(part.dtype == np.int64 and len(part) for part in parts)
    assert sorted(np.concatenate(parts)) == list(range(len(labels)))
    assert all((np.diff(part) > 0).all() for part in parts)


@given(deal=deals())
def test_the_reference_uses_no_example_twice(deal):
    labels, clients, _, seed = deal
    parts = dirichlet_reference(labels, clients, 1.0, stream(seed, "split"))
    assert len(parts) == clients
    assert all(part.dtype == np.int64 for part in parts)
    used = np.concatenate(parts)
    assert len(set(used.tolist())) == len(used)
    assert set(used.tolist()) <= set(range(len(labels)))


@pytest.mark.parametrize("kind", PARTITIONS)
def test_the_same_stream_deals_the_same(kind):
    first, again, other = (
        PARTITIONS[kind](NEWSGROUPS, 350, 0.1, stream(seed, "split")) for seed in (0, 0, 1)
    )
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("kind", ["dirichlet", "dirichlet_reference"])
def test_a_large_alpha_deals_every_class_evenly(kind):
    shares = counts(PARTITIONS[kind](NEWSGROUPS, 10, 1e7, stream(0, "split")), NEWSGROUPS)
    assert np.abs(shares - 45.2).max() < 1


def test_a_small_alpha_gives_clients_of_one_class():
    for alpha, share in ((1e-3, 0.9), (1e-5, 0.99)):
        table = counts(dirichlet(NEWSGROUPS, 350, alpha, stream(0, "split")), NEWSGROUPS)
        assert np.mean((table > 0).sum(axis=1) == 1) > share


@pytest.mark.parametrize("alpha", [1e-6, 1e-3, 1e9, 1e300])
def test_no_alpha_gives_nan(alpha):
    parts = dirichlet(NEWSGROUPS, 350, alpha, stream(0, "split"))
    assert sum(map(len, parts)) == len(NEWSGROUPS)


def test_labels_may_be_coded_in_any_way():
    codes = np.array([7, -2, 40] * 20)
    plain = np.array([1, 0, 2] * 20)  # the same order of classes
    for kind in PARTITIONS.values():
        a, b = (kind(labels, 5, 0.5, stream(0, "split")) for labels in (codes, plain))
        assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_a_class_is_dealt_shuffled():
    """Else the first clients would hold the oldest documents."""
    parts = dirichlet(np.zeros(1000, int), 10, 1.0, stream(0, "split"))
    assert all(np.ptp(part) > 700 for part in parts if len(part) > 50)


def test_iid_is_even_and_mixed():
    table = counts(iid(NEWSGROUPS, 90, 0.1, stream(0, "split")), NEWSGROUPS)
    assert set(table.sum(axis=1)) <= {100, 101}
    # 90 x 20 cells of about 5: Pearson's chi-squared has mean 1,691 and deviation 58.
    expected = len(NEWSGROUPS) / table.size
    assert abs(((table - expected) ** 2 / expected).sum() - 1691) < 5 * 58


@pytest.mark.parametrize(("alpha", "lost", "tolerance"), [(0.1, 0.02, 0.008), (1000.0, 0.23, 0.01)])
def test_the_reference_loses_what_its_code_was_seen_to_lose(alpha, lost, tolerance):
    used = [
        sum(map(len, dirichlet_reference(NEWSGROUPS, 350, alpha, stream(seed, "split"))))
        for seed in range(5)
    ]
    assert 1 - np.mean(used) / len(NEWSGROUPS) == pytest.approx(lost, abs=tolerance)


def test_the_reference_may_leave_clients_empty():
    labels = np.repeat(np.arange(20), 30)
    assert any(len(part) == 0 for part in dirichlet_reference(labels, 350, 0.1, stream(0, "s")))


def test_the_reference_fails_where_its_code_gives_nan():
    with pytest.raises(PartitionError, match="zero by zero") as caught:
        dirichlet_reference(NEWSGROUPS, 350, 1e-4, stream(0, "split"))
    assert "'dirichlet'" in caught.value.hint


@pytest.mark.parametrize("alpha", [0.1, 1.0])
def test_both_dirichlets_draw_from_the_same_law(alpha):
    """Second moment of a cell, and spread of clients' sizes, over 20 deals each."""

    def moments(kind):
        deals = [kind(NEWSGROUPS, 100, alpha, stream(seed, "m")) for seed in range(20)]
        tables = np.stack([counts(parts, NEWSGROUPS) for parts in deals])
        sizes = tables.sum(axis=2)
        return np.mean(tables**2) / tables.mean() ** 2, sizes.std() / sizes.mean()

    (cell, size), (reference_cell, reference_size) = map(moments, (dirichlet, dirichlet_reference))
    assert cell == pytest.approx(reference_cell, rel=0.05)
    assert size == pytest.approx(reference_size, abs=0.015)


@pytest.mark.parametrize("alpha", [0.01, 0.1, 1.0, 30.0])
def test_log_dirichlet_has_the_moments_of_dirichlet(alpha):
    rows, k = 20_000, 8
    draws = np.exp(log_dirichlet(rows, k, alpha, stream(0, "moments")))
    variance = (1 / k) * (1 - 1 / k) / (k * alpha + 1)
    assert np.allclose(draws.sum(axis=1), 1)
    assert np.abs(draws.mean(axis=0) - 1 / k).max() < 5 * np.sqrt(variance / rows)
    assert draws.var() == pytest.approx(variance, rel=0.02)


def test_an_empty_client_gets_the_last_example_of_the_largest():
    # One class and two clients of three examples at most: whoever has none gets example 2.
    for seed in range(50):
        parts = dirichlet(np.zeros(3, int), 2, 1e-3, stream(seed, "split"))
        assert sorted(map(len, parts)) == [1, 2]
    many = dirichlet(NEWSGROUPS[:400], 400, 0.1, stream(0, "split"))
    assert [len(part) for part in many] == [1] * 400


@given(
    weights=st.lists(st.floats(0, 1, allow_subnormal=False), min_size=1, max_size=30),
    total=st.integers(0, 1000),
)
def test_largest_remainder(weights, total):
    shares = np.array(weights) + 1e-3
    shares /= shares.sum()
    dealt = largest_remainder(shares, total)
    assert dealt.sum() == total
    assert (np.abs(dealt - shares * total) < 1 + 1e-9).all()


def test_largest_remainder_breaks_ties_to_the_lowest():
    assert largest_remainder(np.array([0.25] * 4), 6).tolist() == [2, 2, 1, 1]
    assert largest_remainder(np.array([0.5, 0.3, 0.2]), 4).tolist() == [2, 1, 1]


@pytest.mark.parametrize("kind", PARTITIONS)
@pytest.mark.parametrize("clients", [0, -1, 4])
def test_more_clients_than_examples(kind, clients):
    with pytest.raises(PartitionError, match="allowed: 1 to 3 clients"):
        PARTITIONS[kind](np.array([0, 1, 2]), clients, 1.0, stream(0, "split"))


@pytest.mark.parametrize("alpha", [0.0, -1.0, float("nan"), float("inf"), 1e-9])
@pytest.mark.parametrize("kind", [dirichlet, dirichlet_reference])
def test_alpha_out_of_range(kind, alpha):
    with pytest.raises(PartitionError, match="found alpha"):
        kind(np.array([0, 1, 2]), 2, alpha, stream(0, "split"))


owners = st.lists(st.integers(0, 5), min_size=1, max_size=60).map(np.array)


@given(owners, st.floats(0, 1), st.integers(0, 3))
def test_natural_clients_are_users(owners, pooled, seed):
    """All of a user's examples, once each; pooled ones are dealt evenly over the clients."""
    users = len(set(owners.tolist()))
    parts = natural(owners, users, pooled, stream(seed, "partition"))
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(owners)))
    kept = natural(owners, users, 0.0, stream(seed, "partition"))
    assert all(len(set(owners[part].tolist())) == 1 for part in kept)
    for part, mine in zip(parts, kept, strict=True):
        own = int((1 - pooled) * len(mine))
        assert part[:own].tolist() == mine[:own].tolist()
    dealt = [
        len(p) - int((1 - pooled) * len(m)) if pooled else 0
        for p, m in zip(parts, kept, strict=True)
    ]
    assert max(dealt) - min(dealt) <= 1


def test_more_clients_than_users_are_refused():
    with pytest.raises(PartitionError, match="found 4 clients for 3 users"):
        natural(np.array([0, 1, 2, 1]), 4, 0.0, stream(0, "partition"))
    drawn = natural(np.arange(100), 10, 0.0, stream(0, "partition"))
    assert len({int(part[0]) for part in drawn}) == 10
