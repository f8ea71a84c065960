"""CSV files whose columns a scenario names."""

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field, model_validator
from typing_extensions import Self

from emulator.common.csv_files import CsvTable, name_end, parse_csv
from emulator.common.errors import ScenarioError
from emulator.common.text import short_repr
from emulator.common.units import parse_rate
from emulator.network.tcp import Direction
from emulator.network.traces.samples import Samples
from emulator.network.traces.times import read_times, spread
from flasc.common.settings import Settings

UNITS = "bps, kbps, Mbps, Gbps, Bps, kBps or MBps"


def _is_rate(unit: str) -> str:
    unit_bytes(unit)
    return unit


def unit_bytes(unit: str) -> float:
    """Bytes/s of a unit of rates. Raises ValueError."""
    try:
        return parse_rate(f"1 {unit}") / 8
    except ValueError:
        raise ValueError(f"found {short_repr(unit)}; allowed: {UNITS}") from None


RateUnit = Annotated[str, AfterValidator(_is_rate)]
ColumnName = Annotated[str, Field(min_length=1, max_length=200)]


class Columns(Settings):
    """The columns of a CSV file: `time`, and `down`, `up` or both, which may be the same."""

    time: ColumnName
    """times of the rows"""
    down: ColumnName | None = None
    """rates where the trace is a `down`"""
    up: ColumnName | None = None
    """rates where the trace is an `up`"""

    @model_validator(mode="after")
    def _has_rates(self) -> Self:
        if not (self.down or self.up):
            raise ValueError("found neither down nor up; allowed: one of them, or both")
        return self

    def of(self, direction: Direction) -> dict[Direction, str]:
        """The column of one direction; empty if it has none."""
        column = self.down if direction == "down" else self.up
        return {direction: column} if column else {}


def read_columns(
    text: str,
    name: str,
    time: str,
    rates: Mapping[Direction, str],
    unit: str | None = None,
    time_format: str | None = None,
) -> Samples:
    """Reads a column of times, and one of rates per direction, from a table. Raises ScenarioError.

    `unit` is that of the rates; None: the end of a column's name says it, like down_Mbps or
    'speed (kbps)'. `time_format` is as in `read_times`. The rates of a row hold from its time until
    that of the next row. Rows of one time share the time until the next one equally.
    """
    table = parse_csv(text, name)
    if not table.header:
        raise ScenarioError(f"{table.name}: found no rows; allowed: a header with names")
    times_s, end_s = spread(read_times(table, table.column(time), time_format))
    rates_Bps = {
        way: np.array(table.numbers(table.column(column))) * rate_unit(table, column, unit)
        for way, column in rates.items()
    }
    return Samples(name, times_s, rates_Bps, end_s, table.lines).checked()


def rate_unit(table: CsvTable, column: str, unit: str | None) -> float:
    """Bytes/s of a column's unit: `unit`, or what the end of its name says.

    Raises ScenarioError if neither is given.
    """
    try:
        return unit_bytes(unit or name_end(column))
    except ValueError:
        found = f"found column {short_repr(column)} without a unit"
        where = f"{table.name}:{table.header_line}"
        raise ScenarioError(f"{where}: {found}; allowed: unit {UNITS}") from None
