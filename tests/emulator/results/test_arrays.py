"""Sums and groups of columns, against plain Python."""

import itertools
import math

import numpy as np
from hypothesis import given, strategies as st

from emulator.results import arrays

WHOLE = st.one_of(st.integers(0, 9), st.integers(0, 2**63 - 1))
SIGNED = st.one_of(st.integers(-3, 3), st.integers(-(2**63), 2**63 - 1))


def ints(values: list[int]) -> arrays.Ints:
    return np.array(values, np.int64)


@given(st.lists(WHOLE))
def test_sums_of_whole_numbers_are_exact(values: list[int]) -> None:
    assert arrays.whole_sum(ints(values)) == sum(values)
    groups = [i % 3 for i in range(len(values))]
    expected = [sum(values[k::3]) for k in range(3)]
    assert arrays.whole_sums(ints(groups), ints(values), 3) == expected


@given(st.lists(st.floats(-1e300, 1e300)))
def test_sums_of_other_numbers_are_correctly_rounded(values: list[float]) -> None:
    assert arrays.exact_sum(np.array(values)) == math.fsum(values)


@given(st.lists(st.tuples(SIGNED, SIGNED), max_size=20))
def test_pairs_have_the_same_key_if_they_are_equal(pairs: list[tuple[int, int]]) -> None:
    keys = arrays.pair_keys(ints([a for a, _ in pairs]), ints([b for _, b in pairs])).tolist()
    for (one, key), (other, key_of_other) in itertools.combinations(
        zip(pairs, keys, strict=True), 2
    ):
        assert (one == other) == (key == key_of_other)


@given(st.lists(st.integers(-2, 2), max_size=20))
def test_groups_end_where_the_next_key_differs(keys: list[int]) -> None:
    order, last = arrays.ends(ints(keys))
    expected = sorted(range(len(keys)), key=keys.__getitem__)
    assert order.tolist() == expected
    groups = [list(group) for _, group in itertools.groupby(expected, keys.__getitem__)]
    assert order[last].tolist() == [group[-1] for group in groups]
    assert order[arrays.starts(last)].tolist() == [group[0] for group in groups]


@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(0, 4)), max_size=12), st.integers(1, 9))
def test_spans_are_all_pairs_in_order(spans: list[tuple[int, int]], at_once: int) -> None:
    expected = [(i, first + k) for i, (first, count) in enumerate(spans) for k in range(count)]
    before, arrays.PAIRS_AT_ONCE = arrays.PAIRS_AT_ONCE, at_once
    try:
        blocks = list(arrays.spans(*(ints([pair[k] for pair in spans]) for k in (0, 1))))
    finally:
        arrays.PAIRS_AT_ONCE = before
    found = [pair for block in blocks for pair in zip(*map(list, block), strict=True)]
    assert found == expected
    assert all(len(index) <= max(at_once, 4) for index, _ in blocks)
