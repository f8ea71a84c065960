"""Policies that decide whenever a task ends, over the compiled network and the reference."""

import pytest

from emulator.simulation.compiled.tasks import CompiledTasks
from emulator.simulation.rounds.logged import (
    LoggedRound,
    LoggedTrainer,
    LoggedTraining,
    LoggedVisit,
)
from emulator.simulation.simulate import simulate

from ..small_scenario import scenario
from .test_synchronous import NETWORKS, Noting, untimed

POLICIES = {
    "FedBuff": {"policy": {"kind": "buffered", "concurrency": 12, "buffer": 4}},
    "FedAsync": {"policy": {"kind": "asynchronous", "concurrency": 6}},
    "late updates": {"policy": {"kind": "deadline", "deadline": "1.5 s", "late": "accept"}},
    "a deadline for nobody": {"policy": {"kind": "deadline", "deadline": "1 ms", "late": "accept"}},
    "Oort": {"selection": "oort"},
    "Oort and the first ones": {
        "policy": {"kind": "overselection", "select": 15, "first": 6},
        "selection": "oort",
    },
}


def times(rows):
    """The times of rows by what else they say."""
    found = {}
    for row in rows:
        values = [value for value in row if isinstance(value, float)]
        found.setdefault((type(row), untimed(row)), []).append(values)
    return found


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("network", NETWORKS)
def test_both_engines_agree(network, policy, monkeypatch):
    begun, begin = [], CompiledTasks.start
    monkeypatch.setattr(
        CompiledTasks, "start", lambda *arguments: begun.append(1) or begin(*arguments)
    )
    found = []
    for engine in ("compiled", "reference"):
        settings = scenario(
            {"rounds": 6},
            network=NETWORKS[network],
            compute={"per_example": {"kind": "lognormal", "median": "10 ms", "sigma": 0.5}},
            simulation={"engine": engine},
            **POLICIES[policy],
        )
        trainer = Noting()
        found.append((simulate(settings, 3, trainer), trainer))
        assert not any(trainer.held.values())
    assert begun
    (rows, asked), (expected, by_reference) = found
    here, there = times(rows), times(expected)
    assert here.keys() == there.keys()
    for what, values in there.items():
        assert here[what] == [pytest.approx(each, rel=1e-9) for each in values]
    assert asked.merges == by_reference.merges
    assert [sorted(each) for each in asked.batches] == [
        sorted(each) for each in by_reference.batches
    ]


def visit(client, failed=False, up=40_000):
    seconds = None if client % 3 == 0 else 0.1 * (client % 5)
    return LoggedVisit(90_000 + client, up, seconds, examples=client, steps=2, failed=failed)


LOG = LoggedTraining(
    [
        LoggedRound({client: visit(client) for client in (7, 3, 12, 0)}, merged=4),
        LoggedRound({client: visit(client) for client in range(9)}, merged=5),
        LoggedRound({1: visit(1), 2: visit(2, failed=True), 4: visit(4, failed=True, up=0)}, 1),
        LoggedRound({5: visit(5, failed=True)}, merged=0),
        LoggedRound({client: visit(client) for client in (29, 3)}, merged=2),
    ]
)


@pytest.mark.parametrize("modelled", [False, True])
@pytest.mark.parametrize("network", NETWORKS)
def test_both_engines_agree_on_a_message_log(network, modelled, monkeypatch):
    begun, begin = [], CompiledTasks.start
    monkeypatch.setattr(
        CompiledTasks, "start", lambda *arguments: begun.append(1) or begin(*arguments)
    )
    found = []
    for engine in ("compiled", "reference"):
        settings = scenario(
            {"rounds": 5},
            network=NETWORKS[network],
            compute={"per_example": "10 ms"},
            simulation={"engine": engine},
        )
        found.append(times(simulate(settings, 3, LoggedTrainer(LOG, modelled=modelled))))
        assert len(begun) == 19  # visits of the log
    assert found[0].keys() == found[1].keys()
    for what, values in found[1].items():
        assert found[0][what] == [pytest.approx(each, rel=1e-9) for each in values]
