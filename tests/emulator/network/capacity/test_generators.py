"""Profiles from formulas: their moments and their shapes."""

import math

import numpy as np
import pytest

from emulator.network.capacity.diurnal import DAY_S, diurnal_profile
from emulator.network.capacity.markov import markov_profile
from emulator.network.capacity.normal import normal_profile


def draws(function, n=2000):
    return np.array([function(np.random.default_rng([7, i])) for i in range(n)])


def assert_mean(sample, expected):
    assert abs(sample.mean() - expected) < 4 * sample.std(ddof=1) / math.sqrt(len(sample))


@pytest.mark.parametrize(
    ("rates_Bps", "dwells_s"), [([0.0, 12.0], [3.0, 1.0]), ([1.0, 5.0, 30.0], [2.0, 4.0, 1.0])]
)
def test_a_markov_rate_is_at_its_stationary_mean_at_every_time(rates_Bps, dwells_s):
    expected = np.dot(rates_Bps, dwells_s) / sum(dwells_s)
    found = draws(lambda rng: markov_profile(rates_Bps, dwells_s, 20.0, rng).mean)
    assert_mean(found, expected)
    for now_s in (0.0, 0.7, 10.0):
        assert_mean(
            draws(lambda rng, t=now_s: markov_profile(rates_Bps, dwells_s, 20.0, rng).rate_at(t)),
            expected,
        )


def test_markov_states_last_as_long_as_they_should():
    profile = markov_profile([1.0, 2.0, 3.0], [2.0, 4.0, 0.5], 50_000.0, np.random.default_rng(3))
    lasted, now_s, rate_Bps = {1.0: [], 2.0: [], 3.0: []}, *profile.piece(0.0)[::-1]
    followed = {}
    while now_s < 49_000:
        following_Bps, until_s = profile.piece(now_s)
        followed.setdefault(rate_Bps, set()).add(following_Bps)
        lasted[following_Bps].append(until_s - now_s)
        rate_Bps, now_s = following_Bps, until_s
    for rate_Bps, mean_s in [(1.0, 2.0), (2.0, 4.0), (3.0, 0.5)]:
        sample = np.array(lasted[rate_Bps])
        assert_mean(sample, mean_s)
        assert sample.std() == pytest.approx(mean_s, rel=0.1)  # as an exponential's
    assert followed == {1.0: {2.0, 3.0}, 2.0: {1.0, 3.0}, 3.0: {1.0, 2.0}}


def test_a_markov_rate_repeats_itself_at_the_horizon():
    profile = markov_profile([1.0, 2.0], [2.0, 3.0], 40.0, np.random.default_rng(1))
    for now_s in np.linspace(0, 40, 33)[:-1]:
        assert profile.rate_at(now_s) == profile.rate_at(now_s + 40)


def test_a_link_that_is_off_until_the_horizon_comes_on_behind_it():
    profile = markov_profile([0.0, 5.0], [1e6, 1.0], 1.0, np.random.default_rng(0))
    assert profile.rate_at(1.0) == 0
    assert profile.mean > 0


@pytest.mark.parametrize("sigma_Bps", [2.0, 10.0, 40.0])
def test_a_normal_rate_has_the_mean_of_a_truncated_normal(sigma_Bps):
    z = 10.0 / sigma_Bps
    density = math.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    expected = 10.0 + sigma_Bps * density / (0.5 * (1 + math.erf(z / math.sqrt(2))))
    assert_mean(draws(lambda rng: normal_profile(10.0, sigma_Bps, 5.0, 100, rng).mean), expected)


def test_a_normal_rate_is_drawn_anew_in_every_step():
    profile = normal_profile(10.0, 3.0, 5.0, 4, np.random.default_rng(2))
    assert [profile.piece(now_s)[1] for now_s in (0.0, 5.0, 12.0, 19.0)] == [5.0, 10.0, 15.0, 20.0]
    assert len({profile.rate_at(now_s) for now_s in (0.0, 5.0, 12.0, 19.0)}) == 4
    assert profile.rate_at(0.0) == profile.rate_at(20.0)


@pytest.mark.parametrize("steps", [1, 2, 24, 96])
@pytest.mark.parametrize("depth", [0.0, 0.4, 1.0])
def test_a_day_keeps_its_mean(steps, depth):
    profile = diurnal_profile(100.0, depth, steps)
    assert profile.mean == pytest.approx(100.0, rel=1e-12)
    assert profile.bytes_between(0, 3 * DAY_S) == pytest.approx(300 * DAY_S, rel=1e-12)


def test_a_day_follows_the_curve():
    profile = diurnal_profile(100.0, 0.8, 24)
    assert profile.piece(0.0)[1] == 3600.0
    fine_s = (np.arange(10_000) + 0.5) * 0.36
    for hour in range(24):
        curve = 1 - 0.8 * np.cos(2 * np.pi * (hour * 3600 + fine_s) / DAY_S)
        assert profile.rate_at(hour * 3600.0) == pytest.approx(100 * curve.mean(), rel=1e-8)
    rates = [profile.rate_at(3600.0 * hour) for hour in range(24)]
    assert min(rates) == rates[0] == pytest.approx(rates[23])
    assert max(rates) == pytest.approx(rates[12])


def test_a_clients_phase_is_its_offset():
    day = diurnal_profile(100.0, 0.8)
    assert day.shifted(6 * 3600.0).rate_at(0.0) == day.rate_at(6 * 3600.0)


def test_no_rate_falls_below_zero():
    assert diurnal_profile(1.0, 1.0, 1_000_000).rate_at(0.0) >= 0


@pytest.mark.parametrize(
    "wrong",
    [
        lambda rng: markov_profile([1.0], [1.0], 1.0, rng),
        lambda rng: markov_profile([0.0, 0.0], [1.0, 1.0], 1.0, rng),
        lambda rng: markov_profile([0.0, 1.0], [1.0, 0.0], 1.0, rng),
        lambda rng: markov_profile([0.0, 1.0], [1.0, 1.0], math.inf, rng),
        lambda rng: normal_profile(0.0, 1.0, 1.0, 1, rng),
        lambda rng: diurnal_profile(1.0, 1.1),
    ],
)
def test_what_makes_no_profile(wrong):
    with pytest.raises(AssertionError):
        wrong(np.random.default_rng(0))
