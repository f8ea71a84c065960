"""Rates that change in time, compiled: `emulator.network.capacity.profile` has the method."""

import math

from emulator.network.compiled.jit import part
from emulator.network.compiled.layout import (
    FIRST_PIECE,
    OFFSET_S,
    PERIOD_S,
    PIECES,
    RATES_BPS,
    SCALE,
    TIMES_S,
    Floats,
    Ints,
)


@part
def start_of(f: Floats, i: Ints, profile: int, piece: int) -> float:
    """Start of a piece, counted over all periods, seconds."""
    count, period_s = i[i[PIECES] + profile], f[i[PERIOD_S] + profile]
    whole = piece // count
    within_s = f[i[TIMES_S] + i[i[FIRST_PIECE] + profile] + piece - whole * count]
    if period_s == 0.0:
        return math.inf if whole > 0 else within_s - f[i[OFFSET_S] + profile]
    return whole * period_s + within_s - f[i[OFFSET_S] + profile]


@part
def piece_at(f: Floats, i: Ints, profile: int, now_s: float) -> int:
    """Number of the piece at `now_s`, over all periods."""
    first, count = i[TIMES_S] + i[i[FIRST_PIECE] + profile], i[i[PIECES] + profile]
    local_s, whole = now_s + f[i[OFFSET_S] + profile], 0
    if f[i[PERIOD_S] + profile] > 0.0:
        whole = math.floor(local_s / f[i[PERIOD_S] + profile])
        local_s -= whole * f[i[PERIOD_S] + profile]
    low, high = 0, count  # bisect_right
    while low < high:
        middle = (low + high) // 2
        if local_s < f[first + middle]:
            high = middle
        else:
            low = middle + 1
    at = whole * count + max(0, low - 1)
    # Compare with the starts as they are computed, so that a call at one is in its piece.
    while start_of(f, i, profile, at) > now_s:
        at -= 1
    while start_of(f, i, profile, at + 1) <= now_s:
        at += 1
    return at


@part
def rate_of(f: Floats, i: Ints, profile: int, piece: int) -> float:
    """Rate of a piece, bytes/s."""
    within = i[i[FIRST_PIECE] + profile] + piece % i[i[PIECES] + profile]
    return f[i[SCALE] + profile] * f[i[RATES_BPS] + within]
