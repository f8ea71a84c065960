"""Sweeps: axes of `vary` that give one setting a list or a range of numbers.

    vary:
      network.clients.up: [20 Mbps, 5 Mbps, 1.25 Mbps]
      network.clients.rtt: {from: 10 ms, to: 400 ms, points: 5, scale: log}

Each value is a labelled point, like 'up 5 Mbps', and stays a number in bit/s, s, B, FLOP/s or 1.
"""

import contextlib
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from pydantic import BeforeValidator, GetJsonSchemaHandler
from pydantic_core import CoreSchema

from emulator.common.errors import FieldError, ScenarioError
from emulator.common.text import short_repr, suggestion
from emulator.common.units import parse_duration, parse_rate, parse_size, parse_speed
from emulator.scenario.key_path import parse_path
from flasc.common.settings import parse_fraction

Unit = Literal["1", "bit/s", "s", "B", "FLOP/s"]
Written = str | int | float  # a number as in a scenario: '20 Mbps', '1/4' or 4

RANGE_KEYS = ("from", "to", "points", "scale")
SCALES = ("linear", "log")
MAX_POINTS = 1_000  # of one range
DIGITS = 4  # of the values of a range; each is what its label says
FORM = "a list, like [20 Mbps, 5 Mbps], or {from: 20 Mbps, to: 1 Mbps, points: 5, scale: log}"

_UNITS: dict[Unit, Callable[[object], float]] = {
    "1": parse_fraction,
    "bit/s": parse_rate,
    "s": parse_duration,
    "B": parse_size,
    "FLOP/s": parse_speed,
}
_STEPS: dict[Unit, tuple[tuple[float, str], ...]] = {  # smallest first
    "bit/s": ((1, "bps"), (1e3, "kbps"), (1e6, "Mbps"), (1e9, "Gbps"), (1e12, "Tbps")),
    "s": ((1e-6, "us"), (1e-3, "ms"), (1, "s")),
    "B": ((1, "B"), (1e3, "kB"), (1e6, "MB"), (1e9, "GB")),
    "FLOP/s": ((1, "FLOP/s"), (1e6, "MFLOP/s"), (1e9, "GFLOP/s"), (1e12, "TFLOP/s")),
}
_SPACED = re.compile(r"\s*([-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*([A-Za-zµ%].*?)\s*")


class Quantity(NamedTuple):
    """A number as it is written, its value, and the unit of the value."""

    written: Written
    value: float
    unit: Unit

    @property
    def text(self) -> str:
        """The number with one space before its unit."""
        match = _SPACED.fullmatch(self.written) if isinstance(self.written, str) else None
        return f"{match[1]} {match[2]}" if match else str(self.written).strip()


class SweptValue(NamedTuple):
    """One value of a swept setting; `label` is its label on the axis."""

    path: str
    label: str
    quantity: Quantity


def sweeps(vary: object) -> dict[str, list[SweptValue]]:
    """The values of each axis of `vary` that is a sweep. Raises FieldError."""
    if not isinstance(vary, Mapping):
        return {}
    swept = {str(path): axis for path, axis in vary.items() if is_sweep(axis)}
    names = dict(zip(swept, _names([_parsed(path) for path in swept]), strict=True))
    return {
        path: [SweptValue(path, f"{names[path]} {each.text}", each) for each in _values(path, axis)]
        for path, axis in swept.items()
    }


def labelled(vary: object) -> object:
    """`vary` with each sweep as labelled points: {label: {path: number}}. Raises FieldError."""
    found = sweeps(vary)
    if not (found and isinstance(vary, Mapping)):
        return vary
    points = {
        path: {each.label: {path: each.quantity.written} for each in values}
        for path, values in found.items()
    }
    return {axis: points.get(axis, of) for axis, of in vary.items()}


def is_sweep(axis: object) -> bool:
    """Whether an axis of `vary` is a list or a range; the points of other axes are mappings."""
    if isinstance(axis, Mapping):
        return any(key in axis and not isinstance(axis[key], Mapping) for key in RANGE_KEYS)
    return isinstance(axis, list)


class Sweeps(BeforeValidator):
    """Lets the axes of `vary` be sweeps; the JSON Schema has their forms."""

    def __init__(self) -> None:
        super().__init__(labelled)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """The schema of labelled axes, or lists, or ranges."""
        found = handler(schema)
        number = {"type": ["string", "number"]}
        points = {"type": "integer", "minimum": 2, "maximum": MAX_POINTS}
        range_ = {
            "type": "object",
            "additionalProperties": False,
            "required": ["from", "to", "points"],
            "properties": {
                "from": {**number, "description": "the first value, with its unit"},
                "to": {**number, "description": "the last value, with its unit"},
                "points": {**points, "description": "number of values, with both ends"},
                "scale": {"enum": list(SCALES), "description": "equal distances, or equal ratios"},
            },
        }
        axes = [found["additionalProperties"], {"type": "array", "items": number}, range_]
        return {**found, "additionalProperties": {"anyOf": axes}}


def quantity(written: object) -> Quantity:
    """A number of a scenario in its own unit. Raises ValueError."""
    if isinstance(written, str | int | float):
        for unit, parse in _UNITS.items():
            with contextlib.suppress(ValueError):
                return Quantity(written, parse(written), unit)
    raise ValueError(
        f"found {short_repr(written)}; allowed: numbers with their units, like 20 Mbps, 40 ms, 1/4 "
        "or 8; give other values labels"
    )


def _parsed(path: str) -> tuple[str, ...]:
    try:
        steps = parse_path(path)
    except ScenarioError as error:
        raise FieldError((path,), error.message) from None
    if len(steps) == 1:
        raise FieldError(
            (path,),
            f"found values for {path!r}; allowed: values for the path of a setting, like "
            "network.clients.up: [1 Mbps, 4 Mbps], or labels, like upload: {slow: "
            "{network.clients.up: 1 Mbps}}",
        )
    return steps


def _names(paths: Sequence[Sequence[str]]) -> list[str]:
    """The last keys of each path: as many as it takes to tell the paths apart."""
    longest = max(map(len, paths), default=0)
    for length in range(1, longest + 1):
        names = [".".join(path[-length:]) for path in paths]
        if len(set(names)) == len(names):
            return names
    return [".".join(path) for path in paths]


def _values(path: str, axis: object) -> list[Quantity]:
    found = _of_range(path, axis) if isinstance(axis, Mapping) else _of_list(path, axis)
    if not found:
        raise FieldError((path,), f"found an empty list; allowed: {FORM}")
    units = dict.fromkeys(each.unit for each in found if each.value or each.unit != "1")
    if len(units) > 1:
        found_units = " and ".join(f"{each.text}" for each in _first_of_each(found))
        raise FieldError((path,), f"found {found_units}; allowed: values of one unit")
    unit: Unit = next(iter(units), "1")  # a plain 0 has the unit of the others
    if twice := next(_repeated(found), None):
        raise FieldError((path,), f"found {twice.text} twice; allowed: each value once")
    return [each._replace(unit=unit) for each in found]


def _first_of_each(found: Sequence[Quantity]) -> list[Quantity]:
    return list({each.unit: each for each in reversed(found)}.values())[::-1]


def _repeated(found: Sequence[Quantity]) -> Iterator[Quantity]:
    seen: set[float] = set()
    for each in found:
        if each.value in seen:
            yield each
        seen.add(each.value)


def _of_list(path: str, axis: object) -> list[Quantity]:
    assert isinstance(axis, list), "a sweep is a list or a range"
    try:
        return [quantity(written) for written in axis]
    except ValueError as error:
        raise FieldError((path,), str(error)) from None


def _of_range(path: str, axis: Mapping[str, object]) -> list[Quantity]:
    """The values of {from, to, points, scale}; both ends are as they are written."""
    for key in axis:
        if key not in RANGE_KEYS:
            raise FieldError((path, str(key)), f"unknown key{suggestion(str(key), RANGE_KEYS)}")
    for key in RANGE_KEYS[:3]:
        if axis.get(key) is None:
            raise FieldError((path, key), f"missing key; allowed: {FORM}")
    points, scale = axis["points"], axis.get("scale", SCALES[0])
    if isinstance(points, bool) or not (isinstance(points, int) and 2 <= points <= MAX_POINTS):
        told = f"found {short_repr(points)}; allowed: a whole number from 2 to {MAX_POINTS:,}"
        raise FieldError((path, "points"), told)
    if scale not in SCALES:
        told = f"found {short_repr(scale)}{suggestion(scale, SCALES)}"
        raise FieldError((path, "scale"), told)
    first, last = (_of_list(path, [axis[key]])[0] for key in ("from", "to"))
    if scale == "log" and min(first.value, last.value) <= 0:
        low = min(first, last, key=lambda each: each.value)
        told = f"found {low.text} with scale: log; allowed: values above 0, or scale: linear"
        raise FieldError((path,), told)
    unit = first.unit if first.value or last.unit == "1" else last.unit
    steps = [_step(first.value, last.value, k / (points - 1), scale) for k in range(1, points - 1)]
    return [first, *(_rounded(value, unit) for value in steps), last]


def _step(first: float, last: float, share: float, scale: object) -> float:
    if scale == "log":
        return math.exp((1 - share) * math.log(first) + share * math.log(last))
    return (1 - share) * first + share * last


def _rounded(value: float, unit: Unit) -> Quantity:
    """A value with a few digits, written in its unit: what a label says is what is simulated."""
    if unit not in _STEPS:
        short = float(f"{value:.{DIGITS}g}")
        return quantity(int(short) if short.is_integer() else short)
    steps = _STEPS[unit]
    scale, name = next(((s, n) for s, n in reversed(steps) if abs(value) >= s), steps[0])
    return quantity(f"{value / scale:.{DIGITS}g} {name}")
