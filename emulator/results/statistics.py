"""Confidence intervals and tests over a few seeds: Student's t, sign test, Holm's correction.

docs/reference/metrics.md says when each is used. Functions import scipy, because that is slow:
`scipy.special`, with Student's t as `stdtr` and its inverse `stdtrit`, takes a quarter of the time
of `scipy.stats`.
"""

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

LEVEL = 0.95  # of confidence bands; a difference is significant if p is at most 1 - LEVEL


class Effect(NamedTuple):
    """A mean difference with its band at LEVEL, and the two-sided p of no difference."""

    mean: float
    low: float
    high: float
    p: float


def paired(differences: Sequence[float], least: float = 0.0) -> Effect:
    """Return the mean of two or more differences, one per seed (Student's paired t-test).

    `least` is the variance of one difference that is due to how finely it was measured: a few equal
    values do not show that there is less.
    """
    n = len(differences)
    deviation = max(statistics.stdev(differences), math.sqrt(least))
    return _effect(statistics.fmean(differences), deviation / n**0.5, n - 1)


def unpaired(
    ours: Sequence[float], theirs: Sequence[float], least: tuple[float, float] = (0.0, 0.0)
) -> Effect:
    """Return the difference of two means with unequal variances (Welch 1947).

    Each side has two or more values, and `least` as in `paired`. Degrees of freedom are rounded
    down, which widens the band.
    """
    a, b = (
        max(statistics.variance(values), floor) / len(values)
        for values, floor in zip((ours, theirs), least, strict=True)
    )
    mean = statistics.fmean(ours) - statistics.fmean(theirs)
    if not a + b:
        return _effect(mean, 0.0, 1)
    df = (a + b) ** 2 / (a**2 / (len(ours) - 1) + b**2 / (len(theirs) - 1))
    return _effect(mean, math.sqrt(a + b), max(1, math.floor(df + 1e-9)))


def _effect(mean: float, error: float, df: int) -> Effect:
    if not error:
        return Effect(mean, mean, mean, float(not mean))
    from scipy.special import stdtr, stdtrit

    half = float(stdtrit(df, (1 + LEVEL) / 2)) * error
    return Effect(mean, mean - half, mean + half, 2 * float(stdtr(df, -abs(mean / error))))


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
