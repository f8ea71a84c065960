"""Metrics of one simulation, and their summary over seeds (docs/reference/metrics.md).

A target that was never reached is None here and in JSON, and +inf in every order.
"""

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from emulator.common.errors import LedgerError
from emulator.results import privacy
from emulator.results.arrays import summable, whole_sum
from emulator.results.bottlenecks import (
    main_bottleneck,
    mean_staleness,
    wasted_bytes,
    wasted_compute,
)
from emulator.results.participation import participation
from emulator.results.time_spent import time_spent
from emulator.simulation.event_table import EventTable
from emulator.simulation.records import UNKNOWN, Emulation, Evaluation, Round, Row, Transfer
from emulator.simulation.target import ACCURACY, LOSS, Goal, Measure, merit

SPLIT = "validation"  # for targets, so that nothing is selected on the test split


@dataclass(frozen=True, slots=True)
class Outcome:
    """Metrics of one simulation. Fields ending in `to_target` are None if it was not reached.

    Seconds are simulated, bytes are of encoded messages. Accuracies are values of the metric: from
    0 to 1, except for a metric that is to fall. `target` is a value of `target_measure`.
    `download_s` to `waiting_s` cover the time to target, or the whole run if it was not reached.
    Values that were not recorded are None, as are the last three without differential privacy, and
    accuracies and the loss of a message log without them.
    """

    method: str
    variant: str
    seed: int
    target: float | None
    time_to_target_s: float | None
    rounds_to_target: int | None
    bytes_down_to_target: int | None
    bytes_up_to_target: int | None
    final_accuracy: float | None
    best_accuracy: float | None
    final_loss: float | None
    test_accuracy: float | None
    rounds: int
    duration_s: float
    bytes_down: int
    bytes_up: int
    download_s: float
    compute_s: float
    upload_s: float
    waiting_s: float
    wasted_bytes_down: int
    wasted_bytes_up: int
    wasted_compute_s: float
    mean_staleness: float
    unheard_clients: float | None
    unheard_examples: float | None
    bottleneck: str
    heard_accuracy: float | None = None
    unheard_accuracy: float | None = None
    delta: float | None = None
    epsilon_to_target: float | None = None
    epsilon: float | None = None
    target_measure: Measure = ACCURACY
    accuracy_lost: float | None = None
    test_accuracy_at_target: float | None = None
    target_resolution_s: float | None = None
    network_seed: int | None = None

    @property
    def emulation(self) -> Emulation:
        """Its simulation."""
        return Emulation(self.method, self.variant, self.seed, self.network_seed)


class Curve(NamedTuple):
    """Scores of one simulation, with one entry per evaluation. Bytes are cumulative."""

    round: tuple[int, ...]
    time_s: tuple[float, ...]
    bytes_down: tuple[int, ...]
    bytes_up: tuple[int, ...]
    accuracy: tuple[float, ...]
    loss: tuple[float, ...]

    def of(self, measure: Measure) -> tuple[float, ...]:
        """Return the accuracies or the losses."""
        return self.loss if measure == LOSS else self.accuracy


class Spread(NamedTuple):
    """Order statistics over seeds; None for 'never', and for an accuracy that was not scored."""

    low: float | None
    median: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Summary:
    """One method under one variant over seeds; `reached` of them reached the target."""

    method: str
    variant: str
    target: float | None
    seeds: tuple[int, ...]
    reached: int
    time_to_target_s: Spread
    rounds_to_target: Spread
    bytes_down_to_target: Spread
    bytes_up_to_target: Spread
    final_accuracy: Spread
    test_accuracy: Spread | None
    rounds: Spread
    duration_s: Spread
    bytes_down: Spread
    bytes_up: Spread
    delta: float | None = None
    epsilon_to_target: Spread | None = None
    epsilon: Spread | None = None
    target_measure: Measure = ACCURACY
    test_accuracy_at_target: Spread | None = None


_SPREADS = [each.name for each in fields(Summary) if each.type is Spread]


def evaluations(rows: Iterable[Row], split: str = SPLIT) -> list[Evaluation]:
    """Return the evaluations on `split`, by round."""
    columns = EventTable.of(rows).columns(Evaluation)
    found = columns.take(columns.having("split", split))
    by_round = found.take(np.argsort(found["round"], kind="stable"))
    return list(by_round)


def bytes_sent(rows: Iterable[Row], direction: str, last_round: float = math.inf) -> int:
    """Return the bytes sent in `direction` ('down', 'up') in rounds 1 to `last_round`."""
    sent = EventTable.of(rows).columns(Transfer)
    chosen = sent.having("direction", direction) & (sent["round"] <= last_round)
    return whole_sum(sent["nbytes"][chosen])


def curve(rows: Iterable[Row], split: str = SPLIT) -> Curve:
    """Return the scores on `split` by round, simulated time and bytes."""
    rows = EventTable.of(rows)
    scores = evaluations(rows, split)
    rounds, times_s = tuple(s.round for s in scores), tuple(s.time_s for s in scores)
    down, up = (_bytes_until(rows, way, rounds) for way in ("down", "up"))
    accuracies, losses = tuple(s.accuracy for s in scores), tuple(s.loss for s in scores)
    return Curve(rounds, times_s, down, up, accuracies, losses)


class Point(NamedTuple):
    """An evaluation: simulated seconds and bytes (down and up together) until then."""

    round: int
    time_s: float
    nbytes: int
    accuracy: float


def points(rows: Iterable[Row], split: str = SPLIT) -> list[Point]:
    """Return the curve as one point per evaluation."""
    return curve_points(curve(rows, split))


def curve_points(scores: Curve) -> list[Point]:
    """Return a point per evaluation."""
    found = zip(*scores, strict=True)
    return [Point(n, time_s, down + up, accuracy) for n, time_s, down, up, accuracy, _ in found]


def bytes_by_round(rows: Iterable[Row], direction: str) -> dict[int, int]:
    """Return the bytes sent in `direction` per round, in the order of rounds."""
    rounds, until = _bytes_so_far(rows, direction)
    numbers, first = np.unique(rounds, return_index=True)
    before = until[first]
    return dict(zip(numbers.tolist(), np.diff(before, append=until[-1:]).tolist(), strict=True))


def _bytes_until(rows: Iterable[Row], direction: str, rounds: Sequence[int]) -> tuple[int, ...]:
    """Return `bytes_sent` up to each of `rounds`."""
    found, until = _bytes_so_far(rows, direction)
    return tuple(until[np.searchsorted(found, rounds, side="right")].tolist())


def _bytes_so_far(rows: Iterable[Row], direction: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the round of each transfer in `direction`, sorted, and the bytes before each.

    The bytes have one more entry: all of them.
    """
    sent = EventTable.of(rows).columns(Transfer)
    sent = sent.take(sent.having("direction", direction))
    order = np.argsort(sent["round"], kind="stable")
    until = np.concatenate([[0], np.cumsum(summable(sent["nbytes"])[order])])
    return sent["round"][order], until


def outcome(
    emulation: Emulation,
    rows: Iterable[Row],
    goal: Goal | None,
    split: str = SPLIT,
    account: privacy.Account | None = None,
    epsilon: Callable[[privacy.Account, int], float] = privacy.epsilon,
    metric: Measure = ACCURACY,
) -> Outcome:
    """Return the metrics of one simulation; `goal` is what is to be reached on `split`, or None.

    `metric` says whether the task's metric is to grow or to fall. `epsilon` of (account, rounds)
    may be cached. Raises LedgerError if there is a goal and the rows have no evaluation on `split`,
    and SupportError if the accountant is missing.
    """
    rows = EventTable.of(rows)
    scores, tests = evaluations(rows, split), evaluations(rows, "test")
    if goal is not None and not scores:
        raise LedgerError(
            f"found no evaluation on the {split} split of {emulation}",
            "let the scenario evaluate at least once",
        )
    index = None if goal is None else goal.reached_at(scores)
    hit = None if index is None else scores[index]
    accuracies = [score.accuracy for score in scores]
    tested = {test.round: test.accuracy for test in tests}
    rounds = rows.columns(Round)
    return Outcome(
        method=emulation.method,
        variant=emulation.variant,
        seed=emulation.seed,
        target=goal.value if goal else None,
        time_to_target_s=hit.time_s if hit else None,
        rounds_to_target=hit.round if hit else None,
        bytes_down_to_target=bytes_sent(rows, "down", hit.round) if hit else None,
        bytes_up_to_target=bytes_sent(rows, "up", hit.round) if hit else None,
        final_accuracy=scores[-1].accuracy if scores else None,
        best_accuracy=max(accuracies, key=partial(merit, measure=metric), default=None),
        final_loss=scores[-1].loss if scores and scores[-1].loss != UNKNOWN else None,
        test_accuracy=tests[-1].accuracy if tests else None,
        rounds=len(rounds),
        duration_s=float(rounds["finish_s"].max(initial=0.0)),
        bytes_down=bytes_sent(rows, "down"),
        bytes_up=bytes_sent(rows, "up"),
        **time_spent(rows, hit.round if hit else math.inf)._asdict(),
        wasted_bytes_down=wasted_bytes(rows, "down"),
        wasted_bytes_up=wasted_bytes(rows, "up"),
        wasted_compute_s=wasted_compute(rows),
        mean_staleness=mean_staleness(rows),
        **participation(rows)._asdict(),
        bottleneck=main_bottleneck(rows),
        delta=account.delta if account else None,
        epsilon_to_target=epsilon(account, hit.round) if account and hit else None,
        epsilon=epsilon(account, len(rounds)) if account else None,
        target_measure=goal.measure if goal else ACCURACY,
        accuracy_lost=accuracy_lost([merit(each, metric) for each in accuracies]),
        test_accuracy_at_target=tested.get(hit.round) if hit else None,
        target_resolution_s=_since_evaluation(scores, index),
        network_seed=emulation.network_seed,
    )


def _since_evaluation(scores: Sequence[Evaluation], index: int | None) -> float | None:
    """Return the seconds between an evaluation and the one before; None without one."""
    if index is None:
        return None
    return scores[index].time_s - (scores[index - 1].time_s if index else 0.0)


def accuracy_lost(merits: Sequence[float]) -> float | None:
    """Return how far the last scores are below the best ones, both as means of three in a row.

    More is better in `merits`. None for fewer than three scores.
    """
    means = [math.fsum(merits[i - 3 : i]) / 3 for i in range(3, len(merits) + 1)]
    return max(means) - means[-1] if means else None


def spread(values: Iterable[float | None]) -> Spread:
    """Return minimum, median and maximum. None counts as +inf and is returned as None."""
    ordered = sorted(math.inf if value is None else value for value in values)
    low, middle, high = ordered[0], statistics.median(ordered), ordered[-1]
    return Spread(*(None if math.isinf(value) else value for value in (low, middle, high)))


def summarise(outcomes: Sequence[Outcome]) -> Summary:
    """Return the summary of one or more outcomes of a method under a variant."""
    first = outcomes[0]
    assert {(o.method, o.variant, o.target, o.target_measure) for o in outcomes} == {
        (first.method, first.variant, first.target, first.target_measure)
    }, "a summary is of one method under one variant"
    private = first.delta is not None

    def over_seeds(name: str) -> Spread:
        return spread(getattr(o, name) for o in outcomes)

    return Summary(
        method=first.method,
        variant=first.variant,
        target=first.target,
        seeds=tuple(o.seed for o in outcomes),
        reached=sum(o.time_to_target_s is not None for o in outcomes),
        test_accuracy=_tested("test_accuracy", outcomes),
        test_accuracy_at_target=_tested("test_accuracy_at_target", outcomes),
        delta=first.delta,
        target_measure=first.target_measure,
        epsilon_to_target=over_seeds("epsilon_to_target") if private else None,
        epsilon=over_seeds("epsilon") if private else None,
        **{name: over_seeds(name) for name in _SPREADS},
    )


def _tested(name: str, outcomes: Iterable[Outcome]) -> Spread | None:
    """Return the spread over those that have a score; None if none has."""
    scores = [score for each in outcomes if (score := getattr(each, name)) is not None]
    return spread(scores) if scores else None
