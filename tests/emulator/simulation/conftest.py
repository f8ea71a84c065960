from collections import Counter

import pytest

from emulator.scenario.scenario import Scenario
from emulator.simulation.records import Round, Transfer
from emulator.simulation.simulate import simulate
from emulator.simulation.trainer import StubTrainer

LINK = {"down": "8 Mbps", "up": "0.8 Mbps", "rtt": "100 ms"}
SPREAD = {
    "down": {"kind": "lognormal", "median": "8 Mbps", "sigma": 0.7},
    "up": {"kind": "lognormal", "median": "0.8 Mbps", "sigma": 1.0},
    "rtt": {"kind": "uniform", "low": "20 ms", "high": "200 ms"},
}


class Noting(StubTrainer):
    """Trains nothing, and notes what it was asked for; each client uploads a size of its own."""

    def __init__(self, **keys):
        super().__init__(**{"down_bytes": 100_000, "up_bytes": 20_000, **keys})
        self.batches, self.merges, self.held = [], [], Counter()

    def download(self, client):
        self.held[client] += 1
        return super().download(client)

    def train(self, downloads):
        self.batches.append([d.client for d in downloads])
        for client in self.batches[-1]:
            self.held[client] += 1
        return super().train(downloads)

    def aggregate(self, uploads, weights):
        super().aggregate(uploads, weights)
        self.merges.append(([u.client for u in uploads], list(weights)))
        for upload in uploads:
            self.held[upload.client] -= 2

    def release(self, messages):
        for message in messages:
            self.held[message.client] -= 1


@pytest.fixture
def noting():
    return Noting


@pytest.fixture
def scenario():
    def make(policy="synchronous", training=None, clients=None, count=30, **keys):
        return Scenario.model_validate(
            {
                "name": "rounds",
                "task": {"name": "20newsgroups", "clients": count},
                "training": {"rounds": 6, "cohort": 10, **(training or {})},
                "methods": {"LoRA": {"kind": "lora"}},
                "network": {
                    "server": {"down": "1 Gbps", "up": "1 Gbps"},
                    "clients": clients or LINK,
                    "transport": "fluid",
                },
                "policy": policy,
                **keys,
            }
        )

    return make


@pytest.fixture
def played(scenario):
    """(rows, trainer) of a scenario's emulation."""

    def play(policy="synchronous", seed=0, **keys):
        trainer = Noting()
        return simulate(scenario(policy, **keys), seed, trainer), trainer

    return play


@pytest.fixture
def spread():
    return SPREAD


def of(kind, rows, **fields):
    return [
        row
        for row in rows
        if isinstance(row, kind) and all(getattr(row, k) == v for k, v in fields.items())
    ]


@pytest.fixture
def rounds_of():
    return lambda rows: of(Round, rows)


@pytest.fixture
def transfers_of():
    return lambda rows, **fields: of(Transfer, rows, **fields)
