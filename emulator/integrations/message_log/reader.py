"""Reads a message log, whatever its form, and checks that its records fit together."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from emulator.common.errors import MessageLogError
from emulator.common.text import counted, short_repr
from emulator.common.text_files import read_text
from emulator.integrations.message_log import four_columns, jsonl, table
from emulator.integrations.message_log.jsonl import Numbered
from emulator.integrations.message_log.problems import problem
from emulator.integrations.message_log.records import (
    MARK,
    ClientInfo,
    MessageLog,
    Program,
    Score,
    Untimed,
    Visit,
)

SUFFIXES = (".jsonl", ".csv")
MAX_BYTES = 256 << 20
_HEAD = 200  # bytes in which the key of the header must occur, in a file of another name


def is_log(path: Path) -> bool:
    """Whether a file is named like a message log or begins like one. A pipe is not read."""
    try:
        if not path.is_file():
            return path.suffix.lower() == ".jsonl"
        if path.suffix.lower() in SUFFIXES:
            return True
        with path.open("rb") as file:
            return MARK.encode() in file.read(_HEAD)
    except (OSError, ValueError):
        return False


def read(path: Path) -> MessageLog:
    """The message log at `path`. Raises MessageLogError with a line for what cannot be used."""
    text = read_text(path, most=MAX_BYTES, error=MessageLogError).replace("\r\n", "\n")
    is_json = text.lstrip().startswith("{")
    if four_columns.is_four_columns(text):
        found, numbered, remarks = four_columns.parse(text, path)
    elif is_json or path.suffix.lower() == ".jsonl":
        found, numbered, remarks = jsonl.parse(text, path)
    else:
        found, numbered, remarks = table.parse(text, path)
    _check_visits([(n, each) for n, each in numbered if isinstance(each, Visit)], path)
    _check_scores(numbered, path)
    remarks += _check_clients(numbered, path)
    log = MessageLog(
        path,
        found,
        tuple(each for _, each in numbered if isinstance(each, Visit)),
        tuple(each for _, each in numbered if isinstance(each, Score)),
        tuple(each for _, each in numbered if isinstance(each, ClientInfo)),
        tuple(remarks),
        tuple(each for _, each in numbered if isinstance(each, Untimed)),
        _program(numbered, path),
    )
    if found.clients is not None and log.fewest_clients > found.clients:
        text = f"clients: found {found.clients}, and the records name {log.fewest_clients}"
        raise problem(path, 1, f"{text}; allowed: at least as many clients as ids or partitions")
    return log


def _program(numbered: Sequence[Numbered], path: Path) -> Program | None:
    """The record of the program. Raise MessageLogError for a second one."""
    found = [(line, each) for line, each in numbered if isinstance(each, Program)]
    if len(found) > 1:
        text = f"found a second program; allowed: one (the first is in line {found[0][0]})"
        raise problem(path, found[1][0], text)
    return found[0][1] if found else None


def _check_visits(visits: Sequence[tuple[int, Visit]], path: Path) -> None:
    """Raise MessageLogError for visits that are there twice, or rounds that have none."""
    if not visits:
        raise problem(path, None, "found no visit; allowed: one or more")
    lines: dict[tuple[int, str], int] = {}
    for line, visit in visits:
        if (first := lines.setdefault((visit.round, visit.client), line)) != line:
            found = f"found client {short_repr(visit.client)} in round {visit.round} again"
            raise problem(path, line, f"{found}; allowed: once per round (it is in line {first})")
    rounds = {visit.round for _, visit in visits}
    if missing := next((n for n in range(1, max(rounds)) if n not in rounds), None):
        text = f"found rounds up to {max(rounds)} and no visit in round {missing}"
        raise problem(path, None, f"{text}; allowed: visits in each round from 1 on")
    replies = Counter(visit.round for _, visit in visits if not visit.failed)
    merged = {visit.round for _, visit in visits if visit.merged and not visit.failed}
    for number in replies:
        if number not in merged:
            text = f"round {number}: found {counted(replies[number], 'update')}, none of them "
            raise problem(path, None, f"{text}merged; allowed: one or more, or failed visits")


def _check_scores(numbered: Sequence[Numbered], path: Path) -> None:
    """Raise MessageLogError for a score of a round that is not there, or a second score."""
    last = max(each.round for _, each in numbered if isinstance(each, Visit))
    lines: dict[tuple[int, str], int] = {}
    for line, each in numbered:
        if not isinstance(each, Score):
            continue
        if each.round > last:
            text = f"round: found {each.round}; allowed: 0 to {last}, the last round with a visit"
            raise problem(path, line, text)
        if (first := lines.setdefault((each.round, each.split), line)) != line:
            text = f"found a second {each.split} score of round {each.round}; allowed: one"
            raise problem(path, line, f"{text} (the first is in line {first})")


def _check_clients(numbered: Sequence[Numbered], path: Path) -> list[str]:
    """A remark about visited clients without a partition, if others have one.

    Raises MessageLogError for clients or partitions that are there twice.
    """
    lines: dict[str, int] = {}
    partitions: dict[int, int] = {}
    for line, each in numbered:
        if not isinstance(each, ClientInfo):
            continue
        if (first := lines.setdefault(each.client, line)) != line:
            text = f"found client {short_repr(each.client)} again; allowed: once (it is in line"
            raise problem(path, line, f"{text} {first})")
        if each.partition is None:
            continue
        if (first := partitions.setdefault(each.partition, line)) != line:
            text = f"partition: found {each.partition} again; allowed: one client per partition"
            raise problem(path, line, f"{text} (it is in line {first})")
    if not partitions:
        return []
    known = {
        each.client
        for _, each in numbered
        if isinstance(each, ClientInfo) and each.partition is not None
    }
    visited = {each.client for _, each in numbered if isinstance(each, Visit)}
    if not (unknown := visited - known):
        return []
    found = f"{counted(len(unknown), 'visited client')} without a partition"
    return [f"{path}: {found}, which get the lowest numbers that are free"]
