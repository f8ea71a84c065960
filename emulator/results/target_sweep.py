"""Time and bytes to each of many targets, and who reaches which one first.

docs/reference/metrics.md defines the numbers.
"""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import NamedTuple

from emulator.results.metrics import Curve, Spread, spread
from emulator.simulation.records import Emulation
from emulator.simulation.target import ACCURACY, Goal, Measure

_Run = tuple[int, int | None]  # seed, and draw of the fleet
MOST_TARGETS = 50  # that are chosen without being asked for
STEPS = (1, 2, 5)  # times a power of ten


@dataclass(frozen=True, slots=True)
class TargetTime:
    """What one simulation takes to one target; None if it was not reached.

    Seconds are simulated; bytes are of encoded messages, until then.
    """

    method: str
    variant: str
    seed: int
    network_seed: int | None
    measure: Measure
    target: float
    time_s: float | None
    round: int | None
    bytes_down: int | None
    bytes_up: int | None


class First(NamedTuple):
    """The method with the least median time to a target under a variant.

    It is the first method with `wins` of the `seeds` that reached the target with some method. With
    draws of the fleet, these are pairs of a seed and a draw.
    """

    variant: str
    target: float
    method: str
    time_s: float
    wins: int
    seeds: int


class _Score(NamedTuple):
    accuracy: float
    loss: float


def target_times(curves: Mapping[Emulation, Curve], goals: Sequence[Goal]) -> list[TargetTime]:
    """Return a row per simulation and goal, in that order."""
    return [
        _time(who, curve, goal, k)
        for who, curve in curves.items()
        for goal, k in zip(goals, hits(curve, goals), strict=True)
    ]


def hits(curve: Curve, goals: Sequence[Goal]) -> list[int | None]:
    """Return the index of the evaluation that reaches each goal; None if none does."""
    scores = [_Score(*pair) for pair in zip(curve.accuracy, curve.loss, strict=True)]
    return [goal.reached_at(scores) for goal in goals]


def _time(who: Emulation, curve: Curve, goal: Goal, k: int | None) -> TargetTime:
    found = TargetTime(*who, goal.measure, goal.value, None, None, None, None)
    if k is None:
        return found
    down, up = curve.bytes_down[k], curve.bytes_up[k]
    return replace(
        found, time_s=curve.time_s[k], round=curve.round[k], bytes_down=down, bytes_up=up
    )


def steps(curves: Iterable[Curve], goal: Goal, most: int = MOST_TARGETS) -> list[float]:
    """Return at most about `most` round values of the measure of `goal`, and its own.

    They lie between the first and the best score of all curves, the easiest first.
    """
    scores = [value for curve in curves for value in curve.of(goal.measure)]
    if not scores:
        return [goal.value]
    low, high = min(scores), max(scores)
    step = _step((high - low) / most, at_least=0.01 if goal.measure == ACCURACY else 0.0)
    first, last = math.floor(low / step) + 1, math.floor(high / step)
    values = {round(k * step, 10) for k in range(first, last + 1)} | {goal.value}
    possible = (v for v in values if v > 0 or v == goal.value)
    return sorted(possible, reverse=goal.measure != ACCURACY)


def _step(least: float, at_least: float) -> float:
    """Return 1, 2 or 5 times a power of ten: the first that is not below either."""
    least = max(least, at_least)
    if least <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(least))
    return next((k * power for k in STEPS if k * power >= least * (1 - 1e-9)), 10 * power)


def medians(rows: Iterable[TargetTime]) -> dict[tuple[str, str, float], Spread]:
    """Return the times over seeds by (method, variant, target)."""
    found: dict[tuple[str, str, float], list[float | None]] = {}
    for row in rows:
        found.setdefault((row.method, row.variant, row.target), []).append(row.time_s)
    return {key: spread(times) for key, times in found.items()}


def firsts(rows: Iterable[TargetTime]) -> list[First]:
    """Return who is first, per variant and target in the order of `rows`.

    Targets that no method reaches in the median have none.
    """
    by_place: dict[tuple[str, float], dict[str, dict[_Run, float]]] = {}
    for row in rows:
        times = by_place.setdefault((row.variant, row.target), {}).setdefault(row.method, {})
        times[row.seed, row.network_seed] = math.inf if row.time_s is None else row.time_s
    found = (_first(variant, target, of) for (variant, target), of in by_place.items())
    return [each for each in found if each]


def _first(variant: str, target: float, times: Mapping[str, Mapping[_Run, float]]) -> First | None:
    middle = {method: statistics.median(of.values()) for method, of in times.items()}
    method = min(middle, key=middle.__getitem__)
    if math.isinf(middle[method]):
        return None
    best: dict[_Run, float] = {}
    for of in times.values():
        for seed, time_s in of.items():
            best[seed] = min(time_s, best.get(seed, math.inf))
    reached = [seed for seed, time_s in best.items() if math.isfinite(time_s)]
    wins = sum(times[method].get(seed, math.inf) == best[seed] for seed in reached)
    return First(variant, target, method, middle[method], wins, len(reached))


def runs_of(found: Iterable[First]) -> list[list[First]]:
    """Return neighbouring targets with the same variant and method together."""
    return [list(each) for _, each in groupby(found, key=lambda f: (f.variant, f.method))]


def at(goal: Goal, values: Iterable[float]) -> list[Goal]:
    """Return `goal` with each of `values` in its place."""
    return [replace(goal, value=value) for value in values]


class Budget(NamedTuple):
    """So many simulated seconds, or bytes down and up together."""

    seconds: float | None = None
    nbytes: float | None = None


@dataclass(frozen=True, slots=True)
class BudgetScore:
    """The accuracy of the last evaluation within a budget; None before the first."""

    method: str
    variant: str
    seed: int
    network_seed: int | None
    budget_s: float | None
    budget_bytes: float | None
    accuracy: float | None


def within(curves: Mapping[Emulation, Curve], budgets: Sequence[Budget]) -> list[BudgetScore]:
    """Return a row per simulation and budget, in that order."""
    return [
        BudgetScore(*who, budget.seconds, budget.nbytes, _within(curve, budget))
        for who, curve in curves.items()
        for budget in budgets
    ]


def _within(curve: Curve, budget: Budget) -> float | None:
    both = zip(curve.time_s, curve.bytes_down, curve.bytes_up, curve.accuracy, strict=True)
    known = [
        accuracy
        for time_s, down, up, accuracy in both
        if (budget.seconds is None or time_s <= budget.seconds)
        and (budget.nbytes is None or down + up <= budget.nbytes)
    ]
    return known[-1] if known else None
