"""Quantities that a scenario may fix or draw: a constant, or a law by its `kind`."""

import math
from collections.abc import Mapping
from typing import Annotated, Generic, Literal, TypeVar, cast

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    model_validator,
)
from typing_extensions import Self

from emulator.units import parse_duration, parse_rate
from flasc.config import Settings, parse_fraction


def _loss(value: float) -> float:
    if not 0 <= value <= 0.5:
        raise ValueError(f"found {value:g}; allowed: a loss from 0 to 0.5, like 1 %")
    return value


Rate = Annotated[float, BeforeValidator(parse_rate)]  # bits a second
Duration = Annotated[float, BeforeValidator(parse_duration)]  # seconds
Loss = Annotated[float, BeforeValidator(parse_fraction), AfterValidator(_loss)]
Sigma = Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)]  # past 10, draws overflow
Quantity = TypeVar("Quantity")


class Uniform(Settings, Generic[Quantity]):
    """Uniform between `low` and `high`."""

    kind: Literal["uniform"]
    low: Quantity
    high: Quantity

    @model_validator(mode="after")
    def _low_below_high(self) -> Self:
        low, high = cast(float, self.low), cast(float, self.high)
        if low > high:
            raise ValueError(f"found low above high ({low:g} > {high:g}); allowed: low first")
        return self


class LogNormal(Settings, Generic[Quantity]):
    """Log-normal: exp(N(ln median, sigma^2))."""

    kind: Literal["lognormal"]
    median: Quantity
    sigma: Sigma


class Choice(Settings, Generic[Quantity]):
    """One of `values`, with `weights` (equal if not given)."""

    kind: Literal["choice"]
    values: Annotated[list[Quantity], Field(min_length=1)]
    weights: list[Annotated[float, Field(ge=0, allow_inf_nan=False)]] | None = None

    @model_validator(mode="after")
    def _one_weight_a_value(self) -> Self:
        if self.weights is not None and len(self.weights) != len(self.values):
            raise ValueError(
                f"found {len(self.weights)} weights for {len(self.values)} values; "
                "allowed: one weight a value"
            )
        if self.weights is not None and not 0 < sum(self.weights) < math.inf:
            raise ValueError(
                f"found weights that add up to {sum(self.weights):g}; allowed: a finite sum above 0"
            )
        return self


def _kind(value: object) -> str:
    """A mapping names its law; anything else is a constant."""
    if isinstance(value, Mapping):
        return str(value.get("kind", "missing"))
    return getattr(value, "kind", "constant")


RateLaw = Annotated[
    Annotated[Rate, Tag("constant")]
    | Annotated[Uniform[Rate], Tag("uniform")]
    | Annotated[LogNormal[Rate], Tag("lognormal")]
    | Annotated[Choice[Rate], Tag("choice")],
    Discriminator(_kind),
]
DurationLaw = Annotated[
    Annotated[Duration, Tag("constant")]
    | Annotated[Uniform[Duration], Tag("uniform")]
    | Annotated[LogNormal[Duration], Tag("lognormal")]
    | Annotated[Choice[Duration], Tag("choice")],
    Discriminator(_kind),
]
LossLaw = Annotated[
    Annotated[Loss, Tag("constant")]
    | Annotated[Uniform[Loss], Tag("uniform")]
    | Annotated[LogNormal[Loss], Tag("lognormal")]
    | Annotated[Choice[Loss], Tag("choice")],
    Discriminator(_kind),
]
Law = float | Uniform[float] | LogNormal[float] | Choice[float]
