"""The laws can fail: a link over its capacity, bytes that nobody moved, an update sent short."""

from random import Random

import pytest

from emulator.simulation.records import Transfer
from emulator.simulation.simulate import simulate


@pytest.fixture
def laws(monkeypatch, request):
    monkeypatch.syspath_prepend(request.path.parent)
    import laws

    return laws


def test_a_link_over_its_capacity_is_seen(laws):
    fluid = laws.Watched([8.0])
    fluid.start(0.0, [0], 100.0)
    fluid.rate(0)
    fluid._capacity_Bps[0] = 7.0  # as if the solver had not heard of it
    with pytest.raises(AssertionError, match="link 0"):
        fluid.advance(1.0)


def test_bytes_that_nobody_moved_are_seen(laws):
    fluid = laws.Watched([8.0])
    fluid.start(0.0, [0], 100.0)
    fluid.sizes_B[0] = 200.0
    with pytest.raises(AssertionError, match="moved"):
        fluid.advance(20.0)


def test_rows_are_judged(laws):
    found = laws.scenario(Random("3"))
    trainer, order = laws.Live(1000, 700), []
    rows = simulate(found, 0, trainer, order.append)
    laws.hold(found, rows, trainer, order)
    used = [i for i, r in enumerate(rows) if isinstance(r, Transfer) and r.outcome == "used"]
    for change in ({"nbytes": 10**6}, {"nbytes": 1}, {"finish_s": -1.0}):
        wrong = [*rows]
        wrong[used[0]] = rows[used[0]]._replace(**change)
        with pytest.raises(AssertionError):
            laws.hold(found, wrong, trainer, order)
    with pytest.raises(AssertionError, match="ran back"):
        laws.hold(found, rows, trainer, order[::-1])
