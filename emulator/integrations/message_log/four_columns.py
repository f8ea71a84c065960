"""Reads the public CSV of four columns: federated_round, sender, receiver, amount_of_bytes.

The server is the id 'server' or -1, or else the one id that every message has. A round may have
several messages to or from a client; their bytes are added. The file has no scores and no compute.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from emulator.common.text import counted, short_repr
from emulator.integrations.message_log.jsonl import Numbered
from emulator.integrations.message_log.problems import problem, validated
from emulator.integrations.message_log.records import MARK, VERSION, Header, Visit
from emulator.integrations.message_log.table import rows, without_cut

NAMES = ("federated_round", "sender", "receiver", "amount_of_bytes")
SERVERS = ("server", "-1")
_WHOLE = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True)
class _Message:
    line: int
    round: int
    sender: str
    receiver: str
    nbytes: int


def is_four_columns(text: str) -> bool:
    """Whether the first line names the four columns, in any order."""
    names = text.split("\n", 1)[0].split(",")
    return sorted(name.strip(' "\r') for name in names) == sorted(NAMES)


def parse(text: str, path: Path) -> tuple[Header, list[Numbered], list[str]]:
    """A header named after the file, the visits with their lines, and remarks.

    Raises MessageLogError.
    """
    (_, names), *cells = rows(text, path)
    order = [[name.strip() for name in names].index(name) for name in NAMES]
    kept, remarks = without_cut(cells, len(NAMES), text, path)
    messages = [_message(line, row, order, path) for line, row in kept]
    if not messages:
        raise problem(path, None, "found no message; allowed: one or more")
    if messages and min(each.round for each in messages) == 0:
        messages = [_shifted(each) for each in messages]
    server = _server(messages, path)
    values = {MARK: VERSION, "run": path.stem[:200], "method": path.stem[:200]}
    visits, added = _visits(messages, server, path)
    if added:
        remarks.append(
            f"{path}: {counted(added, 'message')} to or from a client that had another one in the "
            "same round: their bytes are added"
        )
    return validated(Header, values, path, None), visits, remarks


def _message(line: int, row: Sequence[str], order: Sequence[int], path: Path) -> _Message:
    if len(row) != len(NAMES):
        raise problem(path, line, f"found {len(row)} cells; allowed: {len(NAMES)}")
    cells = {name: row[place].strip() for name, place in zip(NAMES, order, strict=True)}
    for name, place in zip(NAMES, order, strict=True):
        is_number = name in ("federated_round", "amount_of_bytes")
        if is_number and not _WHOLE.fullmatch(cells[name]):
            found = f"column {place + 1}, {name}: found {short_repr(cells[name])}"
            raise problem(path, line, f"{found}; allowed: a whole number, 0 or more")
        if not cells[name]:
            raise problem(path, line, f"column {place + 1}, {name}: missing")
    number, sender, receiver, nbytes = (cells[name] for name in NAMES)
    return _Message(line, int(number), sender, receiver, int(nbytes))


def _shifted(message: _Message) -> _Message:
    """The message of a file whose first round is 0."""
    return _Message(
        message.line, message.round + 1, message.sender, message.receiver, message.nbytes
    )


def _server(messages: Sequence[_Message], path: Path) -> str:
    """The id of the server. Raises MessageLogError if it cannot be told."""
    ids = dict.fromkeys(each for m in messages for each in (m.sender, m.receiver))
    named = [each for each in ids if each.casefold() in SERVERS]
    everywhere = [each for each in ids if all(each in (m.sender, m.receiver) for m in messages)]
    found = named or everywhere
    if len(found) != 1:
        names = f"{len(found)} ({', '.join(map(short_repr, found[:3]))})" if found else "none"
        raise problem(
            path,
            None,
            f"found {names} that may be the server; allowed: one",
            "name the server 'server' or -1 in the columns sender and receiver",
        )
    return found[0]


def _visits(messages: Iterable[_Message], server: str, path: Path) -> tuple[list[Numbered], int]:
    """The visits, and the number of messages that were added to another one."""
    sizes: dict[tuple[int, str], dict[str, int]] = {}
    lines: dict[tuple[int, str], int] = {}
    added = 0
    for each in messages:
        if (each.sender == server) == (each.receiver == server):
            found = f"found a message from {short_repr(each.sender)} to {short_repr(each.receiver)}"
            raise problem(path, each.line, f"{found}; allowed: from or to the server ({server})")
        way = "bytes_down" if each.sender == server else "bytes_up"
        client = each.receiver if each.sender == server else each.sender
        known = sizes.setdefault((each.round, client), {})
        added += way in known
        known[way] = known.get(way, 0) + each.nbytes
        lines.setdefault((each.round, client), each.line)
    visits: list[Numbered] = []
    for (number, client), known in sizes.items():
        failed = "bytes_up" not in known
        values = {"round": number, "client": client, "bytes_down": 0, "failed": failed} | known
        line = lines[number, client]
        visits.append((line, validated(Visit, values, path, line)))
    return visits, added
