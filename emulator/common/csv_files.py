"""Reads CSV with a header as rows of texts. Nothing in the text is executed."""

import csv
import re
from dataclasses import dataclass

from emulator.common.errors import ScenarioError
from emulator.common.text import counted, printable, short_repr, suggestion
from emulator.common.text_files import RANGE, is_number

DELIMITERS = ",;\t"
LISTED = 30  # columns in a message
_MISSING = frozenset({"", "-", "na", "n/a", "nan", "none", "null"})


@dataclass(frozen=True, slots=True)
class CsvTable:
    """The cells of a file named `name`, without spaces around them; each row has its line."""

    name: str
    header: list[str]
    header_line: int
    rows: list[tuple[int, list[str]]]

    @property
    def lines(self) -> list[int]:
        """The line of each row."""
        return [line for line, _ in self.rows]

    def column(self, name: str) -> int:
        """The position of a column. Raises ScenarioError, with similar names."""
        if self.header.count(name) == 1:
            return self.header.index(name)
        where = f"{self.name}:{self.header_line}"
        if name in self.header:
            found = f"found {counted(self.header.count(name), 'column')} {short_repr(name)}"
            raise ScenarioError(f"{where}: {found}; allowed: one of that name")
        known = [printable(each) for each in self.header if each]
        more = [] if len(known) <= LISTED else [f"and {len(known) - LISTED} more"]
        near = suggestion(name, known).split("allowed: ")[0]
        raise ScenarioError(
            f"{where}: found no column {short_repr(name)}{near or '; '}allowed: "
            f"{', '.join(known[:LISTED] + more) or 'a header with names'}"
        )

    def numbers(self, column: int) -> list[float]:
        """A column as numbers, which are 0 or in RANGE. Raises ScenarioError."""
        return [number(row[column], f"{self.name}:{line}") for line, row in self.rows]


def parse_csv(text: str, name: str) -> CsvTable:
    """The rows of `text`, which is the content of the file `name`. Raises ScenarioError.

    Commas, semicolons or tabs separate cells, whichever the header has most of. Cells may be in
    double quotes (RFC 4180). Empty lines and lines that begin with # are skipped.
    """
    name = printable(name)
    lines = [
        "\n" if not line.strip() or line[0] == "#" else line
        for line in text.splitlines(keepends=True)
    ]
    first = next((line for line in lines if line != "\n"), "")
    delimiter = max(DELIMITERS, key=first.count)
    reader = csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=delimiter != "\t")
    rows: list[tuple[int, list[str]]] = []
    try:
        for cells in reader:
            if cells:
                rows.append((reader.line_num, [cell.strip() for cell in cells]))
    except csv.Error as error:
        raise ScenarioError(f"{name}:{reader.line_num}: found no CSV: {error}") from None
    if not rows:
        return CsvTable(name, [], 1, [])
    (header_line, header), *rows = rows
    for line, row in rows:
        if len(row) != len(header):
            found = f"found {len(row)} cells"
            raise ScenarioError(f"{name}:{line}: {found}; allowed: {len(header)}, as in the header")
    return CsvTable(name, header, header_line, rows)


def name_end(column: str) -> str:
    """What may be the unit in a column's name, like that in down_Mbps or 'speed (kbps)'."""
    return re.split(r"[\s_(\[]", column.rstrip(")]"))[-1]


def is_missing(cell: str) -> bool:
    """Whether a cell says that there is no value: it is empty, '-', 'NA' or the like."""
    return cell.casefold() in _MISSING


def number(cell: str, where: str) -> float:
    """The number in a cell, 0 or in RANGE. Raises ScenarioError that begins with `where`."""
    try:
        value = float(cell)
    except ValueError:
        value = -1.0
    if not is_number(value):
        raise ScenarioError(f"{where}: found {short_repr(cell)}; allowed: a number, 0 or {RANGE}")
    return value
