"""Capacity model: a daily pattern."""

import math
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, PrivateAttr, model_validator
from typing_extensions import Self, override

from emulator.common.distributions import Distribution, RateDistribution
from emulator.network.capacity.base import CapacityModel, Offset, offset_s
from emulator.network.capacity.profile import Profile

DAY_S = 86400.0


class Diurnal(CapacityModel):
    """A daily pattern: mean x (1 - depth x cos(2 pi t / 24 h)), lowest at midnight.

    The simulation begins at `offset` past midnight; `random` is a random time of day per client.
    """

    kind: Literal["diurnal"]
    mean: RateDistribution
    """mean rate of a day"""
    depth: Annotated[float, Field(ge=0, le=1)]
    """fall at midnight and rise at noon, relative to the mean"""
    offset: Offset = "none"
    """time after midnight at which the simulation begins"""
    _day: Profile = PrivateAttr()

    @model_validator(mode="after")
    def _draw(self) -> Self:
        self._day = diurnal_profile(self.shape_mean, self.depth)
        return self

    @property
    @override
    def level(self) -> Distribution:
        return self.mean

    @property
    @override
    def shape_mean(self) -> float:
        return 1 / 8  # bytes/s: one bit/s, which the level multiplies

    @property
    @override
    def shape_range(self) -> tuple[float, float]:
        return self._day.range

    @override
    def shape(self, rng: np.random.Generator, u: float) -> Profile:
        return self._day.shifted(offset_s(self.offset, self._day, u))


def diurnal_profile(mean_Bps: float, depth: float, steps: int = 96) -> Profile:
    """A repeated day: mean (1 - depth cos(2 pi t / 24 h)), lowest at 0, highest at 12 h.

    `depth` is 0 to 1. Each of `steps` equal steps has the mean of the curve within it, and so its
    bytes. An offset is the time of day at time 0: with `shifted(6 * 3600)`, six in the morning.
    """
    assert mean_Bps > 0
    assert 0 <= depth <= 1
    assert steps > 0
    edges = 2 * math.pi * np.arange(steps + 1) / steps
    waves = np.diff(np.sin(edges)) / np.diff(edges)
    # At full depth, rounding may give a lowest rate below zero.
    rates_Bps = np.maximum(0.0, mean_Bps * (1 - depth * waves))
    return Profile(np.arange(steps) * (DAY_S / steps), rates_Bps, DAY_S)
