"""Alternating availability against renewal theory."""

import math

import numpy as np
import pytest

from emulator.common.distributions import LogNormal, Uniform
from emulator.simulation.availability.on_off import AlternatingRenewal


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
    distribution = Uniform[float](kind="uniform", low=1.0, high=9.0)
    often = AlternatingRenewal(distribution, distribution, np.random.default_rng(0))
    answers = {t: often.at(t) for t in range(200)}
    rarely = AlternatingRenewal(distribution, distribution, np.random.default_rng(0))
    assert [rarely.at(t) for t in range(0, 200, 17)] == [answers[t] for t in range(0, 200, 17)]


def test_each_interval_is_of_its_own_law_however_many_are_drawn():
    on = Uniform[float](kind="uniform", low=1.0, high=2.0)
    off = Uniform[float](kind="uniform", low=10.0, high=30.0)
    availability, lengths = (
        AlternatingRenewal(on, off, np.random.default_rng(3)),
        {True: [], False: []},
    )
    here, until_s = availability.at(0.0)
    for _ in range(4000):
        began_s = until_s
        was_here, (here, until_s) = here, availability.at(began_s)
        assert here is not was_here
        lengths[here].append(until_s - began_s)
    assert 1 - 1e-9 < min(lengths[True]) < max(lengths[True]) < 2 + 1e-9
    assert 10 - 1e-9 < min(lengths[False]) < max(lengths[False]) < 30 + 1e-9
    assert np.mean(lengths[True]) == pytest.approx(1.5, abs=4 * 0.29 / 2000**0.5)
    assert np.mean(lengths[False]) == pytest.approx(20, abs=4 * 5.8 / 2000**0.5)
