"""Rates that change in time: which link has which profile, and how the report names them."""

import pickle

import numpy as np
import pytest

from emulator.simulation.clients import link_profiles

from .drawn_links import DIURNAL, MARKOV, SERVER, TRACE, built, network, rates
from .test_devices import devices

VARYING = {"trace": TRACE, "markov": MARKOV, "diurnal": DIURNAL}
DISTRIBUTION = {"kind": "lognormal", "median": "10 Mbps", "sigma": 1}
PLACES = {
    ("client", "down", 3): {"clients": {"down": ..., "up": "1 Mbps"}},
    ("client", "up", 3): {"clients": {"down": "1 Mbps", "up": ...}},
    ("cell", "down", 1): {
        "clients": {**SERVER, "cells": {"clients": 2, "down": ..., "up": "1 Mbps"}}
    },
    ("cell", "up", 1): {
        "clients": {**SERVER, "cells": {"clients": 2, "down": "1 Mbps", "up": ...}}
    },
    ("server", "down", 0): {"server": {**SERVER, "down": ...}, "clients": SERVER},
    ("server", "up", 0): {"server": {**SERVER, "up": ...}, "clients": SERVER},
}


def placed(place, rate):
    if isinstance(place, dict):
        return {key: placed(value, rate) for key, value in place.items()}
    return rate if place is ... else place


@pytest.mark.parametrize("kind", VARYING)
@pytest.mark.parametrize("link", PLACES, ids=str)
def test_a_link_has_its_profile_and_no_other_has(link, kind):
    found = network(**placed(PLACES[link], VARYING[kind]))
    made, by_link = built(found)
    profile = by_link.get(link)
    assert len(set(rates(profile))) > 1
    assert by_link.get(link) is profile
    for other in PLACES:
        if other != link and (other[0] != "cell" or len(made.cell_up_Bps)):
            assert by_link.get(other) is None
    # What the fleet says is what the link carries in the long run.
    party, way, index = link
    field = getattr(made, f"{'' if party == 'client' else party + '_'}{way}_Bps")
    long_run_Bps = np.atleast_1d(field)[index]
    if kind == "markov":
        assert long_run_Bps == pytest.approx(1e6 * 9 / 12, rel=1e-12)
        assert set(rates(profile)) == {1e6, 0}
    else:
        assert profile.mean == pytest.approx(long_run_Bps, rel=1e-12)


@pytest.mark.parametrize("kind", VARYING)
def test_it_repeats_itself_and_seeds_differ(kind):
    rate = {**VARYING[kind], "offset": "random"} if kind != "markov" else MARKOV
    found = network(clients={"down": rate, "up": rate})

    def drawn(seed, client):
        return rates(built(found, seed=seed)[1].get(("client", "down", client)))

    np.testing.assert_array_equal(drawn(0, 1), drawn(0, 1))
    assert (drawn(0, 1) != drawn(1, 1)).any()
    assert (drawn(0, 1) != drawn(0, 2)).any()


@pytest.mark.parametrize("kind", VARYING)
def test_a_scenario_that_went_to_another_process_is_the_same(kind):
    found = network(clients={"down": VARYING[kind], "up": {"ratio": 0.5}})
    again = pickle.loads(pickle.dumps(found))
    one, other = (rates(built(each)[1].get(("client", "down", 2))) for each in (found, again))
    np.testing.assert_array_equal(one, other)


def test_nothing_that_changes_costs_nothing():
    assert built(network(clients={"down": DISTRIBUTION, "up": DISTRIBUTION}))[1] is None
    big = network(clients={"down": TRACE, "up": "1 Mbps"})
    by_link = built(big, clients=100_000)[1]
    assert by_link.get(("client", "down", 99_999)) is not None
    assert len(by_link._made) == 1


@pytest.mark.parametrize("kind", VARYING)
def test_up_in_proportion_to_a_down_that_changes_is_so_at_any_time(kind):
    ratio = {"ratio": {"kind": "uniform", "low": "1/16", "high": "1/4"}}
    made, by_link = built(network(clients={"down": VARYING[kind], "up": ratio}))
    for client in range(5):
        down, up = (rates(by_link.get(("client", way, client))) for way in ("down", "up"))
        share = made.up_Bps[client] / made.down_Bps[client]
        assert 1 / 16 <= share <= 1 / 4
        np.testing.assert_allclose(up, share * down, rtol=1e-12)


def test_the_level_is_drawn_and_correlated_as_a_rate_is():
    share = {"kind": "uniform", "low": 0.5, "high": 2}
    clients = {"up": DISTRIBUTION, "rtt": {"kind": "uniform", "low": "1 ms", "high": "9 ms"}}
    clients["correlation"] = {"rtt": -1, "up": 1}
    by_trace = built(network(clients={**clients, "down": {**TRACE, "scale": share}}), 300)[0]
    by_distribution = built(network(clients={**clients, "down": DISTRIBUTION}), 300)[0]
    order = np.argsort(by_distribution.down_Bps)
    np.testing.assert_array_equal(np.argsort(by_trace.down_Bps), order)
    np.testing.assert_array_equal(by_trace.up_Bps, by_distribution.up_Bps)
    np.testing.assert_array_equal(np.argsort(-by_trace.delay_s), order)


def test_what_changes_is_told():
    groups = {
        "phone": {"share": 1, "down": TRACE, "up": {"ratio": 0.5}},
        "lab": {"share": 1, "devices": devices()},
        "home": {"share": 1, **SERVER, "cells": {"clients": 2, "down": "1 Mbps", "up": DIURNAL}},
    }
    found = network(groups=groups, server={"down": MARKOV, "up": "1 Gbps"})
    assert link_profiles.changing(found) == [
        "phone down by trace capacity_sample.csv",
        "phone up with down",
        "lab down by flash flash_sample.json",
        "lab up by flash flash_sample.json",
        "cells of home up by diurnal",
        "server down by markov of 2 states",
    ]
    assert link_profiles.changing(network(clients=SERVER)) == []
