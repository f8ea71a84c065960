"""Availability model: clients are available once per day."""

from typing import Literal

import numpy as np
from typing_extensions import override

from emulator.common.distributions import Duration, DurationDistribution, PositiveDuration, quantile
from emulator.simulation.availability.base import (
    Availability,
    AvailabilitySettings,
    PeriodicWindows,
)


class Diurnal(AvailabilitySettings):
    """Available once per `period` (a day), from `start` for `length`; both drawn once per client.

    Time 0 of the simulation is `clock` of the day.
    """

    kind: Literal["diurnal"]
    start: DurationDistribution
    """start of presence within the period, drawn once per client"""
    length: DurationDistribution
    """duration of presence, drawn once per client"""
    period: PositiveDuration = 86400.0
    """length of the period: one day"""
    clock: Duration = 0.0
    """time within the period at which the run begins"""

    @override
    def build(self, rng: np.random.Generator) -> Availability:
        u = rng.random(2)
        start_s = float(quantile(self.start, u[:1])[0]) % self.period
        length_s = min(float(quantile(self.length, u[1:])[0]), self.period)
        windows = [(0.0, length_s)] if length_s > 0 else []
        return PeriodicWindows(windows, self.period, self.clock - start_s)
