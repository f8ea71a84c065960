"""Which evaluation reaches a target."""

from fractions import Fraction

import pytest
from hypothesis import given, strategies as st

from emulator.simulation.settings import Target
from emulator.simulation.target import reached_at

ACCURACIES = st.lists(st.integers(0, 800).map(lambda right: right / 800), max_size=12)
LUCKY = [0.1, 0.6, 0.2, 0.45, 0.5, 0.54, 0.7]


def test_one_lucky_evaluation_reaches_it_only_by_the_first_rule():
    assert reached_at(LUCKY, 0.5, "first") == 1
    assert reached_at(LUCKY, 0.49, "mean3") == 5  # 0.45, 0.5, 0.54: 0.4967
    assert reached_at(LUCKY, 0.5, "mean3") == 6
    assert reached_at(LUCKY, 0.6, "mean3") is None


def test_two_evaluations_are_too_few_for_a_mean_of_three():
    assert reached_at([0.9, 0.9], 0.5, "mean3") is None
    assert reached_at([0.9, 0.9, 0.9], 0.5, "mean3") == 2
    assert reached_at([], 0.5, "mean3") is None


@given(ACCURACIES, st.integers(1, 100))
def test_each_rule_is_its_formula(accuracies, percent):
    exact = [Fraction(round(a * 800), 800) for a in accuracies]
    goal = Fraction(percent, 100)
    first = next((i for i, a in enumerate(exact) if a >= goal), None)
    means = {i: sum(exact[i - 2 : i + 1]) / 3 for i in range(2, len(exact))}
    mean3 = next((i for i, mean in means.items() if mean >= goal), None)
    assert reached_at(accuracies, percent / 100, "first") == first
    assert reached_at(accuracies, percent / 100, "mean3") == mean3


@pytest.mark.parametrize("rule", ["first", "mean3"])
@given(ACCURACIES, st.floats(0.01, 1), st.integers(0, 3))
def test_a_training_ends_some_evaluations_after_the_one_that_reached(rule, accuracies, a, after):
    target = Target(accuracy=a, rule=rule, stop_after=after)
    hit = reached_at(accuracies, a, rule)
    ends = [n for n in range(len(accuracies) + 1) if target.ends(accuracies[:n])]
    assert min(ends, default=None) == (
        None if hit is None or hit + after >= len(accuracies) else hit + after + 1
    )
    assert not Target(accuracy=a, rule=rule, stop_after="never").ends(accuracies)
