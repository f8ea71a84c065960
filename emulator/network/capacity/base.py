"""What a capacity model is: settings of a rate that changes in time, within a transfer.

A rate is a shape times a level. The shape says how the rate changes; the level is a distribution,
drawn once per client like any other rate, so ratios, correlations and groups are of the level.
"""

from abc import abstractmethod
from typing import Annotated, Literal

import numpy as np
from pydantic import (
    BeforeValidator,
    WithJsonSchema,
)

from emulator.common.distributions import Distribution
from emulator.common.units import DURATION_SCHEMA, parse_duration
from emulator.network.capacity.profile import Profile
from flasc.common.plugins import Pluggable


def _offset(value: object) -> object:
    return value if value in ("random", "none") else parse_duration(value)


Offset = Annotated[
    Literal["random", "none"] | float,
    BeforeValidator(_offset),
    WithJsonSchema({"anyOf": [{"enum": ["random", "none"]}, DURATION_SCHEMA]}),
]


def offset_s(offset: Literal["random", "none"] | float, profile: Profile, u: float) -> float:
    """The position of time 0 in a profile, seconds; `u` in [0, 1) decides a random one."""
    match offset:
        case "random":
            return u * profile.length_s
        case "none":
            return 0.0
        case _:
            return float(offset)


class CapacityModel(Pluggable):
    """What every capacity model has: a shape, and a level drawn once per client."""

    plugin_group = "flasc_emu.capacities"

    kind: str

    @property
    def level(self) -> Distribution:
        """The distribution of what the shape is multiplied by."""
        return 1.0

    @property
    @abstractmethod
    def shape_mean(self) -> float:
        """Bytes/s of the shape, in the long run: above zero."""

    @abstractmethod
    def shape(self, rng: np.random.Generator, u: float) -> Profile:
        """The rates at level 1, drawn from `rng`.

        `u` in [0, 1) is the same for both directions of a client: it decides what they have in
        common, like the time of day at time 0.
        """

    def __str__(self) -> str:
        return self.kind
