"""Policies that decide whenever a task ends, over the compiled network and the reference."""

import pytest

from emulator.simulation.compiled.tasks import CompiledTasks
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
