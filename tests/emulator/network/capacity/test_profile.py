"""A rate in steps: its pieces, its integral, loops and offsets."""

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from emulator.network.capacity.profile import Profile

STEPS = [0.0, 2.0, 5.0], [10.0, 0.0, 4.0]  # and 8 s a period: 20 B, none in 3 s, 12 B
ONCE, LOOP = Profile(*STEPS), Profile(*STEPS, period_s=8.0)

# Eighths of a second: their sums are exact.
eighths = st.integers(1, 80).map(lambda n: n / 8)
rates_Bps = st.one_of(st.just(0.0), st.floats(1e-3, 1e9))


@st.composite
def profiles(draw):
    lengths_s = draw(st.lists(eighths, min_size=1, max_size=6))
    rates = draw(st.lists(rates_Bps, min_size=len(lengths_s), max_size=len(lengths_s)))
    rates[-1] = max(rates[-1], 1.0)
    times_s = np.cumsum([0.0, *lengths_s])
    period_s = draw(st.sampled_from([None, times_s[-1]]))
    return Profile(times_s[:-1], rates, period_s, draw(st.integers(0, 100)) / 8)


@pytest.mark.parametrize(
    ("profile", "now_s", "rate_Bps", "until_s"),
    [
        (ONCE, 0.0, 10.0, 2.0),
        (ONCE, 1.999, 10.0, 2.0),
        (ONCE, 2.0, 0.0, 5.0),
        (ONCE, 5.0, 4.0, math.inf),
        (ONCE, 1e9, 4.0, math.inf),
        (LOOP, 5.0, 4.0, 8.0),
        (LOOP, 8.0, 10.0, 10.0),
        (LOOP, 8e6 + 3, 0.0, 8e6 + 5),
        (LOOP.shifted(6.0), 0.0, 4.0, 2.0),
        (LOOP.shifted(6.0), 2.0, 10.0, 4.0),
        (LOOP.shifted(8.0), 0.0, 10.0, 2.0),
        (ONCE.shifted(3.0), 0.0, 0.0, 2.0),
        (Profile([0.0], [7.0]), 3.0, 7.0, math.inf),
    ],
)
def test_pieces_by_hand(profile, now_s, rate_Bps, until_s):
    assert profile.piece(now_s) == (rate_Bps, until_s)
    assert profile.rate_at(now_s) == rate_Bps


def test_integrals_by_hand():
    assert ONCE.bytes_between(0.0, 2.0) == ONCE.bytes_between(0.0, 5.0) == 20.0
    assert ONCE.bytes_between(1.0, 105.0) == 10.0 + 400.0
    assert LOOP.bytes_between(1.0, 17.0) == 2 * 32.0
    assert LOOP.shifted(7.0).bytes_between(0.0, 2.0) == 4.0 + 10.0


def test_the_mean_is_that_of_the_long_run():
    assert LOOP.mean == LOOP.shifted(3.0).mean == 4.0
    assert ONCE.mean == 4.0
    assert LOOP.bytes_between(5.0, 5.0 + 8e6) == pytest.approx(4.0 * 8e6, rel=1e-12)


@given(profiles(), st.integers(0, 1000), st.integers(0, 1000))
def test_the_integral_is_the_sum_over_the_pieces(profile, start, length):
    start_s, end_s = start / 8, (start + length) / 8
    now_s, total_B = start_s, 0.0
    while now_s < end_s:
        rate_Bps, until_s = profile.piece(now_s)
        assert until_s > now_s
        total_B += rate_Bps * (min(until_s, end_s) - now_s)
        now_s = until_s
    # It is a difference of what passed since 0: up to 1e12 B, rounded to 16 digits.
    assert profile.bytes_between(start_s, end_s) == pytest.approx(total_B, rel=1e-9, abs=1e-3)


@given(profiles(), st.integers(0, 1000), st.integers(0, 1000))
def test_an_offset_is_a_later_start(profile, now, offset):
    at_zero, moved = profile.shifted(0.0), profile.shifted(offset / 8)
    assert moved.rate_at(now / 8) == at_zero.rate_at((now + offset) / 8)
    assert moved.mean == profile.mean


@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=5), st.floats(0, 1e4), st.floats(0, 1e9))
def test_pieces_go_on_however_late_and_rounded(lengths_s, offset_s, now_s):
    # Who wakes when the next piece begins must be in it, and not told of the same time again.
    ends_s = np.cumsum([0.0, *lengths_s])
    profile = Profile(ends_s[:-1], np.arange(1.0, len(ends_s)), ends_s[-1], offset_s)
    rate_Bps, until_s = profile.piece(now_s)
    for _ in range(12):
        assert until_s > now_s
        following_Bps, then_s = profile.piece(until_s)
        assert following_Bps == rate_Bps % len(lengths_s) + 1
        rate_Bps, now_s, until_s = following_Bps, until_s, then_s


def test_copies_with_other_offsets_share_their_arrays():
    assert all(
        getattr(LOOP.shifted(1.0), name) is getattr(LOOP, name)
        for name in ("_times_s", "_rates_Bps", "_sums_B")
    )


@given(profiles(), eighths, eighths, st.sampled_from([0.25, 0.5, 2.0, 1024.0]))
def test_a_scaled_profile_is_the_same_at_so_many_times_the_rate(profile, a_s, b_s, factor):
    scaled = profile.scaled(factor / 2).scaled(2.0)
    rate_Bps, until_s = profile.piece(a_s)
    assert scaled.piece(a_s) == (factor * rate_Bps, until_s)
    assert scaled.mean == factor * profile.mean
    assert scaled.bytes_between(a_s, a_s + b_s) == factor * profile.bytes_between(a_s, a_s + b_s)
    assert scaled._rates_Bps is profile._rates_Bps


def test_a_length_is_a_periods_or_until_the_last_rate_begins():
    assert (LOOP.length_s, ONCE.length_s) == (8.0, 5.0)


@pytest.mark.parametrize(
    "wrong",
    [
        ([], []),
        ([0.0, 1.0], [1.0]),
        ([1.0], [1.0]),
        ([0.0, 2.0, 2.0], [1.0, 1.0, 1.0]),
        ([0.0, 2.0], [1.0, 1.0], 2.0),
        ([0.0, math.nan], [1.0, 1.0]),
        ([0.0], [-1.0]),
        ([0.0], [math.inf]),
        ([0.0], [math.nan]),
        ([0.0, 1.0], [1.0, 0.0]),
        ([0.0, 1.0], [0.0, 0.0], 2.0),
        ([0.0], [1.0], math.inf),
        ([0.0], [1.0], None, -1.0),
        ([0.0], [1.0], None, math.inf),
    ],
)
def test_what_is_no_profile(wrong):
    with pytest.raises(AssertionError):
        Profile(*wrong)
