"""What each round waited for, and wasted work (docs/reference/metrics.md)."""

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from emulator.simulation.records import (
    Absence,
    Client,
    Computation,
    PathRate,
    Round,
    Row,
    SharedLink,
    Transfer,
)

Work = Transfer | Computation | Absence
BOTTLENECKS = (
    "client down", "compute", "client up", "cell", "server", "latency", "absence", "deadline",
)  # fmt: skip
BUSY = 0.5  # a link with less utilisation during a transfer is not its bottleneck


@dataclass(frozen=True, slots=True)
class RoundBottleneck:
    """The client that ended a round (-1: none), and what delayed that client most.

    `bottleneck` is one of BOTTLENECKS: 'deadline' if the clock ended the round. `group` is the
    straggler's, or empty.
    """

    round: int
    straggler: int
    bottleneck: str
    duration_s: float
    group: str = ""


def round_bottlenecks(rows: Iterable[Row]) -> list[RoundBottleneck]:
    """Return the bottleneck of each round; empty if the rows have no fleet."""
    rows = list(rows)
    fleet = {row.client: row for row in rows if isinstance(row, Client)}
    if not fleet:
        return []
    traffic = _Traffic(rows, fleet)
    work: defaultdict[tuple[int, int], list[Work]] = defaultdict(list)
    works = [row for row in rows if isinstance(row, Work)]
    for each in works:
        work[each.round, each.client].append(each)
    arrivals = sorted(filter(is_used_upload, rows), key=lambda row: row.finish_s)
    ends = [row.finish_s for row in arrivals]
    interrupted = {(each.round, each.finish_s) for each in works if each.outcome == "cut"}
    first_start_s: dict[int, float] = {}
    for row in rows:
        if isinstance(row, Transfer):
            first_start_s[row.round] = min(row.start_s, first_start_s.get(row.round, math.inf))
    found = []
    for row in rows:
        if isinstance(row, Round):
            before = bisect_right(ends, row.finish_s)
            last = arrivals[before - 1] if before else None
            found.append(_bottleneck(row, last, work, traffic, first_start_s, interrupted))
    return found


def _bottleneck(
    ended: Round,
    last: Transfer | None,
    work: dict[tuple[int, int], list[Work]],
    traffic: "_Traffic",
    first_start_s: dict[int, float],
    interrupted: set[tuple[int, float]],
) -> RoundBottleneck:
    duration_s = ended.finish_s - ended.start_s
    if last is None or last.finish_s < ended.finish_s:
        by_clock = ended.cohort and (ended.round, ended.finish_s) not in interrupted
        return RoundBottleneck(ended.round, -1, "deadline" if by_clock else "absence", duration_s)
    task = work[last.round, last.client]
    # Until a client was available.
    unavailable_s = first_start_s.get(ended.round, ended.start_s) - ended.start_s
    spent = {"absence": unavailable_s if last.round == ended.round else 0.0}
    for row in task:
        part = "compute" if isinstance(row, Computation) else "absence"
        part = row.direction if isinstance(row, Transfer) else part
        spent[part] = spent.get(part, 0.0) + row.finish_s - row.start_s
    longest = max(spent, key=lambda part: spent[part])
    if longest in ("up", "down"):
        chosen = [r for r in task if isinstance(r, Transfer) and r.direction == longest]
        slowest = max(chosen, key=lambda row: row.finish_s - row.start_s)
        longest = traffic.bottleneck(slowest)
    group = traffic.fleet[last.client].group
    return RoundBottleneck(ended.round, last.client, longest, duration_s, group)


class _Traffic:
    """All transfers as arrays, for the utilisation of links."""

    def __init__(self, rows: Sequence[Row], fleet: dict[int, Client]) -> None:
        import numpy as np

        self.fleet = fleet
        self._links = {(r.kind, r.number): r for r in rows if isinstance(r, SharedLink)}
        self._rates = {
            (r.client, r.direction, r.start_s): r for r in rows if isinstance(r, PathRate)
        }
        transfers = [row for row in rows if isinstance(row, Transfer)]
        self._start_s = np.array([row.start_s for row in transfers])
        self._finish_s = np.array([row.finish_s for row in transfers])
        self._nbytes = np.array([row.nbytes for row in transfers], float)
        self._up = np.array([row.direction == "up" for row in transfers], bool)
        self._cell = np.array([fleet[row.client].cell for row in transfers])

    def bottleneck(self, transfer: Transfer) -> str:
        """Return the link of its path with the highest utilisation; 'latency' below BUSY."""
        import numpy as np

        up, client = transfer.direction == "up", self.fleet[transfer.client]
        lasted_s = transfer.finish_s - transfer.start_s
        if lasted_s <= 0:
            return "latency"
        overlap_s = np.minimum(self._finish_s, transfer.finish_s)
        overlap_s = (overlap_s - np.maximum(self._start_s, transfer.start_s)).clip(0)
        took_s = self._finish_s - self._start_s
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(took_s > 0, overlap_s / took_s, 0.0)
        moved = self._nbytes * share * (self._up == up)
        own, rates = "client up" if up else "client down", self._path(transfer)
        used = {own: _seconds(transfer.nbytes, rates.client_Bps)}
        if client.cell >= 0:
            within = float(moved[self._cell == client.cell].sum())
            used["cell"] = _seconds(within, rates.cell_Bps)
        used["server"] = _seconds(float(moved.sum()), rates.server_Bps)
        name = max(used, key=lambda link: used[link])
        return name if used[name] >= BUSY * lasted_s else "latency"

    def _path(self, transfer: Transfer) -> PathRate:
        """Return the rates of its links during the transfer."""
        key = (transfer.client, transfer.direction, transfer.start_s)
        if (found := self._rates.get(key)) is not None:
            return found
        up, client = transfer.direction == "up", self.fleet[transfer.client]
        server = self._links["server", 0]
        cell = self._links.get(("cell", client.cell))
        cell_Bps = -1.0 if cell is None else cell.up_Bps if up else cell.down_Bps
        own_Bps, server_Bps = (
            (client.up_Bps, server.down_Bps) if up else (client.down_Bps, server.up_Bps)
        )
        return PathRate(transfer.round, *key, own_Bps, cell_Bps, server_Bps)


def _seconds(nbytes: float, rate_Bps: float) -> float:
    """Return the seconds that a link needs for `nbytes`; inf for a link that is down."""
    return nbytes / rate_Bps if rate_Bps else math.inf


def bottleneck_shares(found: Iterable[RoundBottleneck]) -> dict[str, float]:
    """Return the share of the rounds' time by bottleneck, largest first; the sum is 1."""
    seconds: defaultdict[str, float] = defaultdict(float)
    for cause in found:
        seconds[cause.bottleneck] += cause.duration_s
    total_s = math.fsum(seconds.values())
    ordered = sorted(seconds.items(), key=lambda item: -item[1])
    return {name: s / total_s for name, s in ordered} if total_s else {}


def main_bottleneck(found: Iterable[RoundBottleneck]) -> str:
    """Return the bottleneck with the most time; empty if it is not known."""
    return next(iter(bottleneck_shares(found)), "")


def wasted_bytes(rows: Iterable[Row], direction: str) -> int:
    """Return the bytes in `direction` of updates that were not used."""
    chosen = (r for r in rows if isinstance(r, Transfer) and r.direction == direction)
    return sum(row.nbytes for row in chosen if row.outcome != "used")


def wasted_compute(rows: Iterable[Row]) -> float:
    """Return the compute seconds of updates that were not used."""
    chosen = (r for r in rows if isinstance(r, Computation) and r.outcome != "used")
    return math.fsum(row.finish_s - row.start_s for row in chosen)


def is_used_upload(row: Row) -> TypeGuard[Transfer]:
    """Return whether the row is a complete upload that the server used."""
    return isinstance(row, Transfer) and row.direction == "up" and row.outcome == "used"


def mean_staleness(rows: Iterable[Row]) -> float:
    """Return the mean staleness of used updates, in server steps; 0 without any."""
    used = [row for row in rows if is_used_upload(row)]
    ages = {(row.round, row.client): row.staleness for row in used}
    return sum(ages.values()) / len(ages) if ages else 0.0
