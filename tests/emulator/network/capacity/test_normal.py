"""Rates redrawn from a normal distribution: their moments and steps."""

import math

import numpy as np
import pytest

from emulator.network.capacity.normal import normal_profile

from .sampling import assert_mean, draws


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


def test_a_mean_of_zero_makes_no_profile():
    with pytest.raises(AssertionError):
        normal_profile(0.0, 1.0, 1.0, 1, np.random.default_rng(0))
