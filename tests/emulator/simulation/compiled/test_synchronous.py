"""The compiled network against the reference; the campaign `engines` tries random scenarios."""

from collections import Counter

import numba
import pytest

from emulator.common.errors import StalledError
from emulator.simulation.compiled.network import CompiledNetwork
from emulator.simulation.compiled.plan import Plans
from emulator.simulation.records import Computation, Evaluation, LabelScore, Round, Transfer
from emulator.simulation.simulate import simulate
from emulator.simulation.trainer import StubTrainer
from flasc.common.messages import Score

from ..small_scenario import POISSON, scenario

SPREAD = {
    "down": {"kind": "lognormal", "median": "8 Mbps", "sigma": 1.0},
    "up": {"kind": "lognormal", "median": "0.8 Mbps", "sigma": 1.0},
    "rtt": {"kind": "uniform", "low": "20 ms", "high": "200 ms"},
}
JUMPS = {
    "kind": "markov",
    "states": [{"rate": "8 Mbps", "dwell": "0.4 s"}, {"rate": 0, "dwell": "0.3 s"}],
}
NARROW = {"down": "3 Mbps", "up": "20 Mbps"}
NETWORKS = {
    "fluid": {"clients": SPREAD},
    "tcp": {"clients": SPREAD, "transport": "tcp", "server": NARROW},
    "loss": {"clients": {**SPREAD, "loss": "2 %"}, "transport": "tcp"},
    "kept connections": {"clients": SPREAD, "transport": "tcp", "application": "grpc"},
    "many requests": {
        "clients": SPREAD,
        "transport": "tcp",
        "application": {"preset": "flower", "arrays": 25},
    },
    "cells": {
        "clients": {**SPREAD, "cells": {"clients": 4, "down": "9 Mbps", "up": "1 Mbps"}},
        "server": NARROW,
    },
    "half-duplex cells": {
        "clients": {
            **SPREAD,
            "cells": {"clients": 4, "down": "2 Mbps", "up": "1 Mbps", "half_duplex": True},
        },
        "server": NARROW,
    },
    "half-duplex cells that change": {
        "clients": {
            **SPREAD,
            "half_duplex": True,
            "cells": {"clients": 7, "down": JUMPS, "up": "1 Mbps", "half_duplex": True},
        },
        "server": {"down": JUMPS, "up": "20 Mbps"},
        "transport": "tcp",
        "application": "grpc",
    },
    "changing rates": {
        "clients": {"down": JUMPS, "up": JUMPS, "rtt": "40 ms"},
        "server": {"down": JUMPS, "up": "1 Gbps"},
        "transport": "tcp",
    },
}


class Labelled(StubTrainer):
    """Scores by label as well."""

    def evaluate(self, split):
        score = super().evaluate(split)
        return Score(score.examples, score.accuracy, score.loss, by_label=((1, 2), (0, 3)))


def by(engine, network, seed=3, plans=None, **training):
    keys = {"rounds": 5, "evaluation": {"every": 2, "test": True}, **training}
    settings = scenario(
        keys,
        network=NETWORKS[network],
        compute={"per_example": {"kind": "lognormal", "median": "10 ms", "sigma": 0.5}},
        simulation={"engine": engine},
    )
    trainer = Labelled(down_bytes=90_000, up_bytes=40_000)
    return simulate(settings, seed, trainer, plans=plans)


def untimed(row):
    return tuple(value for value in row if not isinstance(value, float))


def agree(found, expected):
    """Rows in the same order, their times within 1e-12."""
    assert [untimed(row) for row in found] == [untimed(row) for row in expected]
    for here, there in zip(found, expected, strict=True):
        if isinstance(there, Transfer | Computation | Round | Evaluation | LabelScore):
            times = [[v for v in row if isinstance(v, float)] for row in (here, there)]
            assert times[0] == pytest.approx(times[1], rel=1e-12)


@pytest.mark.parametrize("network", NETWORKS)
def test_both_engines_agree(network):
    agree(by("compiled", network), by("reference", network))


@pytest.mark.parametrize("training", [{"dp": POISSON}, {"target": {"accuracy": 0.3}}])
def test_both_engines_agree_on_rounds_without_clients_and_on_the_end(training):
    agree(by("compiled", "tcp", **training), by("reference", "tcp", **training))


POLICIES = {
    "the first ones": {"kind": "overselection", "select": 20, "first": 9},
    "a deadline for some": {"kind": "deadline", "deadline": "2 s"},
    "a deadline for nobody": {"kind": "deadline", "deadline": "1 ms"},
    "a deadline or the first ones": {
        "kind": "deadline",
        "deadline": "1.5 s",
        "select": 15,
        "first": 3,
    },
}


class Noting(Labelled):
    """Notes what it was asked for, and which messages it still holds."""

    def __init__(self):
        super().__init__(down_bytes=90_000, up_bytes=40_000)
        self.batches, self.merges, self.held = [], [], Counter()

    def download(self, client):
        self.held[client] += 1
        return super().download(client)

    def train(self, downloads):
        clients = [each.client for each in downloads]
        self.batches.append(clients)
        self.held.update(clients)
        return super().train(downloads)

    def aggregate(self, uploads, weights):
        super().aggregate(uploads, weights)
        self.merges.append(([each.client for each in uploads], list(weights)))
        for each in uploads:
            self.held[each.client] -= 2

    def release(self, messages):
        self.held.subtract(each.client for each in messages)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("network", NETWORKS)
def test_both_engines_agree_on_rounds_that_end_before_their_tasks(network, policy):
    found = []
    for engine in ("compiled", "reference"):
        settings = scenario(
            {"rounds": 4},
            network=NETWORKS[network],
            compute={"per_example": {"kind": "lognormal", "median": "10 ms", "sigma": 0.5}},
            policy=POLICIES[policy],
            simulation={"engine": engine},
        )
        trainer = Noting()
        found.append((simulate(settings, 3, trainer), trainer))
    (rows, asked), (expected, by_reference) = found
    agree(rows, expected)
    assert any(getattr(row, "outcome", "used") == "late" for row in rows)
    assert asked.merges == by_reference.merges
    assert asked.batches == by_reference.batches
    assert not any(asked.held.values())


@pytest.mark.parametrize("network", NETWORKS)
def test_the_plan_of_a_training_serves_other_networks(network):
    plans = Plans()
    by("compiled", "fluid", plans=plans)
    agree(by("compiled", network, plans=plans), by("compiled", network))


def test_with_a_plan_the_trainer_is_asked_nothing():
    plans = Plans()
    by("compiled", "fluid", plans=plans)
    assert len(plans) == 1

    class Silent(Labelled):
        def download(self, client):
            raise AssertionError("the plan knows")

    settings = scenario(
        {"rounds": 5, "evaluation": {"every": 2, "test": True}},
        network=NETWORKS["tcp"],
        compute={"per_example": {"kind": "lognormal", "median": "10 ms", "sigma": 0.5}},
        simulation={"engine": "compiled"},
    )
    agree(
        simulate(settings, 3, Silent(down_bytes=0, up_bytes=0), plans=plans), by("compiled", "tcp")
    )


def test_a_replay_that_stalls_is_reported_as_any_other(monkeypatch):
    plans = Plans()
    by("compiled", "fluid", plans=plans)

    def stalls(*_):
        raise StalledError("no byte moves", "")

    monkeypatch.setattr(CompiledNetwork, "run", stalls)
    settings = scenario(
        {"rounds": 5, "evaluation": {"every": 2, "test": True}},
        network=NETWORKS["fluid"],
        simulation={"engine": "compiled"},
    )
    found = []
    rows = simulate(
        settings, 3, Labelled(down_bytes=9, up_bytes=9), stalled=found.append, plans=plans
    )
    assert [str(each) for each in found] == ["no byte moves"]
    assert not any(isinstance(row, Round) for row in rows)


def test_a_plan_is_of_one_training_only():
    plans = Plans()
    by("compiled", "fluid", plans=plans)
    agree(by("compiled", "tcp", plans=plans, rounds=3), by("reference", "tcp", rounds=3))


def test_compiling_is_told_of(monkeypatch):
    told, run = [], CompiledNetwork.run

    def compiled_first(*arguments):
        if not told:
            numba.njit(lambda x: x)(1)
        return run(*arguments)

    monkeypatch.setattr(CompiledNetwork, "run", compiled_first)
    plans = Plans(lambda: told.append(1))
    by("compiled", "fluid", plans=plans)
    by("compiled", "tcp", plans=plans)
    assert plans.compiled
    assert len(told) == 1
