"""What each round waited for, and wasted work (docs/reference/metrics.md)."""

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emulator.results.arrays import Floats, ends, exact_sum, pair_keys, spans, starts, whole_sum
from emulator.results.fleet import Fleet
from emulator.simulation.event_table import DIRECTIONS, Columns, EventTable
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

WORK = (Transfer, Computation, Absence)  # rows of client tasks
BOTTLENECKS = (
    "client down", "compute", "client up", "cell", "server", "latency", "absence", "deadline",
)  # fmt: skip
LATENCY, ABSENCE, DEADLINE = map(BOTTLENECKS.index, ("latency", "absence", "deadline"))


@dataclass(frozen=True, slots=True)
class RoundBottleneck:
    """A part of the duration of a round, and what the round waited for in it.

    `bottleneck` is one of BOTTLENECKS: 'deadline' if the clock ended the round. `straggler` is the
    client whose update arrived last (-1: none), and `group` its group, or empty.
    """

    round: int
    straggler: int
    bottleneck: str
    duration_s: float
    group: str = ""


def round_bottlenecks(rows: Iterable[Row]) -> list[RoundBottleneck]:
    """Return what each round waited for, longest first; empty if the rows have no fleet."""
    rows = EventTable.of(rows)
    numbers = rows.columns(Round)["round"].tolist()
    stragglers, spent_s = _waits(rows)
    groups = Fleet(rows.columns(Client)).groups(stragglers[stragglers >= 0])
    each_group, found = iter(groups), []
    for number, client, parts in zip(numbers, stragglers.tolist(), spent_s.tolist(), strict=False):
        group = next(each_group) if client >= 0 else ""
        ordered = sorted(zip(BOTTLENECKS, parts, strict=True), key=lambda part: -part[1])
        found += [RoundBottleneck(number, client, *part, group) for part in ordered if part[1]]
    return found


def main_bottleneck(rows: Iterable[Row]) -> str:
    """Return what the rounds waited for longest; empty if it is not known."""
    _, spent_s = _waits(EventTable.of(rows))
    total_s = spent_s.sum(axis=0)
    return BOTTLENECKS[int(total_s.argmax())] if total_s.any() else ""


def _waits(rows: EventTable) -> tuple[NDArray[np.int64], Floats]:
    """Return the straggler of each round (-1: none), and its seconds: [rounds, BOTTLENECKS].

    No rounds if the rows have no fleet.
    """
    fleet = Fleet(rows.columns(Client))
    if not len(fleet):
        return np.zeros(0, np.int64), np.zeros((0, len(BOTTLENECKS)))
    rounds, sent = rows.columns(Round), rows.columns(Transfer)
    arrivals = np.flatnonzero(used_uploads(sent))
    arrivals = arrivals[np.argsort(sent["finish_s"][arrivals], kind="stable")]
    last = np.searchsorted(sent["finish_s"][arrivals], rounds["finish_s"], side="right") - 1
    waited = last >= 0  # for a client; the clock ended the others
    waited[waited] = sent["finish_s"][arrivals[last[waited]]] >= rounds["finish_s"][waited]
    uploads = arrivals[last[waited]]
    stragglers = np.full(len(rounds), -1)
    stragglers[waited] = sent["client"][uploads]
    spent_s = np.zeros((len(rounds), len(BOTTLENECKS)))
    spent_s[waited] = _straggler_seconds(rows, fleet, np.flatnonzero(waited), uploads)
    interrupted = _interrupted(rows)
    for index in np.flatnonzero(~waited).tolist():
        ended = rounds.row(index)
        by_clock = ended.cohort and (ended.round, ended.finish_s) not in interrupted
        cause = DEADLINE if by_clock else ABSENCE
        spent_s[index, cause] = ended.finish_s - ended.start_s
    return stragglers, spent_s


def _interrupted(rows: EventTable) -> set[tuple[int, float]]:
    """Return the round and the time of each interruption by a client that left."""
    found: set[tuple[int, float]] = set()
    for columns in (rows.columns(record) for record in WORK):
        if (is_cut := columns.having("outcome", "cut")).any():
            times_s = columns["finish_s"][is_cut].tolist()
            found.update(zip(columns["round"][is_cut].tolist(), times_s, strict=True))
    return found


def _straggler_seconds(
    rows: EventTable, fleet: Fleet, ended: NDArray[np.intp], uploads: NDArray[np.intp]
) -> Floats:
    """Return how long some rounds, given by their indices, waited for each of BOTTLENECKS.

    `uploads` are the indices of the transfers that ended them. The parts of the straggler's task
    divide the duration of the round; a transfer counts for its busiest link as long as that link
    needs for what it carried, and as latency for the rest. Shape [rounds, BOTTLENECKS].
    """
    count = len(BOTTLENECKS)
    if not len(uploads):
        return np.zeros((0, count))
    rounds, sent = rows.columns(Round).take(ended), rows.columns(Transfer)
    works = [rows.columns(record) for record in WORK]
    keys = pair_keys(*(np.concatenate([w[name] for w in works]) for name in ("round", "client")))
    tasks, task = np.unique(keys[uploads], return_inverse=True)  # of each upload
    place = np.minimum(np.searchsorted(tasks, keys), len(tasks) - 1)
    chosen = np.flatnonzero(tasks[place] == keys)
    place = place[chosen]
    start_s, finish_s = (
        np.concatenate([w[name] for w in works])[chosen] for name in ("start_s", "finish_s")
    )
    is_sent = chosen < len(sent)
    is_computed = ~is_sent & (chosen < len(sent) + len(works[1]))
    cause = np.where(is_computed, BOTTLENECKS.index("compute"), ABSENCE)
    cause[is_sent], busy_s = _links(rows, fleet, sent.take(chosen[is_sent]))
    lasted_s = finish_s - start_s
    late_s = lasted_s[is_sent] - busy_s
    lasted_s[is_sent] = busy_s
    where = np.concatenate([place * count + cause, place[is_sent] * count + LATENCY])
    sums = np.bincount(where, np.concatenate([lasted_s, late_s]), len(tasks) * count)
    found: Floats = sums.astype(np.float64).reshape(-1, count)[task]
    found[:, ABSENCE] += _unavailable_s(rounds, sent, uploads)
    total_s, duration_s = found.sum(axis=1), rounds["finish_s"] - rounds["start_s"]
    found[total_s <= 0, LATENCY] = 1.0  # nothing took time
    scale: Floats = duration_s / np.where(total_s > 0, total_s, 1.0)
    return found * scale[:, None]


def _unavailable_s(
    rounds: Columns[Any], sent: Columns[Any], uploads: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return how long each round waited until a client was available.

    It is 0 if the transfer that ended the round, one of `uploads`, is of another round.
    """
    number = rounds["round"]
    order, last = ends(sent["round"])
    first_s = np.minimum.reduceat(sent["start_s"][order], starts(last)) if len(order) else order
    place = np.searchsorted(sent["round"][order][last], sent["round"][uploads])
    is_own = sent["round"][uploads] == number
    found: NDArray[np.float64] = np.where(is_own, first_s[place] - rounds["start_s"], 0.0).clip(0.0)
    return found


def _links(rows: EventTable, fleet: Fleet, chosen: Columns[Any]) -> tuple[NDArray[np.intp], Floats]:
    """Return the busiest link of each transfer, as its place in BOTTLENECKS, and its busy time.

    That is the time that the link needs for what it carried during the transfer, in seconds, and at
    most the transfer's time.
    """
    in_cell, in_all = _moved(rows.columns(Transfer), chosen, fleet)
    own_Bps, cell_Bps, server_Bps = _rates(rows, fleet, chosen)
    lasted_s = chosen["finish_s"] - chosen["start_s"]
    has_cell = (cell_Bps >= 0) & (fleet.of(chosen["client"], "cell") >= 0)
    used_s = np.stack([
        _seconds(chosen["nbytes"], own_Bps),
        np.where(has_cell, _seconds(in_cell, cell_Bps), -np.inf),
        _seconds(in_all, server_Bps),
    ])  # fmt: skip
    own = np.array([BOTTLENECKS.index(f"client {way}") for way in DIRECTIONS])
    links = np.array([-1, BOTTLENECKS.index("cell"), BOTTLENECKS.index("server")])
    found = links[used_s.argmax(axis=0)]
    found = np.where(found < 0, own[chosen["direction"]], found)
    return found, np.clip(used_s.max(axis=0), 0.0, lasted_s)


def _moved(sent: Columns[Any], slow: Columns[Any], fleet: Fleet) -> tuple[Floats, Floats]:
    """Return the bytes over the cell and over the server during each of the `slow` transfers.

    These are the bytes of all transfers in its direction, each spread evenly over its time.
    """
    in_cell, in_all = np.zeros(len(slow)), np.zeros(len(slow))
    own_cell = fleet.of(slow["client"], "cell")
    has_cells = bool((own_cell >= 0).any())
    for code in range(len(DIRECTIONS)):
        mine = np.flatnonzero(slow["direction"] == code)
        if not len(mine):
            continue
        moving = np.flatnonzero((sent["direction"] == code) & (sent["finish_s"] > sent["start_s"]))
        moving = moving[np.argsort(sent["start_s"][moving], kind="stable")]
        start_s, finish_s = sent["start_s"][moving], sent["finish_s"][moving]
        nbytes, took_s = sent["nbytes"][moving], finish_s - start_s
        cell = fleet.of(sent["client"][moving], "cell") if has_cells else moving
        from_s, until_s = slow["start_s"][mine], slow["finish_s"][mine]
        # Those that start early enough and are not all over by then.
        first = np.searchsorted(np.maximum.accumulate(finish_s), from_s, side="right")
        stop = np.searchsorted(start_s, until_s, side="left")
        for index, other in spans(first, np.maximum(stop - first, 0)):
            together_s = np.minimum(finish_s[other], until_s[index])
            together_s -= np.maximum(start_s[other], from_s[index])
            moved = nbytes[other] * (np.maximum(together_s, 0.0) / took_s[other])
            in_all[mine] += np.bincount(index, moved, len(mine))
            if has_cells:
                moved *= cell[other] == own_cell[mine][index]
                in_cell[mine] += np.bincount(index, moved, len(mine))
    return in_cell, in_all


def _rates(
    rows: EventTable, fleet: Fleet, transfers: Columns[Transfer]
) -> tuple[Floats, Floats, Floats]:
    """Return the rates of the client, the cell (-1: none) and the server during each transfer."""
    is_up, client = transfers["direction"] == DIRECTIONS.index("up"), transfers["client"]
    shared = rows.columns(SharedLink)
    down_Bps, up_Bps = shared["down_Bps"], shared["up_Bps"]
    links = zip(shared["kind"].tolist(), shared["number"].tolist(), strict=True)
    place = {(shared.words["kind"][kind], number): i for i, (kind, number) in enumerate(links)}
    server = place["server", 0]
    own_Bps = np.where(is_up, fleet.of(client, "up_Bps"), fleet.of(client, "down_Bps"))
    server_Bps = np.where(is_up, down_Bps[server], up_Bps[server])
    cells = fleet.of(client, "cell").tolist()
    cell = np.array([place.get(("cell", number), -1) for number in cells], np.intp)
    cell_Bps = np.where(cell < 0, -1.0, np.where(is_up, up_Bps[cell], down_Bps[cell]))
    changing = rows.columns(PathRate)
    if len(changing):
        changing = changing.take(np.isin(changing["start_s"], transfers["start_s"]))
        known = {(r.client, r.direction, r.start_s): r[4:] for r in changing}
        for i, row in enumerate(transfers):
            constant = (own_Bps[i], cell_Bps[i], server_Bps[i])
            found = known.get((row.client, row.direction, row.start_s), constant)
            own_Bps[i], cell_Bps[i], server_Bps[i] = found
    return own_Bps, cell_Bps, server_Bps


def _seconds(nbytes: NDArray[Any], rate_Bps: Floats) -> Floats:
    """Return the seconds that links need for `nbytes`; inf for a link that is down."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(rate_Bps == 0, np.inf, nbytes / rate_Bps)


def bottleneck_shares(found: Iterable[RoundBottleneck]) -> dict[str, float]:
    """Return the share of the rounds' time by bottleneck, largest first; the sum is 1."""
    seconds: defaultdict[str, float] = defaultdict(float)
    for cause in found:
        seconds[cause.bottleneck] += cause.duration_s
    total_s = math.fsum(seconds.values())
    ordered = sorted(seconds.items(), key=lambda item: -item[1])
    return {name: s / total_s for name, s in ordered} if total_s else {}


def wasted_bytes(rows: Iterable[Row], direction: str) -> int:
    """Return the bytes in `direction` of updates that were not used."""
    sent = EventTable.of(rows).columns(Transfer)
    wasted = sent.having("direction", direction) & ~sent.having("outcome", "used")
    return whole_sum(sent["nbytes"][wasted])


def wasted_compute(rows: Iterable[Row]) -> float:
    """Return the compute seconds of updates that were not used."""
    computed = EventTable.of(rows).columns(Computation)
    computed = computed.take(~computed.having("outcome", "used"))
    return exact_sum(computed["finish_s"] - computed["start_s"])


def used_uploads(sent: Columns[Any]) -> NDArray[np.bool_]:
    """Return which transfers are complete uploads that the server used: bool [transfers]."""
    return sent.having("direction", "up") & sent.having("outcome", "used")


def mean_staleness(rows: Iterable[Row]) -> float:
    """Return the mean staleness of used updates, in server steps; 0 without any."""
    sent = EventTable.of(rows).columns(Transfer)
    used = sent.take(used_uploads(sent))
    if not used["staleness"].any():
        return 0.0
    order, last = ends(pair_keys(used["round"], used["client"]))  # an upload may have parts
    return whole_sum(used["staleness"][order[last]]) / int(last.sum())
