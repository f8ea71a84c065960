"""Costs by group of clients; included and excluded clients (docs/reference/metrics.md).

Clients with a used update are included (in field names: heard), the others excluded (unheard).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from emulator.results.arrays import ends, exact_sum, pair_keys, whole_sum, whole_sums
from emulator.results.bottlenecks import WORK, used_uploads, wasted_bytes, wasted_compute
from emulator.results.fleet import Fleet
from emulator.simulation.event_table import Columns, EventTable
from emulator.simulation.records import (
    Absence,
    Client,
    Computation,
    Evaluation,
    Holding,
    LabelScore,
    Row,
    Transfer,
)

SPLIT = "validation"


class Participation(NamedTuple):
    """Shares of excluded clients and of their examples; accuracies of the last model.

    Accuracies are for data like that of the included and of the excluded clients. None: not known,
    or there are no such clients.
    """

    unheard_clients: float | None
    unheard_examples: float | None
    heard_accuracy: float | None
    unheard_accuracy: float | None


@dataclass(frozen=True, slots=True)
class GroupShare:
    """Costs of a group of clients. Seconds are means over its client tasks (`visits`).

    `examples` and `unheard_examples` are None if the examples per client are not known; accuracies
    are as in Participation.
    """

    group: str
    clients: int
    visits: int
    used: int
    download_s: float
    compute_s: float
    upload_s: float
    absent_s: float
    bytes_down: int
    bytes_up: int
    wasted_bytes: int
    wasted_compute_s: float
    examples: int | None
    unheard_clients: float | None
    unheard_examples: float | None
    heard_accuracy: float | None
    unheard_accuracy: float | None


def participation(rows: Iterable[Row], scored: Iterable[Row] | None = None) -> Participation:
    """Return the participation of the clients in `rows`, with the scores in `scored` or `rows`."""
    rows = EventTable.of(rows)
    fleet, sent = Fleet(rows.columns(Client)), rows.columns(Transfer)
    if not len(fleet):
        return Participation(None, None, None, None)
    used = fleet.index(sent["client"][used_uploads(sent)])
    is_included = np.zeros(len(fleet), bool)
    is_included[used[used >= 0]] = True
    scores = _last_scores(rows if scored is None else EventTable.of(scored))
    return Participation(
        _share(~is_included, np.ones(len(fleet), np.int64)),
        _share(~is_included, fleet.columns["examples"]),
        *_accuracies(rows.columns(Holding), fleet, is_included, scores),
    )


def _share(chosen: NDArray[np.bool_], weights: NDArray[np.int64]) -> float | None:
    """Return the weighted share of what is chosen; None if a weight is not known (negative)."""
    if weights.min(initial=0) < 0 or not (total := whole_sum(weights)):
        return None
    return whole_sum(weights[chosen]) / total


def _last_scores(rows: EventTable) -> dict[int, float]:
    """Return the share of right answers by label, of labels in the last evaluation."""
    scored, labels = (
        columns.take(columns.having("split", SPLIT))
        for columns in (rows.columns(Evaluation), rows.columns(LabelScore))
    )
    last = max(scored["round"].max(initial=0), labels["round"].max(initial=0))
    labels = labels.take((labels["round"] == last) & (labels["examples"] != 0))
    shares = labels["right"] / labels["examples"]
    return dict(zip(labels["label"].tolist(), shares.tolist(), strict=True))


def _accuracies(
    holdings: Columns[Holding],
    fleet: Fleet,
    is_included: NDArray[np.bool_],
    scores: Mapping[int, float],
) -> tuple[float | None, float | None]:
    """Return the mean of `scores` for the included and for the excluded clients of the fleet.

    They are weighted by the examples per label that the clients hold. Labels without a score are
    ignored.
    """
    if not scores:
        return None, None
    labels = np.array(sorted(scores), np.int64)
    client, count = fleet.index(holdings["client"]), len(labels)
    label = np.minimum(np.searchsorted(labels, holdings["label"]), count - 1)
    counted = (client >= 0) & (labels[label] == holdings["label"])
    group = (label + count * is_included[client])[counted]
    held = whole_sums(group, holdings["examples"][counted], 2 * count)
    ordered = [scores[each] for each in labels.tolist()]
    return _weighted(ordered, held[count:]), _weighted(ordered, held[:count])


def _weighted(scores: Sequence[float], weights: Sequence[int]) -> float | None:
    """Return the weighted mean; None without weights."""
    if not (total := sum(weights)):
        return None
    return math.fsum(n * score for n, score in zip(weights, scores, strict=True)) / total


def by_group(rows: Iterable[Row]) -> list[GroupShare]:
    """Return the share of each group, in the order of their first clients."""
    rows = EventTable.of(rows)
    clients = rows.columns(Client)
    if not len(clients):
        return []
    fleet = Fleet(clients)
    scored = EventTable.joined([EventTable.only(rows.columns(r)) for r in (Evaluation, LabelScore)])
    parts = [_by_group(rows.columns(record), fleet) for record in (*WORK, Client, Holding)]
    return [
        _group(name, EventTable.joined([EventTable.only(part[name]) for part in parts]), scored)
        for name in dict.fromkeys(fleet.groups(clients["client"]))
    ]


def _by_group(columns: Columns[Any], fleet: Fleet) -> Mapping[str, Columns[Any]]:
    """Return the rows of each group, with those of no other."""
    group = fleet.of(columns["client"], "group")
    order = np.argsort(group, kind="stable")
    words = fleet.columns.words["group"]
    bounds = np.searchsorted(group[order], np.arange(len(words) + 1)).tolist()
    pairs = zip(words, pairwise(bounds), strict=True)
    return {name: columns.take(order[start:stop]) for name, (start, stop) in pairs}


def _group(name: str, rows: EventTable, scored: EventTable) -> GroupShare:
    transfers = rows.columns(Transfer)
    visits = _count_tasks(transfers)

    def mean_s(part: Columns[Any]) -> float:
        seconds = exact_sum(part["finish_s"] - part["start_s"])
        return seconds / visits if visits else 0.0

    down, up = (transfers.take(transfers.having("direction", way)) for way in ("down", "up"))
    held = rows.columns(Client)["examples"]
    return GroupShare(
        group=name,
        clients=len(held),
        visits=visits,
        used=_count_tasks(transfers.take(used_uploads(transfers))),
        download_s=mean_s(down),
        compute_s=mean_s(rows.columns(Computation)),
        upload_s=mean_s(up),
        absent_s=mean_s(rows.columns(Absence)),
        bytes_down=whole_sum(down["nbytes"]),
        bytes_up=whole_sum(up["nbytes"]),
        wasted_bytes=wasted_bytes(rows, "down") + wasted_bytes(rows, "up"),
        wasted_compute_s=wasted_compute(rows),
        examples=whole_sum(held) if held.min() >= 0 else None,
        **participation(rows, scored)._asdict(),
    )


def _count_tasks(rows: Columns[Any]) -> int:
    """Return the number of different client tasks."""
    _, last = ends(pair_keys(rows["round"], rows["client"]))
    return int(last.sum())
