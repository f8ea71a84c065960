"""Comings and goings against their definitions and renewal theory."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.common.distributions import LogNormal, Uniform
from emulator.simulation.availability.always import Always
from emulator.simulation.availability.base import PeriodicWindows
from emulator.simulation.availability.on_off import AlternatingRenewal


def pieces(presence, until_s):
    """[(from, there)] of each stretch."""
    now_s, found = 0.0, []
    while now_s < until_s:
        here, then_s = presence.at(now_s)
        assert then_s > now_s
        found.append((now_s, here))
        now_s = then_s
    return found


def test_always_is_for_good():
    assert Always().at(5.0) == (True, math.inf)
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


@pytest.mark.parametrize("time_s", [0.0, 37.0, 500.0])
def test_alternating_is_in_equilibrium_at_any_time(time_s):
    on = LogNormal[float](kind="lognormal", median=20.0, sigma=1.0)
    off = Uniform[float](kind="uniform", low=0.0, high=60.0)
    mean_on_s, mean_off_s = 20 * math.exp(0.5), 30.0
    n = 3000
    found = [AlternatingRenewal(on, off, np.random.default_rng(i)).at(time_s) for i in range(n)]
    p = mean_on_s / (mean_on_s + mean_off_s)
    share = np.mean([here for here, _ in found])
    assert share == pytest.approx(p, abs=4 * (p * (1 - p) / n) ** 0.5)
    # What is left of an interval is E[X^2] / 2 E[X] on average (Cox 1962): 20 s of the uniform.
    left = [until_s - time_s for here, until_s in found if not here]
    assert np.mean(left) == pytest.approx(20.0, rel=0.1)


def test_alternating_does_not_depend_on_when_it_is_asked():
    law = Uniform[float](kind="uniform", low=1.0, high=9.0)
    often = AlternatingRenewal(law, law, np.random.default_rng(0))
    answers = {t: often.at(t) for t in range(200)}
    rarely = AlternatingRenewal(law, law, np.random.default_rng(0))
    assert [rarely.at(t) for t in range(0, 200, 17)] == [answers[t] for t in range(0, 200, 17)]


def test_each_interval_is_of_its_own_law_however_many_are_drawn():
    on = Uniform[float](kind="uniform", low=1.0, high=2.0)
    off = Uniform[float](kind="uniform", low=10.0, high=30.0)
    presence, lengths = AlternatingRenewal(on, off, np.random.default_rng(3)), {True: [], False: []}
    here, until_s = presence.at(0.0)
    for _ in range(4000):
        began_s = until_s
        was_here, (here, until_s) = here, presence.at(began_s)
        assert here is not was_here
        lengths[here].append(until_s - began_s)
    assert 1 - 1e-9 < min(lengths[True]) < max(lengths[True]) < 2 + 1e-9
    assert 10 - 1e-9 < min(lengths[False]) < max(lengths[False]) < 30 + 1e-9
    assert np.mean(lengths[True]) == pytest.approx(1.5, abs=4 * 0.29 / 2000**0.5)
    assert np.mean(lengths[False]) == pytest.approx(20, abs=4 * 5.8 / 2000**0.5)
