"""Tables of speed tests, whose rows clients draw as they are: down, up and RTT together."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr, model_validator
from typing_extensions import Self

from emulator.common.csv_files import CsvTable, is_missing, name_end, number, parse_csv
from emulator.common.distributions import Floats
from emulator.common.errors import ScenarioError
from emulator.common.text import printable, short_repr, suggestion
from emulator.common.text_files import MAX_PIECES, read_text
from emulator.common.units import parse_duration
from emulator.network.traces.columns import ColumnName, RateUnit, rate_unit
from flasc.common.settings import Settings

Value = str | int | float
Values = Value | Annotated[list[Value], Field(min_length=1)]
FEW = 12  # values of a column in a message
RTT_UNITS = "s, ms or us"


class RowColumns(Settings):
    """The columns of a table that clients draw, by name.

    `weight` is a column of numbers: a row is drawn in proportion to its own.
    """

    down: ColumnName
    """download rates"""
    up: ColumnName | None = None
    """upload rates; none: give `up` beside the table"""
    rtt: ColumnName | None = None
    """RTTs; none: give `rtt` beside the table"""
    weight: ColumnName | None = None
    """a row is drawn in proportion to its number here; none: all rows are equally likely"""


class SpeedTests(Settings):
    """A table of measurements, a CSV file: each client draws one row, and all its columns.

    `unit` is that of the rates and `rtt_unit` that of the RTT; without, the ends of the columns'
    names say them, like down_Mbps and latency_ms. `where` selects rows by the values of columns.
    Rows without a number in a used column, or with a rate of 0, are left out.
    """

    file: str
    """the table, with a header; a path from this scenario's folder"""
    columns: RowColumns
    """the columns that clients draw"""
    unit: RateUnit | None = None
    """unit of the rates; none: the end of the column's name, like down_Mbps"""
    rtt_unit: str | None = None
    """unit of the RTTs; none: the end of the column's name, like latency_ms"""
    where: dict[ColumnName, Values] = Field(default_factory=dict)
    """only rows with these values in these columns; none: all rows"""
    _drawn: dict[str, Floats] = PrivateAttr()
    _selected: int = PrivateAttr()

    @model_validator(mode="after")
    def _read(self) -> Self:
        try:
            table = parse_csv(read_text(Path(self.file)), self.file)
            rows = _selected(table, self.where)
            self._selected, self._drawn = len(rows), self._sorted(table, rows)
        except ScenarioError as error:
            raise ValueError(error.message) from None
        return self

    def _sorted(self, table: CsvTable, rows: list[tuple[int, list[str]]]) -> dict[str, Floats]:
        """The used columns in bits/s and seconds, slowest row first: a larger draw is faster."""
        units = self._units(table)
        at = {key: table.column(getattr(self.columns, key)) for key in units}
        whole = [
            [number(row[column], f"{table.name}:{line}") for column in at.values()]
            for line, row in rows
            if not any(is_missing(row[column]) for column in at.values())
        ]
        values = np.array(whole, np.float64).reshape(-1, len(at)) * list(units.values())
        found = dict(zip(at, values.T, strict=True))
        kept = np.all([found[way] > 0 for way in ("down", "up") if way in found], axis=0)
        weight = found.get("weight", np.ones(len(values)))
        if not 0 < len(values[kept]) <= MAX_PIECES or not weight[kept].any():
            what = f"{kept.sum()} rows with {', '.join(at)}, of {len(rows)}"
            allowed = f"1 to {MAX_PIECES:,}, with rates (and weights) above 0"
            raise ScenarioError(f"{table.name}: found {what}; allowed: {allowed}")
        found = {"weight": weight} | found
        order = np.lexsort([found[key][kept] for key in ("rtt", "up", "down") if key in found])
        return {key: column[kept][order] for key, column in found.items()}

    def _units(self, table: CsvTable) -> dict[str, float]:
        """What a number of each used column is, in bits/s or seconds."""
        units = {"down": 8 * rate_unit(table, self.columns.down, self.unit)}
        if self.columns.up:
            units["up"] = 8 * rate_unit(table, self.columns.up, self.unit)
        if self.columns.rtt:
            units["rtt"] = _seconds(table, self.columns.rtt, self.rtt_unit)
        return units | ({"weight": 1.0} if self.columns.weight else {})

    def rows(self, u: Floats) -> NDArray[np.int64]:
        """The number of the row at each of the uniforms `u`, int64, like `u`."""
        heights = np.cumsum(self._drawn["weight"])
        at = np.searchsorted(heights / heights[-1], u, side="right")
        return at.clip(max=len(heights) - 1)

    def column(self, key: str) -> Floats:
        """`down` and `up` in bits/s, `rtt` in seconds, float64 [rows]."""
        return self._drawn[key]

    @property
    def remarks(self) -> list[str]:
        """A remark about rows that are left out; or none."""
        if self._selected == len(self._drawn["down"]):
            return []
        used = self.columns.model_dump(exclude_none=True).values()
        return [
            f"{printable(self.file)}: clients draw {len(self._drawn['down']):,} of "
            f"{self._selected:,} rows: in the others, a value of "
            f"{', '.join(map(printable, used))} is missing, or a rate is 0"
        ]

    def __str__(self) -> str:
        return f"{printable(Path(self.file).name)} ({len(self._drawn['down']):,} rows)"


def columns_of(table: object) -> list[str]:
    """The quantities of a client that a table has, before or after its validation."""
    columns = table.get("columns") if isinstance(table, Mapping) else getattr(table, "columns", {})
    given = columns if isinstance(columns, Mapping) else dict(columns or {})
    return [key for key in ("down", "up", "rtt") if given.get(key) is not None]


def _selected(table: CsvTable, where: Mapping[str, Values]) -> list[tuple[int, list[str]]]:
    """The rows whose columns have the values of `where`. Raises ScenarioError."""
    rows = table.rows
    for name, values in where.items():
        column = table.column(name)
        wanted = [str(value) for value in (values if isinstance(values, list) else [values])]
        known = list(dict.fromkeys(row[column] for _, row in table.rows))
        for value in wanted:
            if value not in known:
                found = f"found no row with {short_repr(value)} in {short_repr(name)}"
                there = suggestion(value, [printable(each) for each in known[:FEW]])
                raise ScenarioError(f"{table.name}: {found}{there or '; allowed: none'}")
        rows = [(line, row) for line, row in rows if row[column] in wanted]
    return rows


def _seconds(table: CsvTable, column: str, unit: str | None) -> float:
    """Seconds of a column's unit: `unit`, or what the end of its name says."""
    try:
        return parse_duration(f"1 {unit or name_end(column)}")
    except ValueError:
        found = f"found column {short_repr(column)} without a unit of time"
        where = f"{table.name}:{table.header_line}"
        raise ScenarioError(f"{where}: {found}; allowed: rtt_unit {RTT_UNITS}") from None
