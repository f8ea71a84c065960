"""The base class of settings, and types of their fields. Torch-free."""

import contextlib
import fractions
import math
import re
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    WithJsonSchema,
)
from pydantic_core import CoreSchema

from flasc.common.errors import suggestion
from flasc.common.field_texts import field_texts, plain
from flasc.common.tagged_unions import ShortForm

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


def fraction_schema(form: str) -> WithJsonSchema:
    """JSON Schema of a fraction; `form` describes it, like 'a fraction, like 1/16 or 0.25'."""
    text = {"type": "string", "pattern": f"^({_RATIO.pattern}|{_PERCENT.pattern})$"}
    return WithJsonSchema({"description": form, "anyOf": [text, {"type": "number"}]})


Fraction = Annotated[
    float, BeforeValidator(parse_fraction), fraction_schema("a fraction, like 1/16, 25 % or 0.25")
]


def _density(value: float) -> float:
    if not 0 < value <= 1:
        raise ValueError(f"found {value:g}; allowed: a density above 0 and at most 1, like 1/16")
    return value


def as_density(text: object) -> float:
    """A share of the entries from '1/16', '25 %' or 0.25. Raises ValueError for anything else."""
    return _density(parse_fraction(text))


Density = Annotated[
    Fraction,
    AfterValidator(_density),
    fraction_schema("a fraction above 0 to 1, like 1/16, 25 % or 0.25"),
]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegativeFloat = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Momentum = Annotated[float, Field(ge=0, lt=1)]
PositiveInt = Annotated[int, Field(gt=0, le=2**31 - 1)]
Targets = Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]


class Settings(BaseModel):
    """Base of all settings: strict, frozen, no unknown keys.

    The text below a field is its description in the JSON Schema and in the reference of keys.
    """

    # Pydantic builds the validator of a class at its first use: most are only used inside another.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        found = handler(schema)
        properties = handler.resolve_ref_schema(found).get("properties", {})
        for name, text in field_texts(cls).items():
            if name in properties:
                form = properties[name].get("description")
                properties[name]["description"] = plain(text) + (f" ({form})" if form else "")
        return found


def newer(default: object) -> Any:
    """A field added after the first recordings: excluded from digests while it is `default`."""
    return Field(default=default, exclude_if=lambda value: value == default)


Way = Literal["down", "up"]
Format = Literal["auto", "dense", "bitmask", "coo", "rice"]
FORMATS: dict[Format, str] = {
    "auto": "The smallest of the others, for each message.",
    "dense": "No index: all values are sent, also those that are zero.",
    "bitmask": "An index with one bit for each entry of the vector.",
    "coo": "An index with 4 bytes for each value that is sent.",
    "rice": "An index of about log2(n/k) + 1.5 bits for each of k values of n.",
}
ValueType = Literal["fp32", "fp16", "int8", "int4"]
VALUE_TYPES: dict[ValueType, str] = {
    "fp32": "32 bits per value, exact.",
    "fp16": "16 bits per value, rounded to the nearest.",
    "int8": "8.5 bits per value: 127 steps on each side of zero, with a scale per block.",
    "int4": "4.5 bits per value: 7 steps on each side of zero, with a scale per block.",
}
Rounding = Literal["nearest", "stochastic"]  # of int8 and int4; floats round to nearest


class OneWay(Settings):
    """Value type and rounding for one direction; None means the setting for both."""

    values: ValueType | None = None
    """none: the value for both directions"""
    rounding: Rounding | None = None
    """none: the value for both directions"""


def short_wire(**keys: tuple[str, ...]) -> ShortForm:
    """The short form of a wire: a name alone is the value of the key that has this name."""
    key_of = {name: key for key, names in keys.items() for name in names}

    def as_wire(value: object) -> object:
        if not isinstance(value, str):
            return value
        if value not in key_of:
            near = suggestion(value, [*key_of])
            allowed = f"allowed: {', '.join(key_of)}, or a mapping"
            raise ValueError(f"found {value!r}; {near} {allowed}".replace(";  ", "; "))
        return {key_of[value]: value}

    about = f"the name of its {' or '.join(keys)} alone"
    return ShortForm(as_wire, names=tuple(key_of), about=about)


OneWayForm = Annotated[OneWay, short_wire(values=get_args(ValueType))]


class Wire(Settings):
    """Encoding of messages. `auto` chooses the smallest format for each message."""

    format: Format = "auto"
    """index of a sparse message; `auto`: the smallest for each message"""
    values: ValueType = "fp32"
    """number format of the values"""
    rounding: Rounding = newer("nearest")
    """rounding of `int8` and `int4`; stochastic rounding is unbiased"""
    down: OneWayForm | None = newer(None)
    """differences for downloads"""
    up: OneWayForm | None = newer(None)
    """differences for uploads"""

    def way(self, way: Way) -> tuple[ValueType, Rounding]:
        """The value type and the rounding of messages in one direction."""
        own = (self.down if way == "down" else self.up) or OneWay()
        values = own.values or self.values
        rounding = own.rounding or self.rounding
        return values, rounding if values.startswith("int") else "nearest"


WireForm = Annotated[Wire, short_wire(values=get_args(ValueType), format=get_args(Format))]
