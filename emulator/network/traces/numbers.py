"""Rows of numbers that spaces or tabs separate."""

from collections.abc import Iterator, Sequence

import numpy as np

from emulator.common.csv_files import number
from emulator.common.errors import ScenarioError
from emulator.common.text import printable, short_repr
from emulator.network.traces.samples import Floats


def read_numbers(
    text: str, name: str, cells: int, allowed: str, used: Sequence[int]
) -> tuple[list[int], Floats]:
    """(line of each row, float64 [rows, used]) of rows with this many cells.

    `used` are the columns to read. `allowed` says what a row has. Empty lines and # comments are
    skipped. Raises ScenarioError.
    """
    lines, values = [], []
    for line, row in _rows(text):
        where, found = f"{printable(name)}:{line}", row.split()
        if len(found) != cells:
            raise ScenarioError(f"{where}: found {short_repr(row)}; allowed: {allowed}")
        lines.append(line)
        values.append([number(found[column], where) for column in used])
    return lines, np.array(values, np.float64).reshape(-1, len(used))


def are_numbers(row: str, cells: int) -> bool:
    """Whether a line has this many numbers."""
    try:
        return len([float(cell) for cell in row.split()]) == cells
    except ValueError:
        return False


def _rows(text: str) -> Iterator[tuple[int, str]]:
    for line, row in enumerate(text.splitlines(), 1):
        if row.strip() and row[0] != "#":
            yield line, row
