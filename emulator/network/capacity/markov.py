"""Capacity model: a rate that jumps between states at random (Markov-modulated)."""

import math
from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator
from typing_extensions import Self, override

from emulator.common.distributions import Distribution, PositiveDuration, ShareDistribution
from emulator.common.text_files import MAX_PIECES
from emulator.common.units import RATE_SCHEMA, or_zero, parse_rate
from emulator.network.capacity.base import CapacityModel
from emulator.network.capacity.profile import Profile
from flasc.common.settings import Settings


def rate_or_zero(value: object) -> float:
    """Parses a rate, bits/s; a plain 0 needs no unit."""
    is_zero = value == 0 and not isinstance(value, bool)
    return 0.0 if is_zero else parse_rate(value)


class State(Settings):
    """A rate and the mean duration of the state."""

    rate: Annotated[float, BeforeValidator(rate_or_zero), WithJsonSchema(or_zero(RATE_SCHEMA))]
    """rate of the state"""
    dwell: PositiveDuration
    """mean duration of the state; durations are exponential"""


class Markov(CapacityModel):
    """A rate that jumps between states at random, drawn separately for each client.

    The rate repeats after `horizon`.
    """

    kind: Literal["markov"]
    states: Annotated[list[State], Field(min_length=2, max_length=100)]
    """states; the next state is any other state with equal probability"""
    horizon: PositiveDuration = 600.0
    """length of the drawn sequence, which then repeats; at most 1,000,000 states"""
    scale: ShareDistribution = 1.0
    """factor on the rates of the states"""

    @model_validator(mode="after")
    def _is_finite_and_positive(self) -> Self:
        if not any(state.rate for state in self.states):
            raise ValueError("found only states with a rate of 0; allowed: at least one above 0")
        changes = self.horizon * len(self.states) / math.fsum(s.dwell for s in self.states)
        if changes > MAX_PIECES:
            raise ValueError(
                f"found {changes:,.0f} states in a horizon; allowed: {MAX_PIECES:,} (use longer "
                "dwells or a shorter horizon)"
            )
        return self

    @property
    @override
    def level(self) -> Distribution:
        return self.scale

    @property
    @override
    def shape_mean(self) -> float:
        bits = math.fsum(state.rate * state.dwell for state in self.states)
        return bits / math.fsum(state.dwell for state in self.states) / 8

    @property
    @override
    def shape_range(self) -> tuple[float, float]:
        # With a state of zero, the mean of a drawn sequence may be arbitrarily low.
        rates_Bps = [state.rate / 8 for state in self.states]
        return min(rates_Bps), max(rates_Bps)

    @override
    def shape(self, rng: np.random.Generator, u: float) -> Profile:
        rates_Bps = [state.rate / 8 for state in self.states]
        dwells_s = [state.dwell for state in self.states]
        return markov_profile(rates_Bps, dwells_s, self.horizon, rng)

    @override
    def __str__(self) -> str:
        return f"markov of {len(self.states)} states"


def markov_profile(
    rates_Bps: Sequence[float],
    dwells_s: Sequence[float],
    horizon_s: float,
    rng: np.random.Generator,
) -> Profile:
    """A rate that jumps between states for `horizon_s` (seconds), then repeats.

    State i has `rates_Bps[i]` and lasts an exponential time of mean `dwells_s[i]`; the next state
    is any other with equal probability. With two states, one of rate zero, it is an on-off link.
    The first state is drawn from the stationary distribution, so the expected rate at any time is

        sum of rate_i dwell_i / sum of dwell_i

    with one exception: if all rates are zero until the horizon, the profile is extended to the
    first state with a rate above zero, since otherwise a message would wait forever.
    """
    assert len(rates_Bps) == len(dwells_s) > 1
    assert all(dwell_s > 0 for dwell_s in dwells_s)
    assert any(rates_Bps)
    assert 0 < horizon_s < math.inf
    shares = np.array(dwells_s) / sum(dwells_s)
    state, now_s = int(rng.choice(len(shares), p=shares)), 0.0
    times_s: list[float] = []
    found_Bps: list[float] = []
    while now_s < horizon_s or not any(found_Bps):
        times_s.append(now_s)
        found_Bps.append(rates_Bps[state])
        now_s += rng.exponential(dwells_s[state])
        state = (state + int(rng.integers(1, len(shares)))) % len(shares)
    return Profile(times_s, found_Bps, horizon_s if times_s[-1] < horizon_s else now_s)
