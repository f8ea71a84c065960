"""Sums and groups of the columns of rows."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

PAIRS_AT_ONCE = 1_000_000  # about 50 MB of arrays
LARGEST = 2**63 - 1
EXACT = 2**53  # below it, sums of whole numbers in float64 are exact


def summable(values: Ints) -> NDArray[np.int64] | NDArray[np.object_]:
    """Return the values, not negative, in a type in which no sum of them overflows."""
    if len(values) and int(values.max()) * len(values) > LARGEST:
        return values.astype(object)
    return values


def whole_sum(values: Ints) -> int:
    """Return the exact sum of whole numbers that are not negative."""
    return int(summable(values).sum())


def exact_sum(values: Floats) -> float:
    """Return the correctly rounded sum; it does not depend on the order of the values."""
    return math.fsum(values.tolist())


def pair_keys(first: Ints, second: Ints) -> NDArray[Any]:
    """Return a whole number for each pair, the same for equal pairs only."""
    if not len(first):
        return first
    factor = 2 * max(abs(int(second.min())), abs(int(second.max()))) + 1
    if (max(abs(int(first.min())), abs(int(first.max()))) + 1) * factor > LARGEST:
        return first.astype(object) * factor + second
    return first * factor + second


def ends(keys: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return an order that groups equal keys, and where in it a group ends: bool [keys].

    The order within a group is that of the keys.
    """
    order = np.argsort(keys, kind="stable")
    in_order = keys[order]
    last = np.ones(len(order), bool)
    last[:-1] = in_order[1:] != in_order[:-1]
    return order, last


def starts(last: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the index at which each group begins, from where groups end."""
    return np.concatenate([[0], np.flatnonzero(last)[:-1] + 1]) if len(last) else np.zeros(0, int)


def spans(first: Ints, count: Ints) -> Iterator[tuple[Ints, Ints]]:
    """Yield each index i of `first` with each of first[i], first[i] + 1, ..., `count[i]` of them.

    The pairs come as two arrays, in blocks of about PAIRS_AT_ONCE.
    """
    until = np.cumsum(count)
    start = 0
    while start < len(count):
        done = int(until[start] - count[start])
        stop = int(np.searchsorted(until, done + PAIRS_AT_ONCE, side="right"))
        stop = max(start + 1, stop)
        counts = count[start:stop]
        index = np.repeat(np.arange(start, stop), counts)
        # The pairs before those of index i are until[i] - count[i].
        shift = first[start:stop] - until[start:stop] + counts + done
        yield index, np.arange(len(index)) + np.repeat(shift, counts)
        start = stop


def whole_sums(groups: Ints, values: Ints, count: int) -> list[int]:
    """Return the exact sums of whole numbers, not negative, of groups 0 to `count` - 1."""
    if len(values) and int(values.max()) * len(values) >= EXACT:
        found = np.zeros(count, object)
        np.add.at(found, groups, values.astype(object))
        return list(found.tolist())
    sums: list[int] = np.bincount(groups, values, count).astype(np.int64).tolist()
    return sums
