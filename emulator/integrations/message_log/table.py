"""Reads a message log in CSV: '# key: value' lines, the names of the columns, a record per row.

A line at the beginning that has a '#' and no colon is a comment.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from emulator.common.text import printable, short_repr, suggestion
from emulator.integrations.message_log import jsonl
from emulator.integrations.message_log.jsonl import Numbered
from emulator.integrations.message_log.problems import problem, validated
from emulator.integrations.message_log.records import KINDS, MARK, VERSION, Header, Kinds, kinds
from flasc.common.settings import Settings

Row = tuple[int, list[str]]
START = f"begin the file with '# {MARK}: {VERSION}', '# run: ...' and '# method: ...'"
COLUMNS = tuple(dict.fromkeys(name for model in KINDS.values() for name in model.model_fields))
_WHOLE = re.compile(r"[+-]?[0-9]{1,400}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def parse(text: str, path: Path) -> tuple[Header, list[Numbered], list[str]]:
    """The header, the other records with their lines, and remarks. Raises MessageLogError."""
    lines = text.split("\n")
    first = next((n for n, line in enumerate(lines) if not line.startswith("#")), len(lines))
    found = _header(lines[:first], path)
    table = list(rows("\n".join(lines[first:]), path, first))
    if not table:
        raise problem(path, None, "found no column names; allowed: kind, round, client, ...")
    (line, names), *cells = table
    names = [name.strip() for name in names]
    check_columns(names, path, line)
    kept, remarks = without_cut(cells, len(names), text, path)
    return found, list(_records(names, kept, kinds(found), path)), remarks


def rows(text: str, path: Path, before: int = 0) -> Iterator[Row]:
    """The rows of a table with their line numbers; empty ones are left out.

    `before` is the number of lines above the table. Raises MessageLogError.
    """
    reader = csv.reader(io.StringIO(text, newline="\n"), strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield before + reader.line_num, cells
    except csv.Error as error:
        line = before + reader.line_num
        raise problem(path, line, f"found no CSV: {str(error)[:100]}") from None


def without_cut(
    cells: Sequence[Row], width: int, text: str, path: Path
) -> tuple[Sequence[Row], list[str]]:
    """The rows without a last one that was cut off, and remarks about a missing line end."""
    if not cells or text.endswith("\n"):
        return cells, []
    line, last = cells[-1]
    if len(last) < width:
        return cells[:-1], [f"{path}:{line}: the last line is cut off: it is left out"]
    return cells, [f"{path}:{line}: the last line has no line end: its last number may be cut off"]


def check_columns(names: Sequence[str], path: Path, line: int) -> None:
    """Raise MessageLogError for a column that is unknown, missing or there twice."""
    for number, name in enumerate(names, 1):
        if name not in COLUMNS:
            commas = "; separate columns by commas" if len(names) == 1 else ""
            text = f"column {number}: found {short_repr(name)}{suggestion(name, COLUMNS)}{commas}"
            raise problem(path, line, text)
        if name in names[: number - 1]:
            raise problem(path, line, f"column {number}: found {name} twice; allowed: once")


def _header(lines: Sequence[str], path: Path) -> Header:
    values: dict[str, Any] = {}
    places: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        key, colon, text = line.lstrip("#").partition(":")
        if not colon:
            continue  # a comment
        name = key.strip()
        if name in values:
            raise problem(path, number, f"{printable(name)}: found twice; allowed: once", START)
        values[name], places[name] = _typed(text.strip(), Header, name), f"line {number}"
    if MARK not in values:
        raise problem(path, 1, f"found no '# {MARK}: {VERSION}' at the beginning", START)
    return jsonl.header(values, path, 1, places)


def _records(
    names: Sequence[str], cells: Sequence[Row], models: Kinds, path: Path
) -> Iterator[Numbered]:
    columns = {name: f"column {number}" for number, name in enumerate(names, 1)}
    for line, row in cells:
        if len(row) != len(names):
            found = f"found {len(row)} cells; allowed: {len(names)}, one per column"
            raise problem(path, line, found)
        texts = {name: text.strip() for name, text in zip(names, row, strict=True) if text.strip()}
        kind = texts.pop("kind", "visit")
        if kind not in KINDS:
            found = f"{columns['kind']}, kind: found {short_repr(kind)}"
            raise problem(path, line, found + suggestion(kind, list(KINDS)))
        values = {name: _typed(text, models[kind], name) for name, text in texts.items()}
        yield line, validated(models[kind], values, path, line, columns)


def _typed(text: str, model: type[Settings], name: str) -> Any:
    """The text of a cell as the type of its field; as it is if it does not have that type."""
    kinds = _types(model.model_fields[name].annotation) if name in model.model_fields else set()
    if bool in kinds:
        return _BOOLEANS.get(text.lower(), text)
    if int in kinds and _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if float in kinds and _NUMBER.fullmatch(text) else text


def _types(annotation: Any) -> set[Any]:
    """The plain types in an annotation; a version (Literal) is a whole number."""
    inside = get_args(annotation)[: 1 if get_origin(annotation) is Annotated else None]
    if not inside:
        return {int} if type(annotation) is int else {annotation}
    return set().union(*map(_types, inside))
