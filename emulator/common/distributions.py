"""Quantities that are constant or drawn from a distribution, which is named by its `kind`.

A draw is the quantile at a uniform number, so it rises with that number.
"""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, TypeVar, Union, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    ModelWrapValidatorHandler,
    Tag,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from typing_extensions import Self, override

from emulator.common.errors import ScenarioError
from emulator.common.text import printable
from emulator.common.text_files import read_text
from emulator.common.units import (
    DURATION_SCHEMA,
    POSITIVE_DURATION_SCHEMA,
    RATE_SCHEMA,
    SPEED_SCHEMA,
    parse_duration,
    parse_rate,
    parse_speed,
)
from flasc.common.settings import Fraction, Settings, fraction_schema

MAX_VALUES = 10_000


def only(is_allowed: Callable[[float], bool], allowed: str, unit: str = "") -> AfterValidator:
    """A validator of numbers; its message says that `allowed` is allowed."""

    def check(value: float) -> float:
        if not is_allowed(value):
            raise ValueError(f"found {value:g}{unit}; allowed: {allowed}")
        return value

    return AfterValidator(check)


# In bits/s, seconds and floating-point operations/s; their JSON Schema is of the text with a unit.
Rate = Annotated[float, BeforeValidator(parse_rate), WithJsonSchema(RATE_SCHEMA)]
Duration = Annotated[float, BeforeValidator(parse_duration), WithJsonSchema(DURATION_SCHEMA)]
Speed = Annotated[float, BeforeValidator(parse_speed), WithJsonSchema(SPEED_SCHEMA)]
PositiveDuration = Annotated[
    Duration,
    only(lambda x: x > 0, "a duration above zero", " s"),
    WithJsonSchema(POSITIVE_DURATION_SCHEMA),
]
Loss = Annotated[
    Fraction,
    only(lambda x: 0 <= x <= 0.5, "a loss from 0 to 0.5, like 1 %"),
    fraction_schema("a fraction from 0 to 0.5, like 1 % or 0.01"),
]
Share = Annotated[
    Fraction,
    only(lambda x: x > 0, "a number above 0, like 1/16"),
    fraction_schema("a fraction or a number above 0, like 1/16 or 70 %"),
]
MAX_SIGMA = 10  # past it, draws of a log-normal overflow
Sigma = Annotated[float, Field(gt=0, le=MAX_SIGMA, allow_inf_nan=False)]
Quantity = TypeVar("Quantity")
_QUANTITIES = {"Rate": Rate, "Duration": Duration, "Loss": Loss, "Fraction": Share, "Speed": Speed}


class _Distribution(Settings):
    """Base class whose subclasses are named by their quantity, like UniformRate."""

    @classmethod
    @override
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        names = (name for name, quantity in _QUANTITIES.items() if quantity == params[0])
        return f"{cls.__name__}{next(names, 'Number')}"


class Uniform(_Distribution, Generic[Quantity]):
    """Uniform between `low` and `high`."""

    kind: Literal["uniform"]
    low: Quantity
    """lower bound"""
    high: Quantity
    """upper bound"""

    @model_validator(mode="after")
    def _low_below_high(self) -> Self:
        low, high = cast(float, self.low), cast(float, self.high)
        if low > high:
            raise ValueError("found low above high; allowed: low first")
        return self


class Normal(_Distribution, Generic[Quantity]):
    """Normal with `mean` and `sd`, truncated below `low` (0 if not given) and above `high`."""

    kind: Literal["normal"]
    mean: Quantity
    """mean before truncation; between low and high"""
    sd: Quantity
    """standard deviation before truncation"""
    low: Quantity | None = None
    """lower bound of the draws; none: 0"""
    high: Quantity | None = None
    """upper bound of the draws"""

    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest draw."""
        low, high = cast(float | None, self.low), cast(float | None, self.high)
        return 0.0 if low is None else low, math.inf if high is None else high

    @model_validator(mode="after")
    def _mean_inside(self) -> Self:
        (low, high), mean = self.bounds(), cast(float, self.mean)
        if not low <= mean <= high:
            raise ValueError(
                f"found mean {mean:g} with low {low:g} and high {high:g}; allowed: a mean between"
            )
        if cast(float, self.sd) <= 0:
            raise ValueError(
                "found an sd of 0; allowed: above 0, or a constant instead of a distribution"
            )
        return self


class LogNormal(_Distribution, Generic[Quantity]):
    """Log-normal: exp(N(ln median, sigma^2))."""

    kind: Literal["lognormal"]
    median: Quantity
    """median: half of the draws are below"""
    sigma: Sigma
    """standard deviation of the logarithm"""


class Choice(_Distribution, Generic[Quantity]):
    """One of `values`, with `weights` (equal if not given)."""

    kind: Literal["choice"]
    values: Annotated[list[Quantity], Field(min_length=1)]
    """possible values"""
    weights: list[Annotated[float, Field(ge=0, allow_inf_nan=False)]] | None = None
    """relative weights; none: all equal"""

    @model_validator(mode="after")
    def _one_weight_per_value(self) -> Self:
        if self.weights is not None and len(self.weights) != len(self.values):
            raise ValueError(
                f"found {len(self.weights)} weights for {len(self.values)} values; "
                "allowed: one weight per value"
            )
        if self.weights is not None and not 0 < sum(self.weights) < math.inf:
            raise ValueError(
                f"found weights that add up to {sum(self.weights):g}; allowed: a finite sum above 0"
            )
        return self


class Empirical(_Distribution, Generic[Quantity]):
    """One of the measured `values`, equally likely; a `file` may hold them, one per line.

    In a file, empty lines and comments after # are skipped; `unit` is appended to each line.
    """

    kind: Literal["empirical"]
    values: Annotated[list[Quantity], Field(min_length=1, max_length=MAX_VALUES)]
    """measured values; alternative to `file`"""
    file: str | None = None
    """text file of the values, one per line, as a path from this scenario's folder; # begins a
    comment"""
    unit: str | None = None
    """unit of every value in the file"""

    @model_validator(mode="wrap")
    @classmethod
    def _with_values(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Fill `values` from the file; errors in it name its line."""
        if not isinstance(data, Mapping) or not isinstance(data.get("file"), str):
            if isinstance(data, Mapping) and data.get("unit") is not None:
                raise ValueError("found a unit without a file; allowed: values with their units")
            return handler(data)
        if "values" in data:
            raise ValueError("found both values and a file; allowed: either")
        name, unit = printable(data["file"]), data.get("unit")
        lines = _lines(Path(data["file"]), unit if isinstance(unit, str) else "")
        if not 0 < len(lines) <= MAX_VALUES:
            raise ValueError(
                f"found {len(lines):,} values in {name}; allowed: 1 to {MAX_VALUES:,}, one per line"
            )
        try:
            return handler({**data, "values": list(lines.values())})
        except ValidationError as error:
            for details in error.errors():
                if details["loc"][0] == "values":
                    line, why = list(lines)[int(details["loc"][1])], details["ctx"]["error"]
                    raise ValueError(f"{name}:{line}: {why}") from None
            raise


def _lines(path: Path, unit: str) -> dict[int, str | float]:
    """{line number: value}; a number without a unit is returned as a number."""
    try:
        text = read_text(path, "save the file as text, one value per line")
    except ScenarioError as error:
        raise ValueError(error.message) from None
    rows = {n: row.partition("#")[0].strip() for n, row in enumerate(text.splitlines(), 1)}
    return {n: _value(f"{row} {unit}".strip()) for n, row in rows.items() if row}


def _value(text: str) -> str | float:
    try:
        return int(text) if text.isdecimal() else float(text)
    except ValueError:
        return text


def kind_tag(value: object) -> str:
    """The `kind` of a mapping or of settings; otherwise `constant`."""
    if isinstance(value, Mapping):
        return str(value.get("kind", "missing"))
    return getattr(value, "kind", "constant")


Distribution = (
    float | Uniform[float] | Normal[float] | LogNormal[float] | Choice[float] | Empirical[float]
)
_CLASSES: dict[str, Any] = {
    "uniform": Uniform,
    "normal": Normal,
    "lognormal": LogNormal,
    "choice": Choice,
    "empirical": Empirical,
}
DISTRIBUTIONS = ("constant", *_CLASSES)


def _union(quantity: Any) -> Any:
    """A constant `quantity`, or a distribution of it, each tagged with its kind."""
    members = [Annotated[quantity, Tag("constant")]]
    for kind, generic in _CLASSES.items():
        model = generic[quantity]
        globals()[model.__name__] = model  # pickle finds classes by name
        members.append(Annotated[model, Tag(kind)])
    return Union[tuple(members)]  # noqa: UP007  # put together at run time


if TYPE_CHECKING:
    RateDistributions = Distribution
    RateDistribution = Distribution
    DurationDistributions = Distribution
    DurationDistribution = Distribution
    LossDistribution = Distribution
    ShareDistribution = Distribution
    SpeedDistribution = Distribution
else:
    RateDistributions = _union(Rate)
    RateDistribution = Annotated[RateDistributions, Discriminator(kind_tag)]
    DurationDistributions = _union(Duration)
    DurationDistribution = Annotated[DurationDistributions, Discriminator(kind_tag)]
    LossDistribution = Annotated[_union(Loss), Discriminator(kind_tag)]
    ShareDistribution = Annotated[_union(Share), Discriminator(kind_tag)]
    SpeedDistribution = Annotated[_union(Speed), Discriminator(kind_tag)]
Floats = NDArray[np.float64]

_NORMAL = NormalDist()
_LEAST, _MOST = 2.0**-54, 1 - 2.0**-53  # limits of a probability, so that no quantile is infinite


def quantile(distribution: Distribution, u: Floats) -> Floats:
    """The quantile of a distribution at each probability `u`, float64 [n], in its unit."""
    u = np.clip(u, _LEAST, _MOST)
    match distribution:
        case Uniform():
            return distribution.low + (distribution.high - distribution.low) * u
        case Normal():
            low, high = distribution.bounds()
            below, above = normal_cdf((np.array([low, high]) - distribution.mean) / distribution.sd)
            z = normal_quantile(below + u * (above - below))
            return np.clip(distribution.mean + distribution.sd * z, low, high)
        case LogNormal():
            return np.asarray(distribution.median * np.exp(distribution.sigma * normal_quantile(u)))
        case Choice(values=values, weights=weights):
            return _step(values, weights or [1.0] * len(values), u)
        case Empirical(values=values):
            return _step(values, [1.0] * len(values), u)
        case _:
            return np.full(len(u), float(distribution))


def _step(values: list[float], weights: list[float], u: Floats) -> Floats:
    """The lowest of `values` whose cumulative weight reaches `u`."""
    order = np.argsort(values)
    heights = np.cumsum(np.asarray(weights)[order])
    picked = np.searchsorted(heights / heights[-1], u).clip(max=len(values) - 1)
    steps: Floats = np.asarray(values, np.float64)[order][picked]
    return steps


def normal_cdf(z: Floats) -> Floats:
    """Cumulative distribution function of the standard normal at each of `z`."""
    return np.array([0.5 * math.erfc(-x / math.sqrt(2)) for x in z.tolist()])


def normal_quantile(p: Floats) -> Floats:
    """Quantile of the standard normal at each probability `p` (Wichura 1988, AS 241)."""
    return np.array([_NORMAL.inv_cdf(x) for x in np.clip(p, _LEAST, _MOST).tolist()])
