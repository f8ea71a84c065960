"""The formats of traces, and which of them a file has."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from emulator.common.errors import ScenarioError
from emulator.common.text import printable
from emulator.common.text_files import read_text
from emulator.network.traces import irish
from emulator.network.traces.cooked import read_cooked
from emulator.network.traces.mahimahi import read_mahimahi
from emulator.network.traces.numbers import are_numbers
from emulator.network.traces.own_csv import read_csv
from emulator.network.traces.sabre import read_sabre
from emulator.network.traces.samples import Samples
from emulator.network.traces.six_columns import read_six_columns

Format = Literal["csv", "mahimahi", "cooked", "sabre", "six_columns", "irish"]


class TraceFormat(NamedTuple):
    """How a format is read, the files it is known by, and whether a first line is of it."""

    read: Callable[[str, str], Samples]
    suffixes: tuple[str, ...]
    begins: Callable[[str], bool]


def _never(_line: str) -> bool:
    """Stamps of Mahimahi are numbers like any other, so its suffixes decide."""
    return False


FORMATS: dict[Format, TraceFormat] = {
    "csv": TraceFormat(read_csv, (".csv",), lambda line: line.startswith(("time_s,", '"time_s",'))),
    "mahimahi": TraceFormat(read_mahimahi, (".down", ".mahi", ".trace", ".up"), _never),
    "cooked": TraceFormat(read_cooked, (), lambda line: are_numbers(line, 2)),
    "sabre": TraceFormat(read_sabre, (), lambda line: line.startswith("[")),
    "six_columns": TraceFormat(read_six_columns, (), lambda line: are_numbers(line, 6)),
    "irish": TraceFormat(irish.read_irish, (), irish.has_columns),
}


def read_trace(path: Path, format: Format | None = None) -> tuple[Format, Samples]:
    """The samples of a file, and its format (None: see `detect`). Raises ScenarioError."""
    text = read_text(path)
    found = format or detect(text, path)
    return found, FORMATS[found].read(text, str(path))


def detect(text: str, path: Path) -> Format:
    """The format of a file by its first line, or by its suffix. Raises ScenarioError."""
    lines = (line.strip() for line in text.splitlines())
    first = next((line for line in lines if line and line[0] != "#"), "")
    suffix = path.suffix.lower()
    for name, format in FORMATS.items():
        if format.begins(first):
            return name
    for name, format in FORMATS.items():
        if suffix in format.suffixes:
            return name
    found = f"found no format for a file named {printable(path.name)}"
    allowed = f"format {', '.join(get_args(Format))}, or columns"
    raise ScenarioError(f"{found}; allowed: {allowed}")
