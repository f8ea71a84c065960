import functools

import pytest

from emulator.network import compiled
from emulator.simulation import engine
from emulator.simulation.compiled import synchronous
from emulator.simulation.compiled.plan import Plans
from emulator.simulation.policies.synchronous import Synchronous
from emulator.simulation.simulate import simulate
from emulator.simulation.trainer import StubTrainer

from .small_scenario import scenario

needs_numba = pytest.mark.skipif(not compiled.AVAILABLE, reason="numba is not installed")


@pytest.fixture
def begun(monkeypatch):
    """The simulations that the compiled network began."""
    found, begin = [], synchronous.process

    def process(*arguments):
        found.append(arguments)
        return begin(*arguments)

    monkeypatch.setattr(synchronous, "process", process)
    return found


def run(simulations=1, **keys):
    trainer = StubTrainer(down_bytes=1000, up_bytes=500)
    return simulate(scenario(**keys), 0, trainer, simulations=simulations)


@needs_numba
def test_small_studies_are_left_to_the_reference(begun):
    run()
    assert not begun
    assert engine.WORTHWHILE == 100_000
    run(simulations=1250)  # of 4 rounds with 10 clients: 80 messages each
    assert len(begun) == 1


@needs_numba
def test_an_engine_can_be_asked_for(begun):
    run(simulation={"engine": "reference"}, simulations=10**6)
    assert not begun
    run(simulation={"engine": "compiled"})
    assert len(begun) == 1


class Own(Synchronous):
    """A policy from a plug-in."""


def test_a_policy_that_is_a_plug_in_goes_to_the_reference(begun):
    trainer = functools.partial(StubTrainer, down_bytes=1000, up_bytes=500)
    settings = scenario(simulation={"engine": "compiled"})
    found = simulate(settings.model_copy(update={"policy": Own()}), 0, trainer())
    assert found == run(simulation={"engine": "reference"})
    assert not begun
    assert engine.why_reference(Own()) == "a policy that is a plug-in"


@needs_numba
def test_clients_that_leave_do_not():
    assert engine.why_reference(Synchronous()) == ""
    leaving = {"kind": "on_off", "on": "9 min", "off": "1 s"}
    clients = {"down": "8 Mbps", "up": "1 Mbps", "rtt": "1 ms", "availability": leaving}
    plans = Plans()
    settings = scenario(network={"clients": clients}, simulation={"engine": "compiled"})
    simulate(settings, 0, StubTrainer(down_bytes=1000, up_bytes=500), plans=plans)
    assert plans.compiled
    assert not len(plans)  # who takes part depends on the hour


def test_without_numba_the_reference_simulates(monkeypatch, begun):
    monkeypatch.setattr(compiled, "AVAILABLE", False)
    assert run(simulation={"engine": "compiled"}) == run()
    assert not begun
