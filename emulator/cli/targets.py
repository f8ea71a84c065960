"""Targets and budgets on the command line: callbacks of options."""

import math
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from emulator.results.target_sweep import Budget

MOST = 1000  # values of a range


def target(_: click.Context, __: click.Parameter, text: str | None) -> float | None:
    """One value: '50%', '0.5' or '1.2'."""
    if text is None:
        return None
    try:
        return _number(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}; allowed: a number above 0, like 50% or 1.2") from None


def targets(_: click.Context, __: click.Parameter, text: str | None) -> list[float] | None:
    """Values '50%,70%', or a range 'FIRST:LAST:STEP', in the order given."""
    if text is None:
        return None
    try:
        return [value for part in text.split(",") for value in _values(part.strip())]
    except ValueError as error:
        told = f"{error}; allowed: values like 50%,70% or a range like 50%:80%:5%"
        raise click.BadParameter(told) from None


def _values(text: str) -> list[float]:
    parts = [_number(each) for each in text.split(":")]
    if len(parts) == 1:
        return parts
    if len(parts) != 3:
        raise ValueError(f"found {text!r}")
    first, last, step = parts
    count = math.floor(abs(last - first) / step + 1e-9) + 1
    if count > MOST:
        raise ValueError(f"found {count:,} values in {text!r}, more than {MOST:,}")
    sign = 1 if last >= first else -1
    return [round(first + sign * k * step, 10) for k in range(count)]


def _number(text: str) -> float:
    from flasc.common.settings import parse_fraction

    try:
        value = parse_fraction(text if {"%", "/"} & set(text) else float(text))
    except ValueError:
        value = 0.0
    if value <= 0:
        raise ValueError(f"found {text!r}")
    return value


def budgets(_: click.Context, __: click.Parameter, text: str | None) -> list["Budget"] | None:
    """Durations and sizes: '30s,5min,100MB'."""
    return None if text is None else [_budget(part.strip()) for part in text.split(",")]


def _budget(text: str) -> "Budget":
    from emulator.common.units import parse_duration, parse_size
    from emulator.results.target_sweep import Budget

    for name, read in (("seconds", parse_duration), ("nbytes", parse_size)):
        try:
            found: float = read(text)
        except ValueError:
            continue
        if found > 0:
            return Budget(**{name: found})
    allowed = "durations and sizes, like 30s,5min,100MB"
    raise click.BadParameter(f"found {text!r}; allowed: {allowed}")
