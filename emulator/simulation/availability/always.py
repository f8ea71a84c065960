"""Clients that are always available."""

import math
from typing import Literal

import numpy as np
from typing_extensions import override

from emulator.simulation.availability.base import Availability, AvailabilitySettings


class AlwaysThere(AvailabilitySettings):
    """Clients never leave."""

    kind: Literal["always"] = "always"

    @override
    def build(self, rng: np.random.Generator) -> Availability:
        return Always()


class Always:
    """Available at all times."""

    def at(self, now_s: float) -> tuple[bool, float]:
        """See `Availability.at`."""
        return True, math.inf
