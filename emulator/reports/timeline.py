"""Activity of each client in a round: download, compute, upload, waiting."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter
from typing import NamedTuple, TypeVar

import numpy as np

from emulator.simulation.event_table import EventTable
from emulator.simulation.records import Computation, Round, Row, Transfer

T = TypeVar("T")

PHASES = ("download", "compute", "upload", "waiting")


class Phase(NamedTuple):
    """An activity of a client in an interval of simulated time; `name` is one of PHASES."""

    name: str
    start_s: float
    finish_s: float


@dataclass(frozen=True, slots=True)
class RoundLine:
    """One round: {client: phases in order}, clients in the order in which they finished."""

    round: int
    start_s: float
    finish_s: float
    clients: dict[int, list[Phase]]
    of_clients: int


def phase(row: Transfer | Computation) -> Phase:
    """Return a row as a phase."""
    names = {"down": "download", "up": "upload"}
    name = names[row.direction] if isinstance(row, Transfer) else "compute"
    return Phase(name, row.start_s, row.finish_s)


def lines(rows: Iterable[Row], rounds: int, clients: int) -> tuple[tuple[RoundLine, ...], int]:
    """Return at most `rounds` rounds with at most `clients` clients each, and the count of rounds.

    Both are chosen at even steps, with the first and the last (the slowest client).
    """
    table = EventTable.of(rows)
    whole = sorted(table.columns(Round), key=attrgetter("round"))
    kept = {row.round: row for row in spaced(whole, rounds)}
    parts: dict[int, dict[int, list[Phase]]] = {number: {} for number in kept}
    sent, computed = table.columns(Transfer), table.columns(Computation)
    numbers = np.array(list(kept), np.int64)
    works: tuple[Iterable[Transfer | Computation], ...] = (
        sent.take(np.isin(sent["round"], numbers)),
        computed.take(np.isin(computed["round"], numbers)),
    )
    for row in chain.from_iterable(works):
        parts[row.round].setdefault(row.client, []).append(phase(row))
    found = (_line(row, parts[number], clients) for number, row in kept.items())
    return tuple(found), len(whole)


def _line(row: Round, parts: dict[int, list[Phase]], clients: int) -> RoundLine:
    ordered = {c: sorted(phases, key=lambda p: p[1:]) for c, phases in parts.items()}
    done = sorted(ordered, key=lambda c: (max(p.finish_s for p in ordered[c]), c))
    shown = {client: _waited(ordered[client], row) for client in spaced(done, clients)}
    return RoundLine(row.round, row.start_s, row.finish_s, shown, len(done))


def _waited(phases: list[Phase], row: Round) -> list[Phase]:
    """Return the phases that took time, with waiting between them and until the round ends."""
    found: list[Phase] = []
    until_s = phases[0].start_s
    for one in [*phases, Phase("", row.finish_s, row.finish_s)]:
        if one.start_s > until_s:
            found.append(Phase("waiting", until_s, one.start_s))
        if one.finish_s > one.start_s:
            found.append(one)
        until_s = max(until_s, one.finish_s)
    return found


def spaced(items: Sequence[T], n: int) -> list[T]:
    """Return at most `n` (1 or more) of `items`, in order, at even steps, with the last."""
    if len(items) <= n:
        return list(items)
    if n == 1:
        return [items[-1]]
    last = len(items) - 1
    return [items[round(i * last / (n - 1))] for i in range(n)]
