"""Markov-modulated rates: their moments, and what a scenario makes of them."""

import math

import numpy as np
import pytest

from emulator.network.capacity.markov import markov_profile

from ...simulation.clients.drawn_links import MARKOV, built, network
from .sampling import assert_mean, draws


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


def test_a_markov_link_is_up_as_often_as_its_dwells_say():
    by_link = built(network(clients={"down": MARKOV, "up": "1 Mbps"}), clients=1000)[1]
    found = [by_link.get(("client", "down", c)) for c in range(1000)]
    for now_s in (0.0, 100.0):
        up = np.mean([profile.rate_at(now_s) > 0 for profile in found])
        assert up == pytest.approx(0.75, abs=5 * (0.1875 / 1000) ** 0.5)


def test_slower_states_of_a_markov_link_are_the_same_luck():
    slow = {**MARKOV, "states": [{**state, "dwell": "1 s"} for state in MARKOV["states"]]}
    fast = {**slow, "states": [{**state, "dwell": "2 s"} for state in slow["states"]]}
    one, other = (
        built(network(clients={"down": {**rate, "horizon": horizon}, "up": "1 Mbps"}))[1]
        for rate, horizon in ((slow, "100 s"), (fast, "200 s"))
    )
    for client in range(5):
        slow_one, fast_one = (each.get(("client", "down", client)) for each in (one, other))
        assert [slow_one.rate_at(t) for t in range(100)] == [
            fast_one.rate_at(2 * t) for t in range(100)
        ]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda rng: markov_profile([1.0], [1.0], 1.0, rng),
        lambda rng: markov_profile([0.0, 0.0], [1.0, 1.0], 1.0, rng),
        lambda rng: markov_profile([0.0, 1.0], [1.0, 0.0], 1.0, rng),
        lambda rng: markov_profile([0.0, 1.0], [1.0, 1.0], math.inf, rng),
    ],
)
def test_what_makes_no_profile(wrong):
    with pytest.raises(AssertionError):
        wrong(np.random.default_rng(0))
