"""Which evaluation reaches a target."""

from fractions import Fraction
from typing import NamedTuple

import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from emulator.simulation.settings import Target
from emulator.simulation.target import Goal, hardest

ACCURACIES = st.lists(st.integers(0, 800).map(lambda right: right / 800), max_size=12)
LUCKY = [0.1, 0.6, 0.2, 0.45, 0.5, 0.54, 0.7]


class Score(NamedTuple):
    accuracy: float
    loss: float = 1.0


def reached_at(accuracies, target, rule):
    return Goal(target, rule).reached_at([Score(each) for each in accuracies])


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
@given(ACCURACIES, st.integers(1, 799))
def test_a_loss_falls_where_an_accuracy_grows(rule, accuracies, part):
    """Scores of which both measures say the same: a loss of 1 - accuracy, in exact eighths."""
    scores = [Score(each, 1 - each) for each in accuracies]
    by_loss = Goal(1 - part / 800, rule, "loss")
    assert by_loss.reached_at(scores) == Goal(part / 800, rule).reached_at(scores)
    if scores:
        assert by_loss.best(scores) == min(score.loss for score in scores)
        assert by_loss.is_met_by(scores) == (by_loss.best(scores) <= by_loss.value)


@given(st.lists(st.floats(0, 1e100), max_size=8), st.floats(0, 1e100))
def test_a_falling_metric_is_reached_from_above(values, goal):
    """Its values are where an accuracy is; the loss says nothing about it."""
    scores = [Score(each, loss=0.0) for each in values]
    found = Goal(goal, measure="falling").reached_at(scores)
    assert found == next((i for i, each in enumerate(values) if each <= goal), None)


@pytest.mark.parametrize("rule", ["first", "mean3"])
@given(ACCURACIES, st.floats(0.01, 1), st.integers(0, 3))
def test_a_training_ends_some_evaluations_after_the_one_that_reached(rule, accuracies, a, after):
    target = Target(accuracy=a, rule=rule, stop_after=after)
    hit = reached_at(accuracies, a, rule)
    scores = [Score(each) for each in accuracies]
    ends = [n for n in range(len(scores) + 1) if target.ends(scores[:n])]
    assert min(ends, default=None) == (
        None if hit is None or hit + after >= len(scores) else hit + after + 1
    )
    assert not Target(accuracy=a, rule=rule, stop_after="never").ends(scores)


def test_a_target_is_an_accuracy_or_a_loss():
    assert Target(loss=1.2, rule="mean3").goal == Goal(1.2, "mean3", "loss")
    assert Target(accuracy=0.7).goal == Goal(0.7)
    for values, found in [({}, "neither"), ({"accuracy": 0.7, "loss": 1.2}, "accuracy and loss")]:
        with pytest.raises(ValidationError, match=f"found {found}.*; allowed: one of them"):
            Target(**values)


def test_settings_of_an_accuracy_are_stored_as_they_always_were():
    assert Target(accuracy=0.7).model_dump() == {"accuracy": 0.7, "stop_after": 2}


def test_the_hardest_target_is_the_highest_accuracy_or_the_lowest_loss():
    assert hardest([Goal(0.5), Goal(0.7), Goal(0.6)]) == Goal(0.7)
    losses = [Goal(value, measure="loss") for value in (1.5, 1.2, 1.3)]
    assert hardest(losses) == Goal(1.2, measure="loss")
    assert hardest([]) is None
    assert [str(Goal(0.7)), str(losses[1])] == ["0.70", "loss 1.20"]
    assert hardest([Goal(v, measure="falling") for v in (30, 12, 20)]).value == 12


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.7, "0.70"),
        (0.755, "0.755"),
        (0.0, "0.00"),
        (12, "12.00"),
        (1.1 - 0.4, "0.70"),
        (5e99, "5e+99"),
    ],
)
def test_a_target_as_text_is_not_rounded_away(value, text):
    assert str(Goal(value)) == text


def test_a_target_may_name_the_metric():
    assert Target(perplexity=12, rule="mean3").goal == Goal(12, "mean3", "falling")
    assert Target(macro_f1=0.6).goal == Goal(0.6)
    assert Target(macro_f1=0.6).misfit("macro F1") == ""
    assert Target(accuracy=0.6).misfit("macro F1") == ""
    assert Target(loss=1.0).misfit("perplexity") == ""
    assert "allowed: perplexity or loss" in Target(accuracy=0.6).misfit("perplexity")
    found = Target(macro_f1=0.6).misfit("accuracy")
    assert found.startswith("found macro_f1 with a task scored by accuracy")
    assert found.endswith("or task.scored_by: macro F1")
    with pytest.raises(ValueError, match="found loss and perplexity"):
        Target(loss=1.0, perplexity=2.0)
