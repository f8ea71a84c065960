"""Piecewise-constant rates in time: seconds in, bytes/s out. No SimPy, no links."""

import copy
import math
from bisect import bisect_right
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from typing_extensions import Self


class Pieces(NamedTuple):
    """What a profile is made of; profiles may share both lists. `period_s` None: it ends."""

    times_s: list[float]
    rates_Bps: list[float]
    period_s: float | None
    offset_s: float
    scale: float


class Profile:
    """A piecewise-constant rate: `rates_Bps[k]` from `times_s[k]` on.

    With `period_s` it repeats; without, the last rate holds forever. The rate at simulated time t
    is the rate of the profile at t + `offset_s`. Copies with another offset or scale share the
    arrays, so that a million clients with one trace need little memory.
    """

    __slots__ = ("_offset_s", "_period_s", "_rates_Bps", "_scale", "_sums_B", "_times_s")

    def __init__(
        self,
        times_s: ArrayLike,
        rates_Bps: ArrayLike,
        period_s: float | None = None,
        offset_s: float = 0.0,
    ) -> None:
        """Both arrays [k] float, copied; times strictly increase from 0; rates >= 0, bytes/s.

        `period_s` is after the last time. With a period some rate, without one the last rate, is
        above zero, since otherwise a message could wait forever.
        """
        self._times_s: list[float] = np.asarray(times_s, dtype=np.float64).tolist()
        self._rates_Bps: list[float] = np.asarray(rates_Bps, dtype=np.float64).tolist()
        assert len(self._times_s) == len(self._rates_Bps) > 0, "one rate for each time"
        assert self._times_s[0] == 0, "a profile starts at 0"
        ends_s = [*self._times_s, math.inf if period_s is None else period_s]
        assert all(a < b for a, b in pairwise(ends_s)), "times rise strictly"
        assert all(0 <= rate < math.inf for rate in self._rates_Bps), "rates are zero or more"
        assert self._rates_Bps[-1] or (period_s and any(self._rates_Bps)), "rates stay at zero"
        assert period_s is None or period_s < math.inf
        assert 0 <= offset_s < math.inf
        self._period_s, self._offset_s, self._scale = period_s, offset_s, 1.0
        # Bytes until each time, and until the end of a period.
        steps = zip(pairwise(ends_s), self._rates_Bps, strict=True)
        self._sums_B: list[float] = list(
            accumulate(((b - a) * rate for (a, b), rate in steps), initial=0.0)
        )

    def shifted(self, offset_s: float) -> Self:
        """The same profile with the offset `offset_s` (seconds, zero or more)."""
        assert 0 <= offset_s < math.inf
        other = copy.copy(self)
        other._offset_s = offset_s
        return other

    def scaled(self, factor: float) -> Self:
        """The same profile with rates multiplied by `factor` (above zero)."""
        assert 0 < factor < math.inf
        other = copy.copy(self)
        other._scale = self._scale * factor
        return other

    def pieces(self) -> Pieces:
        """All that it is made of, for the compiled network."""
        lists = self._times_s, self._rates_Bps
        return Pieces(*lists, self._period_s, self._offset_s, self._scale)

    @property
    def length_s(self) -> float:
        """The period, or the start of the last rate, seconds."""
        return self._period_s or self._times_s[-1]

    @property
    def mean(self) -> float:
        """Long-term mean, bytes/s, above zero: the mean of a period, or the last rate."""
        mean_Bps = self._sums_B[-1] / self._period_s if self._period_s else self._rates_Bps[-1]
        return self._scale * mean_Bps

    @property
    def range(self) -> tuple[float, float]:
        """(lowest, highest): rates above zero and the mean, bytes/s."""
        rates_Bps = [self._scale * rate for rate in self._rates_Bps if rate]
        return min(*rates_Bps, self.mean), max(rates_Bps)

    def piece(self, now_s: float) -> tuple[float, float]:
        """(rate in bytes/s at `now_s`, start of the next piece: after `now_s`, inf if none)."""
        # Compare with the returned times, so that a call at such a time is in the next piece.
        piece = self._find(now_s)
        while self._start(piece) > now_s:
            piece -= 1
        while (until_s := self._start(piece + 1)) <= now_s:
            piece += 1
        return self._scale * self._rates_Bps[piece % len(self._rates_Bps)], until_s

    def rate_at(self, now_s: float) -> float:
        """Rate at `now_s`, bytes/s."""
        return self.piece(now_s)[0]

    def bytes_between(self, start_s: float, end_s: float) -> float:
        """Integral of the rate, bytes."""
        passed_B = self._passed(end_s + self._offset_s) - self._passed(start_s + self._offset_s)
        return self._scale * passed_B

    def _find(self, now_s: float) -> int:
        """Number of the piece at `now_s` over all periods; rounding may make it one off."""
        local_s, whole = now_s + self._offset_s, 0
        assert local_s >= 0, "a profile starts at 0"
        if self._period_s:
            whole = math.floor(local_s / self._period_s)
            local_s -= whole * self._period_s
        within = max(0, bisect_right(self._times_s, local_s) - 1)
        return whole * len(self._times_s) + within

    def _start(self, piece: int) -> float:
        whole, within = divmod(piece, len(self._times_s))
        if not self._period_s:
            return math.inf if whole else self._times_s[within] - self._offset_s
        return whole * self._period_s + self._times_s[within] - self._offset_s

    def _passed(self, local_s: float) -> float:
        whole, passed_B = 0, 0.0
        if self._period_s:
            whole = math.floor(local_s / self._period_s)
            local_s -= whole * self._period_s
            passed_B = whole * self._sums_B[-1]
        within = max(0, bisect_right(self._times_s, local_s) - 1)
        since_s = local_s - self._times_s[within]
        return passed_B + self._sums_B[within] + since_s * self._rates_Bps[within]
