import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator import fleet
from emulator.scenario import Compute, Network

SERVER = {"down": "1 Gbps", "up": "1 Gbps"}


def network(**keys):
    return Network.model_validate({"server": SERVER, **keys})


def test_a_constant_law_gives_every_client_the_same_link():
    clients = network(clients={"down": "20 Mbps", "up": "1.25 Mbps", "rtt": "40 ms"})
    built = fleet.build(clients, None, 7, seed=0)
    assert len(built) == 7
    assert (built.down_Bps == 2.5e6).all()
    assert (built.up_Bps == 156_250).all()
    assert (built.delay_s == 0.02).all()
    assert (built.seconds_per_example == 0).all()


def test_laws_have_the_quantiles_they_promise():
    n = 20_000
    clients = network(
        clients={
            "down": {"kind": "lognormal", "median": "10 Mbps", "sigma": 0.5},
            "up": {"kind": "uniform", "low": "1 Mbps", "high": "3 Mbps"},
            "rtt": {"kind": "choice", "values": ["10 ms", "90 ms"], "weights": [3, 1]},
        }
    )
    built = fleet.build(clients, None, n, seed=1)
    # Standard errors of a median: 1.25 sigma / sqrt(n); of a share: sqrt(p (1 - p) / n).
    assert np.median(built.down_Bps) == pytest.approx(1.25e6, rel=5 * 1.25 * 0.5 / n**0.5)
    assert np.log(built.down_Bps).std() == pytest.approx(0.5, rel=0.03)
    assert built.up_Bps.mean() == pytest.approx(2.5e5, rel=0.01)
    assert built.up_Bps.min() >= 1.25e5
    assert built.up_Bps.max() <= 3.75e5
    assert (built.delay_s == 0.005).mean() == pytest.approx(0.75, abs=5 * (0.1875 / n) ** 0.5)


def test_variants_of_a_network_share_their_luck():
    def up(median):
        law = {"kind": "lognormal", "median": median, "sigma": 1.0}
        return fleet.build(network(clients={"down": "9 Mbps", "up": law}), None, 50, 3).up_Bps

    np.testing.assert_allclose(up("16 Mbps"), 16 * up("1 Mbps"), rtol=1e-12)


def test_one_group_does_not_disturb_another():
    def slow(fast_up):
        law = {"kind": "uniform", "low": "1 Mbps", "high": "2 Mbps"}
        groups = {
            "slow": {"share": 1, "down": "2 Mbps", "up": law},
            "fast": {"share": 1, "down": "9 Mbps", "up": fast_up},
        }
        built = fleet.build(network(groups=groups), None, 40, 3)
        return built.up_Bps[built.group == 0]

    np.testing.assert_array_equal(slow("9 Mbps"), slow("5 Mbps"))


@given(st.lists(st.floats(0.01, 10), min_size=1, max_size=6), st.integers(0, 500))
def test_shares_are_dealt_by_largest_remainder(shares, n):
    named = {str(i): share for i, share in enumerate(shares)}
    counts = fleet.counts_by_share(named, n)
    assert sum(counts.values()) == n
    for name, share in named.items():
        assert abs(counts[name] - n * share / sum(shares)) < 1 + 1e-9


def test_seeds_differ_and_repeat():
    law = {"kind": "uniform", "low": "1 Mbps", "high": "2 Mbps"}
    one, again, other = (
        fleet.build(network(clients={"down": law, "up": law}), None, 20, seed) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one.up_Bps, again.up_Bps)
    assert (one.up_Bps != other.up_Bps).any()
    assert (one.up_Bps != one.down_Bps).any()


def test_compute_is_drawn_a_client():
    law = {"kind": "uniform", "low": "1 ms", "high": "2 ms"}
    compute = Compute.model_validate({"per_example": law})
    clients = network(clients={"down": "2 Mbps", "up": "2 Mbps"})
    seconds = fleet.build(clients, compute, 100, 0).seconds_per_example
    assert seconds.min() >= 1e-3
    assert seconds.max() <= 2e-3
    assert len(set(seconds)) == 100
