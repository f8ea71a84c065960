"""The daily pattern: its mean, its curve and its offset."""

import numpy as np
import pytest

from emulator.network.capacity.diurnal import DAY_S, diurnal_profile

from ...simulation.clients.drawn_links import DIURNAL, built, network


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


def test_a_day_begins_at_the_offset():
    rate = {**DIURNAL, "offset": "12 h"}
    profile = built(network(clients={"down": rate, "up": "1 Mbps"}))[1].get(("client", "down", 0))
    # The curve's mean in one of 96 steps: within 0.1 % of its highest, 8 Mbps x 1.75.
    assert profile.rate_at(0) == pytest.approx(1.75e6, rel=1e-3)
    assert profile.rate_at(DAY_S / 2) == pytest.approx(0.25e6, rel=1e-2)


def test_a_depth_above_one_makes_no_profile():
    with pytest.raises(AssertionError):
        diurnal_profile(1.0, 1.1)
