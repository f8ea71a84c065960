"""Base class of capacity models: rates that change in time, also during a transfer.

A rate is a shape times a level. The shape says how the rate changes; the level is drawn once per
client from a distribution, like a constant rate, so ratios and correlations apply to the level.
"""

import math
from abc import abstractmethod
from typing import Annotated, Literal

import numpy as np
from pydantic import BeforeValidator, WithJsonSchema

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
    """Settings of a capacity model: a shape, and a level drawn once per client."""

    plugin_group = "flasc_emu.capacities"

    kind: str

    @property
    def level(self) -> Distribution:
        """Distribution of the factor of the shape."""
        return 1.0

    @property
    @abstractmethod
    def shape_mean(self) -> float:
        """Long-term mean of the shape, bytes/s, above zero."""

    @property
    def shape_range(self) -> tuple[float, float]:
        """Bounds of the shape and of its mean, without rates of zero, bytes/s.

        `check` computes its least times from them.
        """
        return 0.0, math.inf

    @abstractmethod
    def shape(self, rng: np.random.Generator, u: float) -> Profile:
        """Returns the rates at level 1, drawn from `rng`.

        `u` in [0, 1) is the same for both directions of a client, for what they have in common,
        like the time of day at time 0.
        """

    def __str__(self) -> str:
        return self.kind
