"""Base class of availability models, which a scenario sets for a group of clients."""

import itertools
import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
from typing_extensions import override

from flasc.common.plugins import Pluggable, implementation

OnReturn = Literal["resume", "lost"]


class Availability(Protocol):
    """When one client is available. `at` is called with times that never decrease."""

    def at(self, now_s: float) -> tuple[bool, float]:
        """Whether the client is available at `now_s`, and until when (inf: forever)."""


class AvailabilitySettings(Pluggable):
    """Settings of an availability model.

    `on_return` says whether a client that returns resumes its interrupted work or has lost it.
    """

    plugin_group = "flasc_emu.availabilities"
    behaviour = "build"

    kind: str
    on_return: OnReturn = "resume"
    """interrupted work of a client that left: continues on its return, or is lost"""

    def build(self, rng: np.random.Generator) -> Availability:
        """Returns the availability of one client; `rng` is a stream of that client alone.

        A plug-in overrides this method, or names a function in `implementation`.
        """
        built: Availability = implementation(self)(self, rng)
        return built


class PeriodicWindows(Availability):
    """Available in [start, end) of each window; the windows repeat with the period.

    Windows are sorted and disjoint in [0, period). `offset_s` is the position of time 0 in the
    period. A client without a window is never available.
    """

    def __init__(
        self, windows: Sequence[tuple[float, float]], period_s: float, offset_s: float = 0.0
    ) -> None:
        assert all(a < b for a, b in windows)
        assert all(b < a for (_, b), (a, _) in itertools.pairwise(windows))
        assert not windows or (windows[0][0] >= 0 and windows[-1][1] <= period_s)
        if len(windows) > 1 and windows[0][0] == 0 and windows[-1][1] == period_s:
            # The last window continues in the first: shift the period to start where that ends.
            shift_s, offset_s = windows[0][1], offset_s - windows[0][1]
            windows = [(a - shift_s, b - shift_s) for a, b in windows[1:]]
            windows[-1] = windows[-1][0], period_s
        self._edges = [edge for window in windows for edge in window]
        self._period_s, self._offset_s = period_s, offset_s

    @override
    def at(self, now_s: float) -> tuple[bool, float]:
        edges = self._edges
        if not edges or edges == [0.0, self._period_s]:
            return bool(edges), math.inf
        cycle, place_s = divmod(now_s + self._offset_s, self._period_s)
        index = bisect_right(edges, place_s)
        while (then_s := self._edge_s(cycle, index)) <= now_s:
            index += 1  # rounding placed `now_s` just before this edge
        return index % 2 == 1, then_s

    def _edge_s(self, cycle: float, index: int) -> float:
        more, index = divmod(index, len(self._edges))
        return (cycle + more) * self._period_s + self._edges[index] - self._offset_s
