"""Accuracy at equal simulated time, for variants that learn differently.

docs/reference/metrics.md defines it.
"""

from collections.abc import Mapping
from itertools import pairwise

from emulator.results.metrics import Curve
from emulator.simulation.records import Emulation


def learn_differently(curves: Mapping[Emulation, Curve]) -> bool:
    """Return whether a method with one seed and draw has two accuracies after the same round."""
    known: dict[tuple[str, int, int | None, int], float] = {}
    return any(
        known.setdefault((who.method, who.seed, who.network_seed, number), accuracy) != accuracy
        for who, curve in curves.items()
        for number, accuracy in zip(curve.round, curve.accuracy, strict=True)
    )


def at_equal_time(curves: Mapping[Emulation, Curve]) -> dict[Emulation, float | None]:
    """Return the accuracy of each simulation when the first variant of its method and seed ended.

    None if that was before its first evaluation.
    """
    ends_s: dict[tuple[str, int, int | None], float] = {}
    for who, curve in curves.items():
        key = _run(who)
        ends_s[key] = min(curve.time_s[-1], ends_s.get(key, curve.time_s[-1]))
    return {e: accuracy_at(curve, ends_s[_run(e)]) for e, curve in curves.items()}


def _run(who: Emulation) -> tuple[str, int, int | None]:
    return who.method, who.seed, who.network_seed


def accuracy_at(curve: Curve, time_s: float) -> float | None:
    """Return the accuracy at a simulated time, linear between evaluations, as in figures.

    Constant after the last evaluation; None before the first.
    """
    points = list(zip(curve.time_s, curve.accuracy, strict=True))
    for (from_s, low), (to_s, high) in pairwise(points):
        if from_s <= time_s < to_s:
            return low + (high - low) * (time_s - from_s) / (to_s - from_s)
    return points[-1][1] if time_s >= points[-1][0] else None
