"""Faster, but at what accuracy: variants that learn differently, at equal time. Pure.

Defined in docs/reference/metrics.md.
"""

from collections.abc import Mapping
from itertools import pairwise

from emulator.results.metrics import Curve
from emulator.simulation.records import Emulation


def learn_differently(curves: Mapping[Emulation, Curve]) -> bool:
    """Whether some method, with some seed, scored differently after as many rounds."""
    known: dict[tuple[str, int, int], float] = {}
    return any(
        known.setdefault((who.method, who.seed, number), accuracy) != accuracy
        for who, curve in curves.items()
        for number, accuracy in zip(curve.round, curve.accuracy, strict=True)
    )


def at_equal_time(curves: Mapping[Emulation, Curve]) -> dict[Emulation, float | None]:
    """Each emulation's accuracy when the first variant of its method and seed ended.

    None where that was before its first evaluation.
    """
    ends_s: dict[tuple[str, int], float] = {}
    for who, curve in curves.items():
        key = who.method, who.seed
        ends_s[key] = min(curve.time_s[-1], ends_s.get(key, curve.time_s[-1]))
    return {e: accuracy_at(curve, ends_s[e.method, e.seed]) for e, curve in curves.items()}


def accuracy_at(curve: Curve, time_s: float) -> float | None:
    """Accuracy at a simulated time, with straight lines between evaluations, as in figures.

    The last one's from then on, None before the first.
    """
    points = list(zip(curve.time_s, curve.accuracy, strict=True))
    for (from_s, low), (to_s, high) in pairwise(points):
        if from_s <= time_s < to_s:
            return low + (high - low) * (time_s - from_s) / (to_s - from_s)
    return points[-1][1] if time_s >= points[-1][0] else None
