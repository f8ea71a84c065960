"""Availability model: clients alternate between available and unavailable at random."""

from typing import Literal

import numpy as np
from pydantic import PrivateAttr, model_validator
from typing_extensions import Self, override

from emulator.common.distributions import Distribution, DurationDistribution, Floats, quantile
from emulator.simulation.availability.base import Availability, AvailabilitySettings

GRID = 1000  # quantiles that represent a distribution for its mean and for length-biased draws
MIN_INTERVAL_S = 1e-3
MAX_PAIRS = 256  # intervals drawn at once


class OnOff(AvailabilitySettings):
    """Alternates between available (`on`) and unavailable (`off`); each duration is redrawn."""

    kind: Literal["on_off"]
    on: DurationDistribution
    """duration of presence, redrawn each time"""
    off: DurationDistribution
    """duration of absence, redrawn each time"""
    _lengths: tuple[Floats, Floats] = PrivateAttr()

    @model_validator(mode="after")
    def _takes_time(self) -> Self:
        if self.on == 0 or self.off == 0:
            raise ValueError("found on or off of 0; allowed: times above 0, or the kind always")
        self._lengths = grid(self.off), grid(self.on)
        return self

    @override
    def build(self, rng: np.random.Generator) -> Availability:
        return AlternatingRenewal(self.on, self.off, rng, self._lengths)


def grid(distribution: Distribution) -> Floats:
    """Quantiles that represent a distribution, float64 [GRID]."""
    return quantile(distribution, (np.arange(GRID) + 0.5) / GRID)


class AlternatingRenewal(Availability):
    """Alternates between available and unavailable: a renewal process in equilibrium.

    At time 0 the process is stationary: the client is available with probability
    E[on] / (E[on] + E[off]), and the rest of that interval is a uniform share of a length-biased
    draw (Cox 1962, ch. 5).
    """

    def __init__(
        self,
        on: Distribution,
        off: Distribution,
        rng: np.random.Generator,
        lengths: tuple[Floats, Floats] | None = None,
    ) -> None:
        """`lengths`: `grid(off)` and `grid(on)`, if the caller has computed them."""
        self._distributions, self._rng = (off, on), rng
        lengths = lengths or (grid(off), grid(on))
        mean_off, mean_on = (float(found.mean()) for found in lengths)
        assert mean_on + mean_off > 0, "on and off both last no time"
        self._on = bool(rng.random() * (mean_on + mean_off) < mean_on)
        biased = lengths[self._on]
        found = rng.choice(biased, p=biased / biased.sum())
        self._until_s = float(found * rng.random())
        self._ahead_s: list[float] = []  # lengths of the next intervals, the last one first
        self._pairs = 1

    @override
    def at(self, now_s: float) -> tuple[bool, float]:
        while self._until_s <= now_s:
            if not self._ahead_s:
                self._ahead_s = self._drawn()
            self._on = not self._on
            self._until_s += self._ahead_s.pop()
        return self._on, self._until_s

    def _drawn(self) -> list[float]:
        """Draws the next intervals, more each time: one draw costs as much as a hundred."""
        u = self._rng.random(2 * self._pairs)
        self._pairs = min(2 * self._pairs, MAX_PAIRS)
        for first, state in enumerate((not self._on, self._on)):
            u[first::2] = quantile(self._distributions[state], u[first::2])
        found: list[float] = np.maximum(u, MIN_INTERVAL_S)[::-1].tolist()
        return found
