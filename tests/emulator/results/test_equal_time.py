"""Equal time: straight lines between evaluations, and whoever ends first."""

from emulator.results.equal_time import accuracy_at, at_equal_time, learn_differently
from emulator.results.metrics import Curve
from emulator.simulation.records import Emulation

SLOW, FAST = Emulation("A", "slow", 0), Emulation("A", "fast", 0)


def curve(times_s, scores):
    zeros = (0,) * len(scores)
    return Curve(tuple(range(1, 1 + len(scores))), times_s, zeros, zeros, scores, scores)


def test_accuracy_at_a_time():
    one = curve((10.0, 20.0, 40.0), (0.25, 0.5, 0.25))
    found = [accuracy_at(one, s) for s in (9.9, 10.0, 15.0, 20.0, 30.0, 40.0, 99.0)]
    assert found == [None, 0.25, 0.375, 0.5, 0.375, 0.25, 0.25]


def test_rounds_of_no_length_are_the_last_one():
    assert accuracy_at(curve((1.0, 1.0), (0.1, 0.3)), 1.0) == 0.3


def test_equal_time_is_when_the_first_variant_ends():
    curves = {SLOW: curve((10.0, 20.0), (0.25, 0.5)), FAST: curve((2.0, 15.0), (0.1, 0.2))}
    assert at_equal_time(curves) == {SLOW: 0.375, FAST: 0.2}
    other_method = {Emulation("B", "slow", 0): curve((1.0, 3.0), (0.7, 0.9))}
    assert at_equal_time(curves | other_method)[SLOW] == 0.375, "of its own method"
    other_seed = {Emulation("A", "slow", 1): curve((1.0, 3.0), (0.7, 0.9))}
    assert at_equal_time(curves | other_seed)[SLOW] == 0.375, "and seed"
    early = {Emulation("A", "early", 0): curve((5.0,), (0.1,))}
    assert at_equal_time(curves | early)[SLOW] is None


def test_learning_differs_by_rounds_and_not_by_time():
    same = {SLOW: curve((10.0, 20.0), (0.25, 0.5)), FAST: curve((1.0, 2.0), (0.25, 0.5))}
    assert not learn_differently(same)
    assert not learn_differently(same | {FAST: curve((1.0,), (0.25,))}), "it only stopped sooner"
    assert learn_differently(same | {FAST: curve((1.0, 2.0), (0.25, 0.4))})
    assert not learn_differently(same | {Emulation("A", "fast", 1): curve((1.0,), (0.9,))})
