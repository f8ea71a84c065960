"""Parts of trainings: every simulation once and in order, and one result for all of them."""

import math

import pytest

from emulator.common.errors import EmulationError
from emulator.runner import inputs, parts
from emulator.runner.events import Note, Simulated, TrainingResult
from emulator.runner.parts import divided, joined, of_training


@pytest.mark.parametrize("draws", [1, 3, 70])
@pytest.mark.parametrize("variants", [1, 5, 40])
def test_parts_have_every_simulation_once_and_in_order(scenario, draws, variants):
    points = ", ".join(f"v{n}: {{network.clients.up: {n + 1} Mbps}}" for n in range(variants))
    overrides = ["vary=null", f"vary={{up: {{{points}}}}}", f"network_seeds=0-{draws - 1}"]
    trainings = inputs.read(scenario(), overrides).trainings()
    found = divided(trainings, may_train=False)
    for index, training in enumerate(trainings):
        own = [part.job for part in found if part.training == index]
        assert [e for job in own for e, _ in job.simulations()] == [
            e for e, _ in training.simulations()
        ]
        assert all(1 <= job.count <= parts.SIZE for job in own)
        assert len(own) <= math.ceil(variants / max(1, parts.SIZE // draws)) * math.ceil(
            draws / parts.SIZE
        )
        assert [job.exports for job in own] == [False] * (len(own) - 1) + [True]


def test_parts_of_what_may_be_trained_wait_for_the_first(scenario, monkeypatch):
    monkeypatch.setattr(parts, "SIZE", 2)
    trainings = inputs.read(scenario(), ["network_seeds=0-1"]).trainings()
    assert [part.job.after for part in divided(trainings, may_train=True)] == [
        None, 0, None, 2, None, 4
    ]  # fmt: skip
    assert {part.job.after for part in divided(trainings, may_train=False)} == {None}


def test_events_of_parts_are_those_of_their_trainings(scenario, monkeypatch):
    monkeypatch.setattr(parts, "SIZE", 1)
    found = divided(inputs.read(scenario()).trainings(), may_train=False)
    heard = []
    tell = of_training(found, heard.append)
    for event in (Simulated(3, 7), Note(None, "whole"), Note(5, "last")):
        tell(event)
    assert heard == [Simulated(1, 7), Note(None, "whole"), Note(2, "last")]


def test_rounds_of_several_parts_count_once():
    first = TrainingResult({}, frozenset("ab"), None, b"", {})
    second = TrainingResult({}, frozenset(), None, b"x", {}, replayed=frozenset("abc"))
    both = joined([first, second])
    assert (both.trained_rounds, both.reused_rounds, both.stamp) == (2, 1, b"x")
    errors = [EmulationError(text) for text in ("one", "two")]
    assert joined([first, *errors]) is errors[0]
