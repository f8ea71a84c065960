"""Availability model: clients are always available."""

import math
from typing import Literal

import numpy as np
from typing_extensions import override

from emulator.simulation.availability.base import Availability, AvailabilitySettings


class AlwaysThere(AvailabilitySettings):
    """Always available."""

    kind: Literal["always"] = "always"

    @override
    def build(self, rng: np.random.Generator) -> Availability:
        return Always()


class Always(Availability):
    """Available at all times."""

    @override
    def at(self, now_s: float) -> tuple[bool, float]:
        return True, math.inf
