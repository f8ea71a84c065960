"""Profiles from formulas. What is drawn comes from the generator that is handed in."""

import math
from collections.abc import Sequence

import numpy as np

from emulator.network.capacity.profile import Profile

DAY_S = 86400.0


def markov(
    rates_Bps: Sequence[float],
    dwells_s: Sequence[float],
    horizon_s: float,
    rng: np.random.Generator,
) -> Profile:
    """A rate that jumps between states, over `horizon_s` (seconds), then from the start again.

    State i has `rates_Bps[i]` and lasts an exponential time of mean `dwells_s[i]`; the next is any
    other, all alike. With two states, one of them zero, it is an on-off link. The first is drawn
    from the stationary law, so at every time the expected rate is

        sum of rate_i dwell_i / sum of dwell_i

    but for one thing: if all is zero until the horizon, the profile goes on to the first state
    that is not, or a message would wait for ever.
    """
    assert len(rates_Bps) == len(dwells_s) > 1
    assert all(dwell_s > 0 for dwell_s in dwells_s)
    assert any(rates_Bps)
    assert 0 < horizon_s < math.inf
    shares = np.array(dwells_s) / sum(dwells_s)
    state, now_s = int(rng.choice(len(shares), p=shares)), 0.0
    times_s: list[float] = []
    found_Bps: list[float] = []
    while now_s < horizon_s or not any(found_Bps):
        times_s.append(now_s)
        found_Bps.append(rates_Bps[state])
        now_s += rng.exponential(dwells_s[state])
        state = (state + int(rng.integers(1, len(shares)))) % len(shares)
    return Profile(times_s, found_Bps, horizon_s if times_s[-1] < horizon_s else now_s)


def normal(
    mean_Bps: float, sigma_Bps: float, step_s: float, steps: int, rng: np.random.Generator
) -> Profile:
    """A rate drawn anew every `step_s` (seconds), `steps` times, then from the start again.

    Normal, drawn again where it is negative: how FLASH draws a rate for each message. So with
    z = mean / sigma the expected rate is mean + sigma phi(z) / Phi(z): more than `mean_Bps`.
    """
    assert mean_Bps > 0
    assert step_s > 0
    assert steps > 0
    rates_Bps = rng.normal(mean_Bps, sigma_Bps, steps)
    while (negative := rates_Bps < 0).any():
        rates_Bps[negative] = rng.normal(mean_Bps, sigma_Bps, negative.sum())
    return Profile(np.arange(steps) * step_s, rates_Bps, steps * step_s)


def diurnal(mean_Bps: float, depth: float, steps: int = 96) -> Profile:
    """A day, over and over: mean (1 - depth cos(2 pi t / 24 h)), lowest at 0, highest at 12 h.

    `depth` is 0 to 1. Each of `steps` equal steps has the mean of the curve within it, so the
    bytes of every step are the curve's. A client's phase is its offset: `shifted(6 * 3600)` is a
    client for whom time starts at six in the morning.
    """
    assert mean_Bps > 0
    assert 0 <= depth <= 1
    assert steps > 0
    edges = 2 * math.pi * np.arange(steps + 1) / steps
    waves = np.diff(np.sin(edges)) / np.diff(edges)
    # At full depth, and rounded, the lowest may fall below zero.
    rates_Bps = np.maximum(0.0, mean_Bps * (1 - depth * waves))
    return Profile(np.arange(steps) * (DAY_S / steps), rates_Bps, DAY_S)
