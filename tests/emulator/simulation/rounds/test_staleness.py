"""Weights of stale updates against their formula."""

import pytest

from emulator.simulation.rounds.staleness import Polynomial


@pytest.mark.parametrize(
    ("a", "weights"), [(0.5, [1, 2**-0.5, 0.5]), (0, [1, 1, 1]), (2, [1, 1 / 4, 1 / 16])]
)
def test_the_polynomial(a, weights):
    distribution = Polynomial(kind="polynomial", a=a)
    assert [distribution.weight(s) for s in (0, 1, 3)] == pytest.approx(weights, rel=1e-15)
