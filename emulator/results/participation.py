"""Who was heard, who was left out, and what each group of clients paid. Pure;
docs/reference/metrics.md."""

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
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
    """Shares of clients and examples no update of whom was ever used, and the model's accuracy.

    Accuracies are for data like that of the clients that were heard, and of those that never were.
    None: not known, or there is nobody to have one.
    """

    unheard_clients: float | None
    unheard_examples: float | None
    heard_accuracy: float | None
    unheard_accuracy: float | None


@dataclass(frozen=True, slots=True)
class GroupShare:
    """What became of a group of clients. Seconds are means over its visits, asked to done.

    `examples` and `unheard_examples` are None where it is not known who holds how much; accuracies
    as in LeftOut.
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


def left_out(rows: Sequence[Row]) -> Participation:
    """Of all clients of an emulation."""
    return _left_out(rows, rows)


def _left_out(rows: Sequence[Row], scored: Iterable[Row]) -> Participation:
    """Of the clients that `rows` are about, by the scores among `scored`."""
    clients = {row.client for row in rows if isinstance(row, Client)}
    heard = clients & {row.client for row in rows if is_used_upload(row)}
    holdings = [row for row in rows if isinstance(row, Holding)]
    scores = _last_scores(scored)
    return Participation(
        excluded_share(rows, lambda client: 1),
        excluded_share(rows, lambda client: client.examples),
        _accuracy_for(heard, holdings, scores),
        _accuracy_for(clients - heard, holdings, scores),
    )


def excluded_share(rows: Iterable[Row], weight: Callable[[Client], int]) -> float | None:
    """Share of the clients, by weight, no update of whom was ever used; None: not known."""
    rows = list(rows)
    fleet = [row for row in rows if isinstance(row, Client)]
    weights = {client.client: weight(client) for client in fleet}
    if not fleet or min(weights.values()) < 0 or not (total := sum(weights.values())):
        return None
    heard = {row.client for row in rows if is_used_upload(row)}
    return sum(w for client, w in weights.items() if client not in heard) / total


def _last_scores(rows: Iterable[Row]) -> dict[int, float]:
    """Share answered right of each label that the last evaluation has examples of."""
    scored = [r for r in rows if isinstance(r, Evaluation | LabelScore) and r.split == SPLIT]
    last = max((row.round for row in scored), default=0)
    labels = [row for row in scored if isinstance(row, LabelScore) and row.round == last]
    return {row.label: row.right / row.examples for row in labels if row.examples}


def _accuracy_for(
    clients: Collection[int], holdings: Iterable[Holding], scores: dict[int, float]
) -> float | None:
    """`scores` by label, each as often as `clients` hold its label; labels not scored are out."""
    held: Counter[int] = Counter()
    for row in holdings:
        if row.client in clients and row.label in scores:
            held[row.label] += row.examples
    if not (total := held.total()):
        return None
    return math.fsum(n * scores[label] for label, n in held.items()) / total


def by_group(rows: Iterable[Row]) -> list[GroupShare]:
    """Each group of the fleet, in order of its first client."""
    rows = list(rows)
    fleet = {row.client: row for row in rows if isinstance(row, Client)}
    if not fleet:
        return []
    of: dict[str, list[Row]] = {client.group: [] for client in fleet.values()}
    for row in rows:
        if isinstance(row, Work | Client | Holding):
            of[fleet[row.client].group].append(row)
    scored = [row for row in rows if isinstance(row, Evaluation | LabelScore)]
    return [_group(name, its_rows, scored) for name, its_rows in of.items()]


def _group(name: str, rows: list[Row], scored: Iterable[Row]) -> GroupShare:
    transfers = [row for row in rows if isinstance(row, Transfer)]
    visits = {(row.round, row.client) for row in transfers}

    def mean_s(part: Iterable[Work]) -> float:
        seconds = math.fsum(row.finish_s - row.start_s for row in part)
        return seconds / len(visits) if visits else 0.0

    down = [row for row in transfers if row.direction == "down"]
    up = [row for row in transfers if row.direction == "up"]
    held = [row.examples for row in rows if isinstance(row, Client)]
    return GroupShare(
        group=name,
        clients=len(held),
        visits=len(visits),
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
        **_left_out(rows, scored)._asdict(),
    )
