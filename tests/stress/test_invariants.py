"""The invariants can fail: a link over its capacity, bytes that did not move, a short update."""

from random import Random

import pytest

from emulator.network import network
from emulator.scenario.scenario import Scenario
from emulator.simulation.records import Transfer
from emulator.simulation.simulate import simulate


@pytest.fixture
def invariants(monkeypatch, request):
    monkeypatch.syspath_prepend(request.path.parent)
    import invariants

    return invariants


def test_a_link_over_its_capacity_is_seen(invariants):
    engine = invariants.Watched([8.0])
    engine.start(0.0, [0], 100.0)
    engine.rate(0)
    engine._capacity_Bps[0] = 7.0  # without the solver
    with pytest.raises(AssertionError, match="link 0"):
        engine.advance(1.0)


def test_bytes_that_nobody_moved_are_seen(invariants):
    engine = invariants.Watched([8.0])
    engine.start(0.0, [0], 100.0)
    engine.sizes_B[0] = 200.0
    with pytest.raises(AssertionError, match="moved"):
        engine.advance(20.0)


def test_rows_are_judged(invariants):
    found = Scenario.model_validate(invariants.document(Random("3")))
    trainer, order = invariants.Live(1000, 700), []
    rows = simulate(found, 0, trainer, order.append)
    invariants.hold(found, rows, trainer, order)
    used = [i for i, r in enumerate(rows) if isinstance(r, Transfer) and r.outcome == "used"]
    for change in ({"nbytes": 10**6}, {"nbytes": 1}, {"finish_s": -1.0}):
        wrong = [*rows]
        wrong[used[0]] = rows[used[0]]._replace(**change)
        with pytest.raises(AssertionError):
            invariants.hold(found, wrong, trainer, order)
    with pytest.raises(AssertionError, match="ran back"):
        invariants.hold(found, rows, trainer, order[::-1])


@pytest.mark.parametrize("number", [102, 159, 239, 442])
def test_an_invariant_that_was_once_broken_holds(invariants, monkeypatch, tmp_path, number):
    """By a network engine that kept its next finish where a link had changed."""
    monkeypatch.setattr(network, "FlowEngine", invariants.Watched)
    invariants.check(Random(f"4/{number}"), tmp_path, number)


def test_a_campaign_watches_the_rates(invariants, monkeypatch, tmp_path):
    monkeypatch.setattr(network, "FlowEngine", network.FlowEngine)  # put back afterwards
    invariants.campaign(tmp_path, seed=0, count=0)
    assert network.FlowEngine is invariants.Watched
