"""Clients that are always available."""

import math

from emulator.simulation.availability.always import Always


def test_always_is_for_good():
    assert Always().at(5.0) == (True, math.inf)
