"""Periodic windows against their definition."""

import math

from hypothesis import given, strategies as st

from emulator.simulation.availability.base import PeriodicWindows


def pieces(availability, until_s):
    """[(from, there)] of each stretch."""
    now_s, found = 0.0, []
    while now_s < until_s:
        here, then_s = availability.at(now_s)
        assert then_s > now_s
        found.append((now_s, here))
        now_s = then_s
    return found


def test_a_whole_window_and_none_are_for_good():
    assert PeriodicWindows([(0.0, 10.0)], 10.0).at(3.0) == (True, math.inf)
    assert PeriodicWindows([], 10.0).at(3.0) == (False, math.inf)


def test_windows_repeat():
    found = pieces(PeriodicWindows([(1.0, 2.0), (4.0, 7.0)], 10.0), 14)
    assert found == [(0, False), (1, True), (2, False), (4, True), (7, False), (11, True),
                     (12, False)]  # fmt: skip


def test_windows_that_touch_over_the_periods_end_are_one():
    found = pieces(PeriodicWindows([(0.0, 2.0), (5.0, 6.0), (8.0, 10.0)], 10.0), 20)
    assert found == [(0, True), (2, False), (5, True), (6, False), (8, True), (12, False),
                     (15, True), (16, False), (18, True)]  # fmt: skip


def test_an_offset_shifts():
    assert pieces(PeriodicWindows([(1.0, 2.0)], 10.0, offset_s=1.5), 10) == [
        (0, True), (0.5, False), (9.5, True),
    ]  # fmt: skip


edges = st.lists(st.integers(0, 40), unique=True, max_size=8).map(sorted)


@given(edges, st.integers(-50, 50), st.floats(0, 500))
def test_windows_are_what_they_say_at_any_time(found, offset, now_s):
    windows = list(zip(found[::2], found[1::2], strict=False))
    here, until_s = PeriodicWindows([(a / 4, b / 4) for a, b in windows], 10.0, offset / 4).at(
        now_s
    )
    place = (now_s + offset / 4) % 10 * 4
    if all(abs(place - edge) > 1e-6 for edge in found):
        assert here == any(a <= place < b for a, b in windows)
        if until_s < math.inf:
            middle = ((now_s + until_s) / 2 + offset / 4) % 10 * 4
            assert here == any(a <= middle < b for a, b in windows)
    assert until_s > now_s
