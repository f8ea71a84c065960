"""The base class of settings, and types of their fields. Torch-free."""

import contextlib
import fractions
import math
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

_RATIO = re.compile(r"\s*(\d+)\s*/\s*(\d+)\s*")
_PERCENT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*")


def parse_fraction(text: object) -> float:
    """A number from '1/16', '25 %' or 0.25. Raises ValueError for anything else."""
    value = math.nan
    with contextlib.suppress(OverflowError):  # too large for a float
        if isinstance(text, (int, float)) and not isinstance(text, bool):
            value = float(text)
        elif isinstance(text, str):
            if (ratio := _RATIO.fullmatch(text)) and int(ratio[2]):
                value = int(ratio[1]) / int(ratio[2])
            elif percent := _PERCENT.fullmatch(text):
                # Exact, so that 33.3 % is 0.333 and the same training has the same digest.
                value = float(fractions.Fraction(percent[1]) / 100)
    if not math.isfinite(value):
        raise ValueError(f"found {text!r}; allowed: a fraction, like 1/16, 25 % or 0.25")
    return value


Fraction = Annotated[
    float,
    BeforeValidator(parse_fraction),
    WithJsonSchema(
        {
            "description": "a fraction, like 1/16, 25 % or 0.25",
            "anyOf": [
                {"type": "string", "pattern": f"^({_RATIO.pattern}|{_PERCENT.pattern})$"},
                {"type": "number"},
            ],
        }
    ),
]


def _density(value: float) -> float:
    if not 0 < value <= 1:
        raise ValueError(f"found {value:g}; allowed: a density above 0 and at most 1, like 1/16")
    return value


Density = Annotated[Fraction, AfterValidator(_density)]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegativeFloat = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Momentum = Annotated[float, Field(ge=0, lt=1)]
PositiveInt = Annotated[int, Field(gt=0, le=2**31 - 1)]
Targets = Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]


class Settings(BaseModel):
    """Base of all settings: strict, frozen, no unknown keys."""

    # Pydantic builds the validator of a class at its first use: most are only used inside another.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


def newer(default: object) -> Any:
    """A field added after the first recordings: excluded from digests while it is `default`."""
    return Field(default=default, exclude_if=lambda value: value == default)


Way = Literal["down", "up"]
ValueType = Literal["fp32", "fp16", "int8", "int4"]
Rounding = Literal["nearest", "stochastic"]  # of int8 and int4; floats round to nearest


class OneWay(Settings):
    """Value type and rounding for one direction; None means the setting for both."""

    values: ValueType | None = None
    rounding: Rounding | None = None


class Wire(Settings):
    """Encoding of messages. `auto` chooses the smallest format for each message."""

    format: Literal["auto", "dense", "bitmask", "coo", "rice"] = "auto"
    values: ValueType = "fp32"
    rounding: Rounding = newer("nearest")
    down: OneWay | None = newer(None)
    up: OneWay | None = newer(None)

    def way(self, way: Way) -> tuple[ValueType, Rounding]:
        """The value type and the rounding of messages in one direction."""
        own = (self.down if way == "down" else self.up) or OneWay()
        values = own.values or self.values
        rounding = own.rounding or self.rounding
        return values, rounding if values.startswith("int") else "nearest"
