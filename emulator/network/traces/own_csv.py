"""The CSV of flasc-emu: `time_s`, then rates whose columns end in their unit."""

import re

import numpy as np

from emulator.common.csv_files import CsvTable, parse_csv
from emulator.common.errors import ScenarioError
from emulator.common.text import nearest, short_repr
from emulator.common.units import parse_rate
from emulator.network.tcp import Direction
from emulator.network.traces.samples import Samples, until_next
from emulator.network.traces.times import UNITS_S

HEADER = (
    "time_s, then rate_UNIT or down_UNIT and up_UNIT, like time_s,down_Mbps,up_Mbps; or any names, "
    "with columns in the scenario"
)
WAYS: tuple[Direction, ...] = ("down", "up")
_COLUMN = re.compile(r"(rate|down|up)_(\w+)")
_UNITS = ("MBps", "kBps", "Bps", "Gbps", "bps", "kbps", "Mbps")  # of equal names, the last is meant
_OTHER_TIMES = [f"time_{unit}" for unit in UNITS_S if unit != "s"]
_NAMES = ["time_s", *(f"{way}_{unit}" for unit in _UNITS for way in ("rate", "down", "up"))]


def read_csv(text: str, name: str) -> Samples:
    """Reads a table of rates in time. Raises ScenarioError.

    The header has `time_s` and rates with units as in `parse_rate`, without a slash: bps, kbps,
    Mbps, Gbps, Bps, kBps, MBps. `rate_UNIT` is for both directions; otherwise there is `down_UNIT`,
    `up_UNIT` or both. The rates of a row hold from its time until that of the next row. Times
    increase and count from the first row; the last row lasts as long as the one before it.
    """
    table = parse_csv(text, name)
    if not table.header:
        raise ScenarioError(f"{table.name}: found no rows; allowed: a header, {HEADER}")
    units = _columns(table)
    times_s = np.array(table.numbers(0))
    times_s -= times_s[:1].sum()  # none of an empty table
    rates = {way: np.array(table.numbers(n)) * unit for way, (n, unit) in units.items()}
    return Samples(name, times_s, rates, until_next(times_s), table.lines).checked()


def _columns(table: CsvTable) -> dict[Direction, tuple[int, float]]:
    """For each direction: its column, and the unit of that in bytes/s."""
    where = f"{table.name}:{table.header_line}"
    columns: list[tuple[Direction, tuple[int, float]]] = []
    for number, cell in enumerate(table.header[1:], 1):
        match = _COLUMN.fullmatch(cell)
        try:
            unit_Bps = parse_rate(f"1 {match[2] if match else ''}") / 8
        except ValueError:
            found = f"found column {short_repr(cell)}"
            raise ScenarioError(f"{where}: {found}{_meant(cell)} allowed: {HEADER}") from None
        assert match
        columns += [(way, (number, unit_Bps)) for way in WAYS if match[1] in (way, "rate")]
    if table.header[0] != "time_s" or not columns or len(dict(columns)) < len(columns):
        found = f"found {short_repr(','.join(table.header))}"
        meant = _meant(table.header[0]) if table.header[0] != "time_s" else ";"
        raise ScenarioError(f"{where}: {found}{meant} allowed: {HEADER}")
    return dict(columns)


def _meant(cell: str) -> str:
    near = None if cell in _OTHER_TIMES else nearest(cell, _NAMES, least=0.65)
    return f"; did you mean {near!r}?" if near else ";"
