"""Quantities that a scenario may fix or draw: a constant, or a law by its `kind`.

A draw is the law's quantile at a uniform number: it rises with that number, whatever the law.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from statistics import NormalDist
from typing import Annotated, Any, Generic, Literal, TypeVar, cast

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
    model_validator,
)
from typing_extensions import Self

from emulator.common.errors import ScenarioError
from emulator.common.text import printable
from emulator.common.text_files import read_text
from emulator.common.units import parse_duration, parse_rate, parse_speed
from flasc.common.settings import Settings, parse_fraction

MAX_VALUES = 10_000
DISTRIBUTIONS = ("constant", "uniform", "normal", "lognormal", "choice", "empirical")


def _loss(value: float) -> float:
    if not 0 <= value <= 0.5:
        raise ValueError(f"found {value:g}; allowed: a loss from 0 to 0.5, like 1 %")
    return value


def _above_zero(value: float) -> float:
    if value <= 0:
        raise ValueError(f"found {value:g}; allowed: a number above 0, like 1/16")
    return value


def _lasting(seconds: float) -> float:
    if seconds <= 0:
        raise ValueError(f"found {seconds:g} s; allowed: a duration above zero")
    return seconds


Rate = Annotated[float, BeforeValidator(parse_rate)]  # bits a second
Duration = Annotated[float, BeforeValidator(parse_duration)]  # seconds
PositiveDuration = Annotated[Duration, AfterValidator(_lasting)]
Loss = Annotated[float, BeforeValidator(parse_fraction), AfterValidator(_loss)]
Share = Annotated[float, BeforeValidator(parse_fraction), AfterValidator(_above_zero)]
Speed = Annotated[float, BeforeValidator(parse_speed)]  # floating-point operations a second
Sigma = Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)]  # past 10, draws overflow
Quantity = TypeVar("Quantity")


def _name(quantity: Any) -> str:
    checks = getattr(quantity, "__metadata__", ())
    return " ".join(check.func.__name__ for check in checks) or str(quantity.__name__)


class _Drawn(Settings):
    """Laws of unlike quantities are classes of unlike names: pickle finds classes by name."""

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        return f"{cls.__name__}[{', '.join(map(_name, params))}]"


class Uniform(_Drawn, Generic[Quantity]):
    """Uniform between `low` and `high`."""

    kind: Literal["uniform"]
    low: Quantity
    high: Quantity

    @model_validator(mode="after")
    def _low_below_high(self) -> Self:
        low, high = cast(float, self.low), cast(float, self.high)
        if low > high:
            raise ValueError("found low above high; allowed: low first")
        return self


class Normal(_Drawn, Generic[Quantity]):
    """Normal with `mean` and `sd`, cut off below `low` (0 if not given) and above `high`."""

    kind: Literal["normal"]
    mean: Quantity
    sd: Quantity
    low: Quantity | None = None
    high: Quantity | None = None

    def bounds(self) -> tuple[float, float]:
        """Between what it draws."""
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
            raise ValueError("found an sd of 0; allowed: above 0, or a constant instead of a law")
        return self


class LogNormal(_Drawn, Generic[Quantity]):
    """Log-normal: exp(N(ln median, sigma^2))."""

    kind: Literal["lognormal"]
    median: Quantity
    sigma: Sigma


class Choice(_Drawn, Generic[Quantity]):
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


class Empirical(_Drawn, Generic[Quantity]):
    """One of the measured `values`, each as likely; a `file` may hold them, one a line.

    In a file, empty lines and what follows a # are skipped; `unit` is put behind each line.
    """

    kind: Literal["empirical"]
    values: Annotated[list[Quantity], Field(min_length=1, max_length=MAX_VALUES)]
    file: str | None = None
    unit: str | None = None

    @model_validator(mode="wrap")
    @classmethod
    def _with_values(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Fill `values` from the file; what is wrong in there is told by the file's line."""
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
                f"found {len(lines):,} values in {name}; allowed: 1 to {MAX_VALUES:,}, one a line"
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
    """{number of the line: its value}; a bare number is one."""
    try:
        text = read_text(path, "save the file as text, one value a line")
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
    """A mapping names its law; anything else is a constant."""
    if isinstance(value, Mapping):
        return str(value.get("kind", "missing"))
    return getattr(value, "kind", "constant")


RateDistributions = (
    Annotated[Rate, Tag("constant")]
    | Annotated[Uniform[Rate], Tag("uniform")]
    | Annotated[Normal[Rate], Tag("normal")]
    | Annotated[LogNormal[Rate], Tag("lognormal")]
    | Annotated[Choice[Rate], Tag("choice")]
    | Annotated[Empirical[Rate], Tag("empirical")]
)
RateDistribution = Annotated[RateDistributions, Discriminator(kind_tag)]
DurationDistribution = Annotated[
    Annotated[Duration, Tag("constant")]
    | Annotated[Uniform[Duration], Tag("uniform")]
    | Annotated[Normal[Duration], Tag("normal")]
    | Annotated[LogNormal[Duration], Tag("lognormal")]
    | Annotated[Choice[Duration], Tag("choice")]
    | Annotated[Empirical[Duration], Tag("empirical")],
    Discriminator(kind_tag),
]
LossDistribution = Annotated[
    Annotated[Loss, Tag("constant")]
    | Annotated[Uniform[Loss], Tag("uniform")]
    | Annotated[Normal[Loss], Tag("normal")]
    | Annotated[LogNormal[Loss], Tag("lognormal")]
    | Annotated[Choice[Loss], Tag("choice")]
    | Annotated[Empirical[Loss], Tag("empirical")],
    Discriminator(kind_tag),
]
ShareDistribution = Annotated[
    Annotated[Share, Tag("constant")]
    | Annotated[Uniform[Share], Tag("uniform")]
    | Annotated[Normal[Share], Tag("normal")]
    | Annotated[LogNormal[Share], Tag("lognormal")]
    | Annotated[Choice[Share], Tag("choice")]
    | Annotated[Empirical[Share], Tag("empirical")],
    Discriminator(kind_tag),
]
SpeedDistribution = Annotated[
    Annotated[Speed, Tag("constant")]
    | Annotated[Uniform[Speed], Tag("uniform")]
    | Annotated[Normal[Speed], Tag("normal")]
    | Annotated[LogNormal[Speed], Tag("lognormal")]
    | Annotated[Choice[Speed], Tag("choice")]
    | Annotated[Empirical[Speed], Tag("empirical")],
    Discriminator(kind_tag),
]
Distribution = (
    float
    | Uniform[float]
    | Normal[float]
    | LogNormal[float]
    | Choice[float]
    | Empirical[float]
)  # fmt: skip
Floats = NDArray[np.float64]

_NORMAL = NormalDist()
_LEAST, _MOST = 2.0**-54, 1 - 2.0**-53  # of a probability: no quantile is infinite


def quantile(law: Distribution, u: Floats) -> Floats:
    """What `law` is at each of the probabilities `u`, float64 [n], in the law's unit; rising."""
    u = np.clip(u, _LEAST, _MOST)
    match law:
        case Uniform():
            return law.low + (law.high - law.low) * u
        case Normal():
            low, high = law.bounds()
            below, above = normal_cdf((np.array([low, high]) - law.mean) / law.sd)
            z = normal_quantile(below + u * (above - below))
            return np.clip(law.mean + law.sd * z, low, high)
        case LogNormal():
            return np.asarray(law.median * np.exp(law.sigma * normal_quantile(u)))
        case Choice():
            return _step(law.values, law.weights or [1.0] * len(law.values), u)
        case Empirical():
            return _step(law.values, [1.0] * len(law.values), u)
        case _:
            return np.full(len(u), float(law))


def _step(values: list[float], weights: list[float], u: Floats) -> Floats:
    """The least of `values` up to which the weights make up `u`."""
    order = np.argsort(values)
    heights = np.cumsum(np.asarray(weights)[order])
    picked = np.searchsorted(heights / heights[-1], u).clip(max=len(values) - 1)
    steps: Floats = np.asarray(values, np.float64)[order][picked]
    return steps


def normal_cdf(z: Floats) -> Floats:
    """Probability of a standard normal below each of `z`."""
    return np.array([0.5 * math.erfc(-x / math.sqrt(2)) for x in z.tolist()])


def normal_quantile(p: Floats) -> Floats:
    """Below what a standard normal is with each of the probabilities `p` (Wichura 1988, AS 241)."""
    return np.array([_NORMAL.inv_cdf(x) for x in np.clip(p, _LEAST, _MOST).tolist()])
