import numpy as np
import pytest
from hypothesis import given, strategies as st

from emulator.simulation.clients import fleet
from emulator.simulation.clients.compute import Compute
from emulator.simulation.clients.links import Network

SERVER = {"down": "1 Gbps", "up": "1 Gbps"}


def network(**keys):
    return Network.model_validate({"server": SERVER, **keys})


def test_a_constant_law_gives_every_client_the_same_link():
    clients = network(clients={"down": "20 Mbps", "up": "1.25 Mbps", "rtt": "40 ms"})
    built = fleet.draw_fleet(clients, None, 7, seed=0)
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
    built = fleet.draw_fleet(clients, None, n, seed=1)
    # Standard errors of a median: 1.25 sigma / sqrt(n); of a share: sqrt(p (1 - p) / n).
    assert np.median(built.down_Bps) == pytest.approx(1.25e6, rel=5 * 1.25 * 0.5 / n**0.5)
    assert np.log(built.down_Bps).std() == pytest.approx(0.5, rel=0.03)
    assert built.up_Bps.mean() == pytest.approx(2.5e5, rel=0.01)
    assert built.up_Bps.min() >= 1.25e5
    assert built.up_Bps.max() <= 3.75e5
    assert (built.delay_s == 0.005).mean() == pytest.approx(0.75, abs=5 * (0.1875 / n) ** 0.5)


def test_variants_of_a_network_share_their_luck():
    def up(median):
        distribution = {"kind": "lognormal", "median": median, "sigma": 1.0}
        return fleet.draw_fleet(
            network(clients={"down": "9 Mbps", "up": distribution}), None, 50, 3
        ).up_Bps

    np.testing.assert_allclose(up("16 Mbps"), 16 * up("1 Mbps"), rtol=1e-12)


def test_one_group_does_not_disturb_another():
    def slow(fast_up):
        distribution = {"kind": "uniform", "low": "1 Mbps", "high": "2 Mbps"}
        groups = {
            "slow": {"share": 1, "down": "2 Mbps", "up": distribution},
            "fast": {"share": 1, "down": "9 Mbps", "up": fast_up},
        }
        built = fleet.draw_fleet(network(groups=groups), None, 40, 3)
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
    distribution = {"kind": "uniform", "low": "1 Mbps", "high": "2 Mbps"}
    one, again, other = (
        fleet.draw_fleet(
            network(clients={"down": distribution, "up": distribution}), None, 20, seed
        )
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one.up_Bps, again.up_Bps)
    assert (one.up_Bps != other.up_Bps).any()
    assert (one.up_Bps != one.down_Bps).any()


def test_compute_is_drawn_a_client():
    distribution = {"kind": "uniform", "low": "1 ms", "high": "2 ms"}
    compute = Compute.model_validate({"per_example": distribution})
    clients = network(clients={"down": "2 Mbps", "up": "2 Mbps"})
    seconds = fleet.draw_fleet(clients, compute, 100, 0).seconds_per_example
    assert seconds.min() >= 1e-3
    assert seconds.max() <= 2e-3
    assert len(set(seconds)) == 100


# -- ratio and correlation


DISTRIBUTION = {"kind": "lognormal", "median": "10 Mbps", "sigma": 1}


def test_up_is_a_ratio_of_the_clients_own_down():
    built = fleet.draw_fleet(
        network(clients={"down": DISTRIBUTION, "up": {"ratio": "1/16"}}), None, 300, 0
    )
    np.testing.assert_allclose(built.up_Bps, built.down_Bps / 16, rtol=1e-15)
    distribution = {"ratio": {"kind": "uniform", "low": "1/16", "high": "1/4"}}
    drawn = fleet.draw_fleet(
        network(clients={"down": DISTRIBUTION, "up": distribution}), None, 300, 0
    )
    np.testing.assert_array_equal(drawn.down_Bps, built.down_Bps)
    assert (drawn.up_Bps / drawn.down_Bps).min() >= 1 / 16
    assert (drawn.up_Bps / drawn.down_Bps).max() <= 1 / 4
    assert len(set(drawn.up_Bps / drawn.down_Bps)) > 290


def ranks(values):
    return np.argsort(np.argsort(values))


def spearman(one, other):
    return np.corrcoef(ranks(one), ranks(other))[0, 1]


QUANTITIES = {
    "up": "up_Bps", "rtt": "delay_s", "loss": "loss", "compute": "seconds_per_example",
}  # fmt: skip
COMPUTE = Compute.model_validate(
    {"per_example": {"kind": "uniform", "low": "1 ms", "high": "9 ms"}}
)
SPREAD = {
    "down": DISTRIBUTION,
    "up": {"kind": "normal", "mean": "5 Mbps", "sd": "2 Mbps"},
    "rtt": {"kind": "uniform", "low": "10 ms", "high": "90 ms"},
    "loss": {"kind": "lognormal", "median": "0.1 %", "sigma": 0.5},
}


@pytest.mark.parametrize("rho", [-1, -0.7, 0.3, 0.9, 1])
@pytest.mark.parametrize("quantity", QUANTITIES)
def test_rank_correlation_is_the_copulas_and_laws_stay_as_they_are(quantity, rho):
    n = 4000
    clients = {**SPREAD, "correlation": {quantity: rho}}
    built = fleet.draw_fleet(network(clients=clients), COMPUTE, n, 2)
    plain = fleet.draw_fleet(network(clients=SPREAD), COMPUTE, n, 2)
    drawn, alone = (getattr(each, QUANTITIES[quantity]) for each in (built, plain))
    # Kruskal 1958: Spearman's rho of a bivariate normal; its standard error is below 1 / sqrt(n).
    assert spearman(built.down_Bps, drawn) == pytest.approx(
        6 / np.pi * np.arcsin(rho / 2), abs=5 / n**0.5
    )
    # Two-sample Kolmogorov-Smirnov at 1e-6: sqrt(-ln(1e-6 / 2) / 2) * sqrt(2 / n).
    both = np.sort(np.concatenate([drawn, alone]))
    steps = [np.searchsorted(np.sort(each), both, side="right") / n for each in (drawn, alone)]
    assert np.abs(steps[0] - steps[1]).max() < 2.69 * (2 / n) ** 0.5
    # What was not correlated is as it was.
    np.testing.assert_array_equal(built.down_Bps, plain.down_Bps)
    for other, name in QUANTITIES.items():
        if other != quantity:
            np.testing.assert_array_equal(getattr(built, name), getattr(plain, name))


def test_each_group_has_a_correlation_of_its_own():
    groups = {
        "loose": {"share": 1, **SPREAD},
        "tied": {"share": 1, **SPREAD, "correlation": {"up": 1, "compute": -1}},
    }
    built = fleet.draw_fleet(network(groups=groups), COMPUTE, 2000, 0)
    for number, up, compute in ((0, 0, 0), (1, 1, -1)):
        of = built.group == number
        assert spearman(built.down_Bps[of], built.up_Bps[of]) == pytest.approx(up, abs=0.15)
        seconds = built.seconds_per_example[of]
        assert spearman(built.down_Bps[of], seconds) == pytest.approx(compute, abs=0.15)


# -- cells and media


CELLS = {"clients": 4, "down": "8 Mbps", "up": "4 Mbps"}
LINK = {"down": "20 Mbps", "up": "5 Mbps"}


def test_without_cells_there_are_none():
    built = fleet.draw_fleet(network(clients=LINK), None, 3, 0)
    assert built.cell.tolist() == [-1, -1, -1]
    assert built.cell.dtype == np.int64
    assert len(built.cell_down_Bps) == len(built.cell_up_Bps) == len(built.cell_half_duplex) == 0
    assert built.half_duplex.tolist() == [False] * 3


def test_clients_fill_one_cell_after_the_other():
    built = fleet.draw_fleet(network(clients={**LINK, "cells": CELLS}), None, 10, 0)
    assert built.cell.tolist() == [0] * 4 + [1] * 4 + [2] * 2
    assert built.cell_down_Bps.tolist() == [1e6] * 3
    assert built.cell_up_Bps.tolist() == [5e5] * 3
    assert built.cell_half_duplex.tolist() == [False] * 3


@given(st.integers(1, 60), st.integers(1, 9), st.integers(1, 9))
def test_every_client_of_a_group_with_cells_is_in_one_of_the_groups(clients, first, third):
    groups = {
        "a": {"share": 1, **LINK, "cells": {**CELLS, "clients": first}},
        "b": {"share": 2, **LINK, "half_duplex": True},
        "c": {"share": 1, **LINK, "cells": {**CELLS, "clients": third, "half_duplex": True}},
    }
    built = fleet.draw_fleet(network(groups=groups), None, clients, 1)
    assert ((built.cell == -1) == (built.group == 1)).all()
    assert (built.half_duplex == (built.group == 1)).all()
    sizes = np.bincount(built.cell[built.cell >= 0], minlength=len(built.cell_up_Bps))
    assert (sizes > 0).all()
    for number, most in ((0, first), (2, third)):
        own = np.unique(built.cell[built.group == number])
        assert len(own) == -(-(built.group == number).sum() // most)
        assert (sizes[own[:-1]] == most).all()
        assert (built.cell_half_duplex[own] == (number == 2)).all()


def test_a_cells_rates_may_be_drawn():
    cells = {
        "clients": 2,
        "down": DISTRIBUTION,
        "up": {"kind": "uniform", "low": "1 Mbps", "high": "2 Mbps"},
    }
    built = fleet.draw_fleet(network(clients={**LINK, "cells": cells}), None, 100, 0)
    assert len(set(built.cell_down_Bps)) == len(set(built.cell_up_Bps)) == 50
    assert built.cell_up_Bps.max() <= 2.5e5
    again = fleet.draw_fleet(network(clients={**LINK, "cells": cells}), None, 100, 1)
    assert (built.cell_down_Bps != again.cell_down_Bps).any()


# -- bounds


def test_no_law_makes_a_link_that_lets_nothing_through():
    wide = {"kind": "lognormal", "median": "1 Mbps", "sigma": 10}
    loss = {"kind": "normal", "mean": "50 %", "sd": "50 %"}
    low = {"kind": "normal", "mean": "1 bps", "sd": "1 Mbps"}
    clients = {
        "down": wide,
        "up": low,
        "loss": loss,
        "cells": {"clients": 1, "down": wide, "up": low},
    }
    built = fleet.draw_fleet(network(clients=clients), None, 3000, 0)
    rates = [built.down_Bps, built.up_Bps, built.cell_down_Bps, built.cell_up_Bps]
    assert min(each.min() for each in rates) >= fleet.MIN_RATE / 8
    assert 0 <= built.loss.min() < built.loss.max() == fleet.MAX_LOSS


def test_many_groups_are_no_trouble():
    groups = {str(k): {"share": 1, "down": f"{k + 1} Mbps", "up": DISTRIBUTION} for k in range(100)}
    built = fleet.draw_fleet(network(groups=groups), None, 300, 0)
    np.testing.assert_array_equal(built.down_Bps, (built.group + 1) * 125_000)


def test_when_a_client_is_there_does_not_depend_on_who_was_asked_before():
    on = {"kind": "lognormal", "median": "1 h", "sigma": 1}
    away = {"kind": "on_off", "on": on, "off": "1 h"}
    settings = network(clients={"down": "8 Mbps", "up": "2 Mbps", "availability": away})
    one, other = (fleet.draw_fleet(settings, None, 20, 0) for _ in range(2))
    forth = [one.availability_at(client, 0.0) for client in range(20)]
    back = [other.availability_at(client, 0.0) for client in reversed(range(20))]
    assert forth == back[::-1]
    assert len(one.availability) == len(set(forth)) == 20
