import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from flasc.common.errors import DivergedError
from flasc.methods.top_k import count, top_k

DENORMAL = 2.0**-149
LARGEST = float(np.finfo(np.float32).max)
TIED = [0.0, -0.0, DENORMAL, -DENORMAL, 2 * DENORMAL, 1.0, -1.0, LARGEST]
VECTORS = st.one_of(
    hnp.arrays(np.float32, st.integers(1, 80), elements=st.sampled_from(TIED)),
    hnp.arrays(
        np.float32,
        st.integers(1, 80),
        elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
    ),
)


def oracle(values, k):
    """Sort by falling magnitude, then by rising index; keep the first k."""
    magnitudes = np.abs(values).astype(np.float64)
    order = np.lexsort((np.arange(len(values)), -magnitudes))
    mask = np.zeros(len(values), bool)
    mask[order[:k]] = True
    return mask


@given(VECTORS, st.data())
def test_is_the_head_of_a_stable_sort(values, data):
    k = data.draw(st.integers(1, len(values)))
    mask = top_k(torch.from_numpy(values), k)
    assert mask.dtype == torch.bool
    np.testing.assert_array_equal(mask.numpy(), oracle(values, k))


@pytest.mark.parametrize("value", [0.0, -0.0, DENORMAL, -1.0])
def test_ties_go_to_the_lowest_index(value):
    mask = top_k(torch.full((1000,), value), 300)
    assert mask[:300].all()
    assert not mask[300:].any()


def test_zeros_of_both_signs_tie():
    assert top_k(torch.tensor([-0.0, 0.0, -0.0, 0.0]), 1).tolist() == [True, False, False, False]


@pytest.mark.parametrize("k", [1, 3906, 62_500, 249_999, 250_000])
def test_is_exact_where_ties_straddle_the_threshold(k):
    values = np.random.default_rng(k).normal(size=250_000).astype(np.float32).round(1)
    np.testing.assert_array_equal(top_k(torch.from_numpy(values), k).numpy(), oracle(values, k))


def test_denormals_rank_even_where_the_processor_flushes_them():
    values = torch.tensor([0.0, DENORMAL, 2 * DENORMAL])
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor cannot flush denormals")
    try:
        mask = top_k(values, 1)
    finally:
        torch.set_flush_denormal(False)
    assert mask.tolist() == [False, False, True]


def test_reads_any_stride_and_changes_nothing():
    values = torch.arange(20.0, requires_grad=True)
    mask = top_k(values[::2], 2)
    assert mask.nonzero().squeeze(1).tolist() == [8, 9]
    assert torch.equal(values, torch.arange(20.0))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("k", [1, 5])
def test_values_that_are_not_finite_are_divergence(bad, k):
    with pytest.raises(DivergedError, match="1 of 5"):
        top_k(torch.tensor([1.0, 2.0, bad, 3.0, 4.0]), k)


def test_negative_not_a_number_is_divergence():
    with pytest.raises(DivergedError):
        top_k(torch.tensor([1.0, -float("nan")]), 1)


@pytest.mark.parametrize(
    ("n", "density", "k"),
    [(2_374_656, 1, 2_374_656), (2_374_656, 1 / 64, 37_104), (10, 0.55, 5), (100, 1 / 256, 1)],
)
def test_count(n, density, k):
    assert count(n, density) == k


@given(st.integers(1, 2**31), st.floats(0, 1, exclude_min=True))
def test_count_is_one_to_n(n, density):
    assert 1 <= count(n, density) <= n
