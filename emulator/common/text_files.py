"""Reads untrusted text files of limited size without executing anything in them."""

import json
from pathlib import Path
from typing import Any

from emulator.common.errors import EmulatorError, ScenarioError
from emulator.common.text import printable, short_repr

MAX_BYTES = 16 << 20
MAX_PIECES = 1_000_000  # of a profile; also devices of a table
SMALLEST, LARGEST = 1e-15, 1e15  # of nonzero numbers in any unit, so that sums stay finite
RANGE = f"{SMALLEST:g} to {LARGEST:g}"


def read_text(
    path: Path,
    binary: str = "save the file as UTF-8 text",
    most: int | None = None,
    error: type[EmulatorError] = ScenarioError,
) -> str:
    """The text of a file of at most `most` bytes (None: MAX_BYTES). Raises `error`.

    `binary` is the hint if the file is not UTF-8.
    """
    name, most = printable(str(path)), most or MAX_BYTES
    try:
        if not path.is_file():
            found = "found a directory or device" if path.exists() else "no such file"
            raise error(f"{name}: {found}; allowed: a file", "check the path")
        with path.open("rb") as file:
            raw = file.read(most + 1)
    except (OSError, ValueError) as failure:
        reason = getattr(failure, "strerror", None) or failure
        raise error(f"{name}: cannot be read: {reason}") from None
    if len(raw) > most:
        raise error(f"{name}: found more than {most >> 20} MiB; allowed: less")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as bad:
        found = f"found byte 0x{raw[bad.start]:02x}"
        line = raw.count(b"\n", 0, bad.start) + 1
        raise error(f"{name}:{line}: {found}; allowed: UTF-8 text", binary) from None


def read_table(path: Path, columns: dict[str, bool], binary: str) -> dict[str, dict[str, float]]:
    """{device: {column: number}} of a JSON object of objects, in its order.

    `columns` is {column: whether it may be zero}; other columns are excluded. Raises
    ScenarioError.
    """
    name = printable(str(path))
    try:
        table = json.loads(read_text(path, binary), object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        raise ScenarioError(f"{name}:{error.lineno}: found no JSON: {error.msg}", binary) from None
    except (ValueError, RecursionError) as error:
        raise ScenarioError(f"{name}: cannot be read: {error}", binary) from None
    if not isinstance(table, dict) or not 0 < len(table) <= MAX_PIECES:
        found = f"{len(table)} devices" if isinstance(table, dict) else short_repr(table)
        raise ScenarioError(f"{name}: found {found}; allowed: 1 to {MAX_PIECES:,} devices by name")
    for device, row in table.items():
        where = f"{name}: {printable(device)}"
        if not isinstance(row, dict) or not columns.keys() <= row.keys():
            wanted = ", ".join(columns)
            raise ScenarioError(
                f"{where}: found {short_repr(row)}; allowed: a mapping with {wanted}"
            )
        for column, zero in columns.items():
            if not is_number(row[column]) or not (row[column] or zero):
                found, allowed = f"found {short_repr(row[column])}", "0, or " * zero + RANGE
                raise ScenarioError(f"{where}: {column}: {found}; allowed: {allowed}")
    return {device: {key: float(row[key]) for key in columns} for device, row in table.items()}


def is_number(value: Any) -> bool:
    """Whether it is 0 or a number in the range; booleans are not numbers."""
    return type(value) in (int, float) and (value == 0 or SMALLEST <= value <= LARGEST)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) < len(pairs):
        raise ValueError("found a name twice in one object; allowed: different names")
    return names


def unpickling(name: str, to: str) -> str:
    """A hint with a command that converts a pickle of FedScale to JSON; it is never run."""
    converted = f"json.dumps(pickle.load(open('{name}', 'rb')))"
    return (
        "FedScale publishes a pickle, which can run code when opened, so it is not read here; "
        f'if you trust yours: python -c "import json, pickle; print({converted})" > {to}'
    )
