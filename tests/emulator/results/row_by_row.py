"""The definitions of metrics row by row: slow, and short to read.

The package computes the same values from columns; tests compare the two.
"""

import itertools
import math
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import TypeGuard

import numpy as np

from emulator.results.bottlenecks import BOTTLENECKS, RoundBottleneck
from emulator.results.participation import SPLIT, GroupShare, Participation
from emulator.results.time_spent import ROUNDING, TimeSpent
from emulator.simulation.records import (
    Absence,
    Client,
    Computation,
    Evaluation,
    Holding,
    LabelScore,
    PathRate,
    Round,
    Row,
    SharedLink,
    Transfer,
)

Work = Transfer | Computation | Absence


def bytes_sent(rows: Iterable[Row], direction: str, last_round: float = math.inf) -> int:
    """Return the bytes sent in `direction` ('down', 'up') in rounds 1 to `last_round`."""
    return sum(
        row.nbytes
        for row in rows
        if isinstance(row, Transfer) and row.direction == direction and row.round <= last_round
    )


def bytes_by_round(rows: Iterable[Row], direction: str) -> dict[int, int]:
    """Return the bytes sent in `direction` per round."""
    found: dict[int, int] = {}
    for row in rows:
        if isinstance(row, Transfer) and row.direction == direction:
            found[row.round] = found.get(row.round, 0) + row.nbytes
    return found


def bytes_until(rows: Iterable[Row], direction: str, rounds: Sequence[int]) -> tuple[int, ...]:
    """Return `bytes_sent` up to each of `rounds`, which are in ascending order."""
    spent = sorted(bytes_by_round(rows, direction).items())
    until = [0, *itertools.accumulate(nbytes for _, nbytes in spent)]
    return tuple(until[bisect_right(spent, last, key=itemgetter(0))] for last in rounds)


def time_spent(rows: Iterable[Row], last_round: float = math.inf) -> TimeSpent:
    """Return the time of rounds 1 to `last_round` by activity; the sum is their durations.

    Work that spans several rounds is split among them by time.
    """
    within = [row for row in rows if row.round <= last_round]
    rounds = sorted((r for r in within if isinstance(r, Round)), key=lambda r: r.round)
    begun = [row.start_s for row in rounds]

    def parts(row: Transfer | Computation) -> Iterator[float]:
        """Yield the seconds per client of each round that `row` overlaps."""
        for index in range(max(bisect_right(begun, row.start_s) - 1, 0), len(rounds)):
            place = rounds[index]
            if place.start_s >= row.finish_s:
                break
            inside_s = min(row.finish_s, place.finish_s) - max(row.start_s, place.start_s)
            yield max(inside_s, 0.0) / max(place.cohort, 1)

    def mean_s(part: Iterable[Transfer | Computation]) -> float:
        return math.fsum(s for row in part for s in parts(row))

    transfers = [row for row in within if isinstance(row, Transfer)]
    download_s = mean_s(row for row in transfers if row.direction == "down")
    compute_s = mean_s(row for row in within if isinstance(row, Computation))
    upload_s = mean_s(row for row in transfers if row.direction == "up")
    total_s = math.fsum(row.finish_s - row.start_s for row in rounds)
    waiting_s = total_s - (download_s + compute_s + upload_s)
    if abs(waiting_s) < ROUNDING * total_s:
        waiting_s = 0.0  # such as -7e-15 s
    return TimeSpent(download_s, compute_s, upload_s, waiting_s)


def round_bottlenecks(rows: Iterable[Row]) -> list[RoundBottleneck]:
    """Return what each round waited for, longest first; empty if the rows have no fleet."""
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
            found += _bottlenecks(row, last, work, traffic, first_start_s, interrupted)
    return found


def _bottlenecks(
    ended: Round,
    last: Transfer | None,
    work: dict[tuple[int, int], list[Work]],
    traffic: "_Traffic",
    first_start_s: dict[int, float],
    interrupted: set[tuple[int, float]],
) -> list[RoundBottleneck]:
    duration_s = ended.finish_s - ended.start_s
    if last is None or last.finish_s < ended.finish_s:
        by_clock = ended.cohort and (ended.round, ended.finish_s) not in interrupted
        cause = "deadline" if by_clock else "absence"
        return [RoundBottleneck(ended.round, -1, cause, duration_s)] if duration_s else []
    # Until a client was available.
    unavailable_s = max(first_start_s.get(ended.round, ended.start_s) - ended.start_s, 0.0)
    spent = dict.fromkeys(BOTTLENECKS, 0.0)
    spent["absence"] = unavailable_s if last.round == ended.round else 0.0
    for row in work[last.round, last.client]:
        lasted_s = row.finish_s - row.start_s
        if isinstance(row, Transfer):
            link, busy_s = traffic.busiest(row)
            spent[link] += busy_s
            spent["latency"] += lasted_s - busy_s
        else:
            spent["compute" if isinstance(row, Computation) else "absence"] += lasted_s
    total_s = sum(spent.values())
    if total_s <= 0:
        spent["latency"], total_s = 1.0, 1.0
    group = traffic.fleet[last.client].group
    parts = sorted(spent.items(), key=lambda part: -part[1])
    return [
        RoundBottleneck(ended.round, last.client, cause, duration_s * spent_s / total_s, group)
        for cause, spent_s in parts
        if duration_s * spent_s
    ]


class _Traffic:
    """All transfers as arrays, for the utilisation of links."""

    def __init__(self, rows: Sequence[Row], fleet: dict[int, Client]) -> None:
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

    def busiest(self, transfer: Transfer) -> tuple[str, float]:
        """Return the link of its path with the highest utilisation, and how long it was busy."""
        up, client = transfer.direction == "up", self.fleet[transfer.client]
        lasted_s = transfer.finish_s - transfer.start_s
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
        return name, min(used[name], lasted_s)

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


def participation(rows: Sequence[Row], scored: Iterable[Row] | None = None) -> Participation:
    """Return the participation of the clients in `rows`, with the scores in `scored` or `rows`."""
    examples = {row.client: row.examples for row in rows if isinstance(row, Client)}
    heard = examples.keys() & {row.client for row in rows if is_used_upload(row)}
    excluded = examples.keys() - heard
    holdings = [row for row in rows if isinstance(row, Holding)]
    scores = _last_scores(rows if scored is None else scored)
    return Participation(
        _share(excluded, dict.fromkeys(examples, 1)),
        _share(excluded, examples),
        _accuracy_for(heard, holdings, scores),
        _accuracy_for(excluded, holdings, scores),
    )


def _share(clients: Collection[int], weights: Mapping[int, int]) -> float | None:
    """Return the weighted share of `clients`; None if a weight is not known (negative)."""
    if min(weights.values(), default=-1) < 0 or not (total := sum(weights.values())):
        return None
    return sum(weights[client] for client in clients) / total


def _last_scores(rows: Iterable[Row]) -> dict[int, float]:
    """Return the share of right answers by label, of labels in the last evaluation."""
    scored = [r for r in rows if isinstance(r, Evaluation | LabelScore) and r.split == SPLIT]
    last = max((row.round for row in scored), default=0)
    labels = [row for row in scored if isinstance(row, LabelScore) and row.round == last]
    return {row.label: row.right / row.examples for row in labels if row.examples}


def _accuracy_for(
    clients: Collection[int], holdings: Iterable[Holding], scores: dict[int, float]
) -> float | None:
    """Return the mean of `scores`, weighted by the examples per label that `clients` hold.

    Labels without a score are ignored.
    """
    held: Counter[int] = Counter()
    for row in holdings:
        if row.client in clients and row.label in scores:
            held[row.label] += row.examples
    if not (total := held.total()):
        return None
    return math.fsum(n * scores[label] for label, n in held.items()) / total


def by_group(rows: Iterable[Row]) -> list[GroupShare]:
    """Return the share of each group, in the order of their first clients."""
    rows = list(rows)
    fleet = {row.client: row for row in rows if isinstance(row, Client)}
    if not fleet:
        return []
    rows_of: dict[str, list[Row]] = {client.group: [] for client in fleet.values()}
    for row in rows:
        if isinstance(row, Work | Client | Holding):
            rows_of[fleet[row.client].group].append(row)
    scored = [row for row in rows if isinstance(row, Evaluation | LabelScore)]
    return [_group(name, own_rows, scored) for name, own_rows in rows_of.items()]


def _group(name: str, rows: list[Row], scored: Iterable[Row]) -> GroupShare:
    transfers = [row for row in rows if isinstance(row, Transfer)]
    tasks = {(row.round, row.client) for row in transfers}

    def mean_s(part: Iterable[Work]) -> float:
        seconds = math.fsum(row.finish_s - row.start_s for row in part)
        return seconds / len(tasks) if tasks else 0.0

    down = [row for row in transfers if row.direction == "down"]
    up = [row for row in transfers if row.direction == "up"]
    held = [row.examples for row in rows if isinstance(row, Client)]
    return GroupShare(
        group=name,
        clients=len(held),
        visits=len(tasks),
        used=len({(row.round, row.client) for row in up if row.outcome == "used"}),
        download_s=mean_s(down),
        compute_s=mean_s(row for row in rows if isinstance(row, Computation)),
        upload_s=mean_s(up),
        absent_s=mean_s(row for row in rows if isinstance(row, Absence)),
        bytes_down=sum(row.nbytes for row in down),
        bytes_up=sum(row.nbytes for row in up),
        wasted_bytes=wasted_bytes(rows, "down") + wasted_bytes(rows, "up"),
        wasted_compute_s=wasted_compute(rows),
        examples=sum(held) if min(held) >= 0 else None,
        **participation(rows, scored)._asdict(),
    )
