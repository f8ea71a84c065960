"""Confidence intervals and tests over a few seeds: Student's t, sign test, Holm's correction.

docs/reference/metrics.md says when each is used. Without scipy, which takes long to load.
"""

import functools
import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

LEVEL = 0.95  # of confidence bands; a difference is significant if p is at most 1 - LEVEL
TERMS = 100  # of a continued fraction: enough for a million degrees of freedom


class Effect(NamedTuple):
    """A mean difference with its band at LEVEL, and the two-sided p of no difference."""

    mean: float
    low: float
    high: float
    p: float


def paired(differences: Sequence[float]) -> Effect:
    """Return the mean of two or more differences, one per seed (Student's paired t-test)."""
    n = len(differences)
    return _effect(statistics.fmean(differences), statistics.stdev(differences) / n**0.5, n - 1)


def unpaired(ours: Sequence[float], theirs: Sequence[float]) -> Effect:
    """Return the difference of two means with unequal variances (Welch 1947).

    Each side has two or more values. Degrees of freedom are rounded down, which widens the band.
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
    half = critical_t(1 - LEVEL, df) * error
    return Effect(mean, mean - half, mean + half, two_sided_p(mean / error, df))


def two_sided_p(t: float, df: int) -> float:
    """Return the probability of a Student's t at least as far from 0 as `t`; `df` is 1 or more.

    DLMF 8.17: the regularised incomplete beta function of (df / 2, 1 / 2) at df / (df + t^2).
    """
    x, rest = df / (df + t * t), t * t / (df + t * t)
    if not (x and rest):
        return x
    a, b = df / 2, 0.5
    scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    power = math.exp(scale + a * math.log(x) + b * math.log(rest))
    if x < (a + 1) / (a + b + 2):  # where the fraction converges quickly
        return power / (a * _beta_fraction(a, b, x))
    return 1 - power / (b * _beta_fraction(b, a, rest))


def _beta_fraction(a: float, b: float, x: float) -> float:
    """Return the continued fraction of the incomplete beta function (DLMF 8.17.22)."""
    value = 1.0
    for m in range(TERMS, 0, -1):
        odd = -(a + m - 1) * (a + b + m - 1) / ((a + 2 * m - 2) * (a + 2 * m - 1))
        even = m * (b - m) / ((a + 2 * m - 1) * (a + 2 * m))
        value = 1 + odd * x / (1 + even * x / value)
    return value


@functools.cache
def critical_t(p: float, df: int) -> float:
    """Return the positive t whose `two_sided_p` is `p`, by bisection to the last bit."""
    low, high = 0.0, 1.0
    while two_sided_p(high, df) > p:
        low, high = high, 2 * high
    while low < (middle := (low + high) / 2) < high:
        if two_sided_p(middle, df) > p:
            low = middle
        else:
            high = middle
    return high


def sign_test(wins: int, losses: int) -> float:
    """Return the exact two-sided p if wins and losses are equally likely; ties are left out."""
    n, fewer = wins + losses, min(wins, losses)
    return min(1.0, 2 * sum(math.comb(n, k) for k in range(fewer + 1)) / (1 << n))


def holm(ps: Sequence[float]) -> list[float]:
    """Return the p values corrected for the number of tests, by Holm's method (1979)."""
    adjusted = [0.0] * len(ps)
    least = 0.0
    for rank, index in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        least = max(least, min(1.0, ps[index] * (len(ps) - rank)))
        adjusted[index] = least
    return adjusted
