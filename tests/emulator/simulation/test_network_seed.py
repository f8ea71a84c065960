"""The seed of a training chooses the clients, that of the network draws the fleet."""

import pytest

from emulator.simulation.clients import fleet
from emulator.simulation.records import Client, Computation, PathRate, Transfer
from emulator.simulation.simulate import simulate
from emulator.simulation.trainer import StubTrainer

from .small_scenario import of, scenario

RATE = {"kind": "uniform", "low": "2 Mbps", "high": "20 Mbps"}
LINKS = {"down": RATE, "up": RATE, "rtt": {"kind": "uniform", "low": "20 ms", "high": "200 ms"}}
CELL = {"clients": 5, "down": RATE, "up": RATE}
STATES = [{"rate": "9 Mbps", "dwell": "1 s"}, {"rate": "1 Mbps", "dwell": "1 s"}]
MARKOV = {"kind": "markov", "states": STATES}
NETWORKS = {
    "links": {"clients": LINKS},
    "losses": {"clients": {**LINKS, "loss": 0.02}, "transport": "tcp"},
    "cells": {"clients": {**LINKS, "cells": CELL}},
    "server": {"clients": LINKS, "server": {"down": RATE, "up": RATE}},
}


def rows(network_seed, seed=5, **keys):
    trainer = StubTrainer(down_bytes=50_000, up_bytes=20_000)
    return simulate(scenario(**keys), seed, trainer, network_seed=network_seed)


def clients(found):
    """Who took part in each round."""
    return sorted({(row.round, row.client) for row in of(Transfer, found)})


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_the_seed_alone_draws_both(network):
    assert rows(None, network=network) == rows(5, network=network)


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_a_draw_has_the_fleet_of_that_seed_and_the_clients_of_the_training(network):
    found, own, other = (
        rows(9, network=network),
        rows(None, network=network),
        rows(None, seed=9, network=network),
    )
    assert of(Client, found) == of(Client, other) != of(Client, own)
    assert clients(found) == clients(own) != clients(other)


def test_compute_times_are_of_the_fleet():
    compute = {"per_example": {"kind": "uniform", "low": "1 ms", "high": "90 ms"}}
    found, own = (of(Computation, rows(draw, compute=compute)) for draw in (9, None))
    assert [row.client for row in found]
    assert {row.client for row in found} == {row.client for row in own}
    assert {row.finish_s - row.start_s for row in found} != {
        row.finish_s - row.start_s for row in own
    }


def test_which_clients_can_hold_a_model_is_of_the_training():
    """So that one recording serves all draws: the cohorts do not change."""
    compute = {"per_example": "1 ms", "max_rank": {"kind": "uniform", "low": 2, "high": 20}}
    small = scenario(compute=compute)
    drawn = fleet.draw_fleet(small.network, small.compute, 30, 9, rank_seed=5)
    own = fleet.draw_fleet(small.network, small.compute, 30, 5)
    assert drawn.max_rank.tolist() == own.max_rank.tolist()
    ranked = [
        clients(
            simulate(small, 5, StubTrainer(down_bytes=1, up_bytes=1), rank=10, network_seed=draw)
        )
        for draw in (None, 9)
    ]
    assert ranked[0] == ranked[1]


def test_rates_that_change_are_of_the_draw():
    network = {"clients": {**LINKS, "up": MARKOV}}
    found, other = rows(9, network=network), rows(9, seed=6, network=network)
    assert of(PathRate, found)
    assert of(Client, found) == of(Client, other), "another training under the same fleet"
