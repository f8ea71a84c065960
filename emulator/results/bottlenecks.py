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
PARTS = ("absence", "down", "compute", "up")  # of a client task; the first of equals counts
OF_DIRECTION = np.array([PARTS.index(way) for way in DIRECTIONS])
IS_TRANSFER = np.array([part in DIRECTIONS for part in PARTS])
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
    rows = EventTable.of(rows)
    fleet = Fleet(rows.columns(Client))
    if not len(fleet):
        return []
    rounds, sent = rows.columns(Round), rows.columns(Transfer)
    arrivals = np.flatnonzero(used_uploads(sent))
    arrivals = arrivals[np.argsort(sent["finish_s"][arrivals], kind="stable")]
    last = np.searchsorted(sent["finish_s"][arrivals], rounds["finish_s"], side="right") - 1
    waited = last >= 0  # for a client; the clock ended the others
    waited[waited] = sent["finish_s"][arrivals[last[waited]]] >= rounds["finish_s"][waited]
    uploads = arrivals[last[waited]]
    clients = sent["client"][uploads]
    causes = zip(
        clients.tolist(),
        _straggler_causes(rows, fleet, np.flatnonzero(waited), uploads),
        fleet.groups(clients),
        strict=True,
    )
    interrupted = _interrupted(rows)
    starts_s, ends_s = rounds["start_s"].tolist(), rounds["finish_s"].tolist()
    found = []
    for number, cohort, start_s, end_s, has_straggler in zip(
        rounds["round"].tolist(), rounds["cohort"].tolist(), starts_s, ends_s, waited.tolist(),
        strict=True,
    ):  # fmt: skip
        if has_straggler:
            client, cause, group = next(causes)
        else:
            by_clock = cohort and (number, end_s) not in interrupted
            client, cause, group = -1, "deadline" if by_clock else "absence", ""
        found.append(RoundBottleneck(number, client, cause, end_s - start_s, group))
    return found


def _interrupted(rows: EventTable) -> set[tuple[int, float]]:
    """Return the round and the time of each interruption by a client that left."""
    found: set[tuple[int, float]] = set()
    for columns in (rows.columns(record) for record in WORK):
        if (is_cut := columns.having("outcome", "cut")).any():
            times_s = columns["finish_s"][is_cut].tolist()
            found.update(zip(columns["round"][is_cut].tolist(), times_s, strict=True))
    return found


def _straggler_causes(
    rows: EventTable, fleet: Fleet, ended: NDArray[np.intp], uploads: NDArray[np.intp]
) -> list[str]:
    """Return what delayed the straggler of some rounds most, given by their indices.

    `uploads` are the indices of the transfers that ended them.
    """
    if not len(uploads):
        return []
    rounds, sent = rows.columns(Round), rows.columns(Transfer)
    works = [rows.columns(record) for record in WORK]
    number, client, start_s, finish_s = (
        np.concatenate([work[name] for work in works])
        for name in ("round", "client", "start_s", "finish_s")
    )
    part = np.concatenate(
        [
            OF_DIRECTION[sent["direction"]],
            np.full(len(works[1]), PARTS.index("compute")),
            np.full(len(works[2]), PARTS.index("absence")),
        ]
    )
    keys = pair_keys(number, client)
    tasks, task = np.unique(keys[uploads], return_inverse=True)  # of each upload
    place = np.minimum(np.searchsorted(tasks, keys), len(tasks) - 1)
    chosen = np.flatnonzero(tasks[place] == keys)
    place, part, lasted_s = place[chosen], part[chosen], (finish_s - start_s)[chosen]
    sums = np.bincount(place * len(PARTS) + part, lasted_s, len(tasks) * len(PARTS))
    spent_s: Floats = sums.astype(np.float64).reshape(-1, len(PARTS))[task]
    spent_s[:, PARTS.index("absence")] += _unavailable_s(rounds.take(ended), sent, uploads)
    longest = spent_s.argmax(axis=1)
    causes = [PARTS[code] for code in longest.tolist()]
    # The slowest transfer in the direction that took longest; the first one of several.
    order = np.lexsort((-lasted_s, part, place))
    group = (place * len(PARTS) + part)[order]
    slow = np.flatnonzero(IS_TRANSFER[longest])
    slowest = order[np.searchsorted(group, (task * len(PARTS) + longest)[slow])]
    links = _links(rows, fleet, sent.take(chosen[slowest]))
    for index, name in zip(slow.tolist(), links, strict=True):
        causes[index] = name
    return causes


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
    found: NDArray[np.float64] = np.where(is_own, first_s[place] - rounds["start_s"], 0.0)
    return found


def _links(rows: EventTable, fleet: Fleet, slow: Columns[Any]) -> list[str]:
    """Return the link with the highest utilisation during each transfer; 'latency' below BUSY."""
    in_cell, in_all = _moved(rows.columns(Transfer), slow, fleet)
    own_Bps, cell_Bps, server_Bps = _rates(rows, fleet, slow)
    lasted_s = slow["finish_s"] - slow["start_s"]
    used_s = np.stack([
        _seconds(slow["nbytes"], own_Bps),
        np.where(cell_Bps < 0, -np.inf, _seconds(in_cell, cell_Bps)),
        _seconds(in_all, server_Bps),
    ])  # fmt: skip
    busiest = used_s.argmax(axis=0)
    is_busy = (lasted_s > 0) & (used_s.max(axis=0) >= BUSY * lasted_s)
    pairs = zip(slow["direction"].tolist(), busiest.tolist(), is_busy.tolist(), strict=True)
    return [
        (f"client {DIRECTIONS[way]}", "cell", "server")[link] if busy else "latency"
        for way, link, busy in pairs
    ]


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


def main_bottleneck(found: Iterable[RoundBottleneck]) -> str:
    """Return the bottleneck with the most time; empty if it is not known."""
    return next(iter(bottleneck_shares(found)), "")


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
