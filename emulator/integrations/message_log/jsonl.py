"""Reads the lines of a message log in JSONL: one JSON object per line, the header first."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from emulator.common.errors import MessageLogError
from emulator.common.text import short_repr, suggestion
from emulator.integrations.message_log.problems import problem, validated
from emulator.integrations.message_log.records import (
    KINDS,
    MARK,
    VERSION,
    Header,
    Kinds,
    Record,
    kinds,
)

Numbered = tuple[int, Record]
START = f'begin the file with {{"{MARK}": {VERSION}, "run": "...", "method": "..."}}'


def parse(text: str, path: Path) -> tuple[Header, list[Numbered], list[str]]:
    """The header, the other records with their lines, and remarks. Raises MessageLogError.

    A last line without a line end that is no JSON was cut off: it is left out.
    """
    lines = [(n, line) for n, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines:
        raise problem(path, None, "found an empty file; allowed: a message log", START)
    found = header(_object(lines[0][1], path, lines[0][0]), path, lines[0][0])
    whole, remarks = _without_cut(lines[1:], text.endswith("\n"), path)
    return found, list(_records(whole, kinds(found), path)), remarks


def header(
    values: Mapping[str, Any], path: Path, line: int, places: Mapping[str, str] | None = None
) -> Header:
    """The header with these values; `places` as in `validated`. Raises MessageLogError."""
    if MARK not in values:
        raise problem(path, line, f"found no {MARK} in the first line", START)
    if (version := values[MARK]) != VERSION or type(version) is not int:
        found = f"{MARK}: found version {short_repr(version)}; allowed: {VERSION}"
        raise problem(path, line, found, START)
    return validated(Header, values, path, line, places)


def _without_cut(
    lines: Sequence[tuple[int, str]], ended: bool, path: Path
) -> tuple[Sequence[tuple[int, str]], list[str]]:
    """The lines without the last one if it was cut off, and a remark about it."""
    if lines and not ended:
        number, last = lines[-1]
        try:
            _object(last, path, number)
        except MessageLogError:
            return lines[:-1], [f"{path}:{number}: the last line is cut off: it is left out"]
    return lines, []


def _records(lines: Sequence[tuple[int, str]], models: Kinds, path: Path) -> Iterator[Numbered]:
    for number, line in lines:
        values = _object(line, path, number)
        if MARK in values:
            raise problem(path, number, "found a second header; allowed: one, in the first line")
        kind = values.get("kind")
        if not isinstance(kind, str) or kind not in KINDS:
            found = f"found {short_repr(kind)}" if "kind" in values else "missing"
            raise problem(path, number, f"kind: {found}{suggestion(kind, list(KINDS))}")
        yield number, validated(models[kind], values, path, number)


def _object(line: str, path: Path, number: int) -> dict[str, Any]:
    """The JSON object in a line. Raises MessageLogError with the column of the problem."""
    try:
        found = json.loads(line, object_pairs_hook=_once, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        text = f"column {error.colno}: found no JSON: {error.msg}"
        raise problem(path, number, text) from None
    except (ValueError, RecursionError) as error:
        raise problem(path, number, f"found no JSON: {str(error)[:100]}") from None
    if not isinstance(found, dict):
        text = f"found {short_repr(found)}; allowed: a JSON object"
        raise problem(path, number, text)
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a key that occurs twice in one object")
    return values


def _refuse(constant: str) -> None:
    raise ValueError(f"the number {constant}; allowed: finite numbers")
