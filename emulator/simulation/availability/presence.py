"""When a client is there. Asked at times that never go back, it answers whether, and until when."""

import itertools
import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from emulator.common.distributions import Floats, Law, quantile

GRID = 1000  # quantiles that stand for a law where its mean or length-biased draws are needed
LEAST_S = 1e-3  # an interval
MOST_PAIRS = 256  # of intervals that are drawn at once


class Presence(Protocol):
    """One client's comings and goings."""

    def at(self, now_s: float) -> tuple[bool, float]:
        """Whether it is there at `now_s`, and until when that stays so (inf: for good)."""


class Always:
    """Never away."""

    def at(self, now_s: float) -> tuple[bool, float]:
        """There, for good."""
        return True, math.inf


class Windows:
    """There in [start, end) of each window, sorted and disjoint in [0, period); then over again.

    `offset_s` is where in the period time 0 lies. No window at all: never there.
    """

    def __init__(
        self, windows: Sequence[tuple[float, float]], period_s: float, offset_s: float = 0.0
    ) -> None:
        assert all(a < b for a, b in windows)
        assert all(b < a for (_, b), (a, _) in itertools.pairwise(windows))
        assert not windows or (windows[0][0] >= 0 and windows[-1][1] <= period_s)
        if len(windows) > 1 and windows[0][0] == 0 and windows[-1][1] == period_s:
            # The last goes on in the first: begin the period where the first one ends.
            shift_s, offset_s = windows[0][1], offset_s - windows[0][1]
            windows = [(a - shift_s, b - shift_s) for a, b in windows[1:]]
            windows[-1] = windows[-1][0], period_s
        self._edges = [edge for window in windows for edge in window]
        self._period_s, self._offset_s = period_s, offset_s

    def at(self, now_s: float) -> tuple[bool, float]:
        """By the window that `now_s` falls into."""
        edges = self._edges
        if not edges or edges == [0.0, self._period_s]:
            return bool(edges), math.inf
        turn, place_s = divmod(now_s + self._offset_s, self._period_s)
        index = bisect_right(edges, place_s)
        while (then_s := self._edge_s(turn, index)) <= now_s:
            index += 1  # rounding put it just ahead
        return index % 2 == 1, then_s

    def _edge_s(self, turn: float, index: int) -> float:
        more, index = divmod(index, len(self._edges))
        return (turn + more) * self._period_s + self._edges[index] - self._offset_s


def grid(law: Law) -> Floats:
    """Quantiles that stand for a law, float64 [GRID]."""
    return quantile(law, (np.arange(GRID) + 0.5) / GRID)


class Alternating:
    """On and off by turns, each for as long as its law draws: a renewal process in equilibrium.

    At time 0 it has been going on for ever: it is on with probability E[on] / (E[on] + E[off]),
    and what is left of that interval is a uniform share of a length-biased draw (Cox 1962, ch. 5).
    """

    def __init__(
        self,
        on: Law,
        off: Law,
        rng: np.random.Generator,
        lengths: tuple[Floats, Floats] | None = None,
    ) -> None:
        """`lengths` are `grid(off)` and `grid(on)`, found once by who makes many of these."""
        self._laws, self._rng = (off, on), rng
        lengths = lengths or (grid(off), grid(on))
        mean_off, mean_on = (float(found.mean()) for found in lengths)
        assert mean_on + mean_off > 0, "on and off for no time at all"
        self._on = bool(rng.random() * (mean_on + mean_off) < mean_on)
        biased = lengths[self._on]
        found = rng.choice(biased, p=biased / biased.sum())
        self._until_s = float(found * rng.random())
        self._ahead_s: list[float] = []  # lengths of the next intervals, the last one first
        self._pairs = 1

    def at(self, now_s: float) -> tuple[bool, float]:
        """Draw on until `now_s` is covered."""
        while self._until_s <= now_s:
            if not self._ahead_s:
                self._ahead_s = self._drawn()
            self._on = not self._on
            self._until_s += self._ahead_s.pop()
        return self._on, self._until_s

    def _drawn(self) -> list[float]:
        """The next intervals: more each time, since a draw alone costs as much as a hundred."""
        u = self._rng.random(2 * self._pairs)
        self._pairs = min(2 * self._pairs, MOST_PAIRS)
        for first, law in enumerate((self._laws[not self._on], self._laws[self._on])):
            u[first::2] = quantile(law, u[first::2])
        found: list[float] = np.maximum(u, LEAST_S)[::-1].tolist()
        return found
