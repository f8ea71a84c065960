"""What a handful of seeds can show: Student's t on differences, a sign test, Holm's correction.

Formulas by number are those of Abramowitz and Stegun, Handbook of Mathematical Functions (1964).
docs/reference/metrics.md says when which is used.
"""

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

LEVEL = 0.95  # of bands; a difference is shown where p is at most 1 - LEVEL


class Effect(NamedTuple):
    """A mean difference with its band at LEVEL, and the two-sided p of no difference."""

    mean: float
    low: float
    high: float
    p: float


def within_t(t: float, df: int) -> float:
    """Probability that Student's t, `df` degrees of freedom, is within +-`t` (26.7.3, 26.7.4)."""
    theta = math.atan2(abs(t), math.sqrt(df))
    sine, cosine = math.sin(theta), math.cos(theta)
    term = cosine if df % 2 else 1.0
    total = term if df > 1 else 0.0
    for k in range(3 if df % 2 else 2, df - 1, 2):
        term *= cosine**2 * (k - 1) / k
        total += term
    return 2 / math.pi * (theta + sine * total) if df % 2 else sine * total


def critical_t(df: int) -> float:
    """The t that a share LEVEL lies within; by bisection, to 1e-12."""
    low, high = 0.0, 1000.0
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if within_t(middle, df) < LEVEL else (low, middle)
    return high


def paired(differences: Sequence[float]) -> Effect:
    """The mean of two or more differences, one a seed."""
    n = len(differences)
    return _effect(statistics.fmean(differences), statistics.stdev(differences) / n**0.5, n - 1)


def unpaired(ours: Sequence[float], theirs: Sequence[float]) -> Effect:
    """Difference of two means, of two or more values each, of unlike spread (Welch 1947).

    Degrees of freedom are rounded down, which widens the band.
    """
    a, b = (statistics.variance(values) / len(values) for values in (ours, theirs))
    mean = statistics.fmean(ours) - statistics.fmean(theirs)
    if not a + b:
        return _effect(mean, 0.0, 1)
    df = (a + b) ** 2 / (a**2 / (len(ours) - 1) + b**2 / (len(theirs) - 1))
    return _effect(mean, math.sqrt(a + b), max(1, math.floor(df + 1e-9)))


def _effect(mean: float, error: float, df: int) -> Effect:
    if not error:
        return Effect(mean, mean, mean, float(not mean))
    half = critical_t(df) * error
    return Effect(mean, mean - half, mean + half, 1 - within_t(mean / error, df))


def sign_test(wins: int, losses: int) -> float:
    """Exact two-sided p of so many wins and losses where each is as likely; ties are left out."""
    n = wins + losses
    tail: float = sum(math.comb(n, k) for k in range(max(wins, losses), n + 1)) / 2**n
    return min(1.0, 2 * tail)


def holm(ps: Sequence[float]) -> list[float]:
    """p values of one family, so that any false finding in it is as rare as one was (Holm 1979)."""
    adjusted = [0.0] * len(ps)
    least = 0.0
    for rank, index in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        least = max(least, min(1.0, ps[index] * (len(ps) - rank)))
        adjusted[index] = least
    return adjusted
