"""Costs by group of clients; included and excluded clients (docs/reference/metrics.md).

Clients with a used update are included (in field names: heard), the others excluded (unheard).
"""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from emulator.results.bottlenecks import Work, is_used_upload, wasted_bytes, wasted_compute
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
