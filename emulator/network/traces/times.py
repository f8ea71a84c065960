"""Times in the cells of a table: numbers with a unit, ISO 8601, or a pattern of `strptime`."""

import functools
import re
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Annotated

import numpy as np
from pydantic import AfterValidator

from emulator.common.csv_files import CsvTable, name_end
from emulator.common.errors import ScenarioError
from emulator.common.text import short_repr
from emulator.common.text_files import SMALLEST
from emulator.network.traces.samples import Floats

UNITS_S = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "min": 60.0, "h": 3600.0}
ALLOWED = f"{', '.join(UNITS_S)}, iso, or a pattern like '%Y-%m-%d %H:%M:%S'"
LATEST = 1e21  # ns in 30,000 years


def _known(format: str) -> str:
    if format != "iso" and format not in UNITS_S and "%" not in format:
        raise ValueError(f"found {short_repr(format)}; allowed: {ALLOWED}")
    return format


TimeFormat = Annotated[str, AfterValidator(_known)]


def read_times(table: CsvTable, column: int, format: str | None) -> Floats:
    """Seconds from the first row on, float64 [rows]. Raises ScenarioError.

    `format` is a unit, `iso`, or a pattern of `strptime`. None: the end of the column's name, like
    time_ms, or `iso` if the first cell is such a time. A time without a zone is in UTC.
    """
    if not table.rows:
        return np.empty(0)
    format = format or _guessed(table, column)
    parse = _reader(format)
    values = []
    for line, row in table.rows:
        try:
            values.append(parse(row[column]))
        except (ValueError, OverflowError, re.error):
            found = f"found time {short_repr(row[column])}"
            raise ScenarioError(
                f"{table.name}:{line}: {found}; allowed: time_format {short_repr(format)}"
            ) from None
    return (np.array(values) - values[0]) * UNITS_S.get(format, 1.0)


def spread(times_s: Floats) -> tuple[Floats, float | None]:
    """Times in which rows of one time share the time until the next one, and the end of the last.

    The last time lasts as long as the one before it. The end is None if there is only one time.
    """
    starts_s, first, counts = np.unique(times_s, return_index=True, return_counts=True)
    if len(starts_s) < 2 or (np.diff(times_s) < 0).any():
        return times_s, None
    end_s = 2 * starts_s[-1] - starts_s[-2]
    shares_s = np.diff(starts_s, append=end_s) / counts
    within = np.arange(len(times_s)) - np.repeat(first, counts)
    return np.repeat(starts_s, counts) + within * np.repeat(shares_s, counts), float(end_s)


def _guessed(table: CsvTable, column: int) -> str:
    name, (line, row) = table.header[column], table.rows[0]
    unit = name_end(name)
    if unit in UNITS_S and unit != name:
        return unit
    try:
        _iso(row[column])
    except ValueError:
        found = f"found time {short_repr(row[column])} in column {short_repr(name)}, without a unit"
        raise ScenarioError(
            f"{table.name}:{line}: {found}; allowed: time_format {ALLOWED}"
        ) from None
    return "iso"


def _reader(format: str) -> Callable[[str], float]:
    """What makes a number of a cell, in the unit of `format` or in seconds since 1970."""
    if format in UNITS_S:
        return _number
    parse = _iso if format == "iso" else functools.partial(_by_pattern, format)
    return functools.lru_cache(maxsize=64)(parse)  # rows may have equal times


def _number(cell: str) -> float:
    value = float(cell)
    if not (value == 0 or SMALLEST <= abs(value) <= LATEST):
        raise ValueError(cell)
    return value


def _iso(cell: str) -> float:
    return _since_1970(datetime.fromisoformat(re.sub("[zZ]$", "+00:00", cell)))


def _by_pattern(pattern: str, cell: str) -> float:
    return _since_1970(datetime.strptime(cell, pattern))


def _since_1970(time: datetime) -> float:
    return (time if time.tzinfo else time.replace(tzinfo=timezone.utc)).timestamp()
