"""A link that is on for part of each period."""

from typing import Literal

import numpy as np
from typing_extensions import override

from emulator.common.distributions import Distribution, PositiveDuration, RateDistribution
from emulator.network.capacity.base import CapacityModel
from emulator.network.capacity.profile import Profile
from flasc.common.settings import Density


class DutyCycle(CapacityModel):
    """A radio that sends at `rate` for a `share` of each `period`, and is off otherwise."""

    kind: Literal["duty_cycle"]
    rate: RateDistribution
    share: Density
    period: PositiveDuration

    @property
    @override
    def level(self) -> Distribution:
        return self.rate

    @property
    @override
    def shape_mean(self) -> float:
        return self.share / 8  # bytes per second of a bit per second

    @override
    def shape(self, rng: np.random.Generator, u: float) -> Profile:
        if self.share == 1:
            return Profile([0.0], [1 / 8])
        on_off = Profile([0.0, self.share * self.period], [1 / 8, 0.0], self.period)
        return on_off.shifted(u * self.period)  # each client is at another point of its period
