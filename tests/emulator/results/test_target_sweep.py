"""Times to many targets against counts done by hand."""

import math

from hypothesis import given, strategies as st

from emulator.results.metrics import Curve
from emulator.results.target_sweep import (
    MOST_TARGETS,
    Budget,
    First,
    at,
    firsts,
    hits,
    runs_of,
    steps,
    target_times,
    within,
)
from emulator.simulation.records import Emulation
from emulator.simulation.target import Goal

GOAL = Goal(0.5)


def curve(scores: list[float], seconds: float) -> Curve:
    """An evaluation each `seconds`, 10 bytes down and 1 up between them."""
    counts = range(1, len(scores) + 1)
    return Curve(
        tuple(counts),
        tuple(seconds * k for k in counts),
        tuple(10 * k for k in counts),
        tuple(counts),
        tuple(scores),
        tuple(3 - score for score in scores),
    )


LORA, FLASC = ([Emulation(name, "v", seed) for seed in (0, 1, 2)] for name in ("LoRA", "FLASC"))
CURVES = {
    LORA[0]: curve([0.3, 0.5, 0.7], 2.0),
    LORA[1]: curve([0.3, 0.5, 0.7], 2.0),
    LORA[2]: curve([0.1, 0.2, 0.3], 2.0),
    FLASC[0]: curve([0.3, 0.4, 0.5], 1.0),
    FLASC[1]: curve([0.3, 0.4, 0.5], 3.0),
    FLASC[2]: curve([0.3, 0.4, 0.5], 1.0),
}


def test_each_target_costs_what_its_evaluation_did() -> None:
    rows = target_times({LORA[0]: CURVES[LORA[0]]}, at(GOAL, [0.3, 0.4, 0.7, 0.8]))
    assert [(r.time_s, r.round, r.bytes_down, r.bytes_up) for r in rows] == [
        (2.0, 1, 10, 1), (4.0, 2, 20, 2), (6.0, 3, 30, 3), (None, None, None, None)
    ]  # fmt: skip
    assert {(r.method, r.variant, r.seed, r.measure) for r in rows} == {
        ("LoRA", "v", 0, "accuracy")
    }


def test_the_rule_and_the_measure_of_the_target_are_kept() -> None:
    only = CURVES[LORA[0]]
    goals = [Goal(0.5, "mean3"), Goal(0.51, "mean3"), Goal(2.5, measure="loss")]
    assert hits(only, goals) == [2, None, 1]


def test_first_is_the_lowest_median_and_seeds_are_counted() -> None:
    rows = target_times(CURVES, at(GOAL, [0.3, 0.5, 0.7]))
    assert firsts(rows) == [
        First("v", 0.3, "FLASC", 1.0, 2, 3),
        First("v", 0.5, "FLASC", 3.0, 2, 3),
        First("v", 0.7, "LoRA", 6.0, 2, 2),
    ]
    assert [len(run) for run in runs_of(firsts(rows))] == [2, 1]


def test_a_budget_takes_the_last_evaluation_within_it() -> None:
    budgets = [Budget(seconds=1.9), Budget(seconds=4.0), Budget(nbytes=22), Budget(nbytes=10)]
    found = within({LORA[0]: CURVES[LORA[0]]}, budgets)
    assert [each.accuracy for each in found] == [None, 0.5, 0.5, None]


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=20),
    st.floats(0.01, 1),
    st.sampled_from(["accuracy", "loss", "falling"]),
)
def test_steps_are_few_round_in_order_and_have_the_own_target(scores, value, measure):
    goal = Goal(value, measure=measure)
    found = steps([curve(scores, 1.0)], goal)
    assert goal.value in found
    assert len(found) <= MOST_TARGETS + 2
    demands = [each.demand for each in at(goal, found)]
    assert demands == sorted(set(demands))
    assert len(steps([curve(scores, 1.0)], goal, 5)) <= min(7, len(found))
    among = [v for v in found if v != goal.value]
    reach = curve(scores, 1.0).of(measure)
    assert all(min(reach) - 1e-9 <= v <= max(reach) + 1e-9 for v in among)


def test_steps_of_a_falling_metric_go_down_and_may_have_a_target_of_0():
    found = steps([curve([60.0, 41.0, 3.0], 1.0)], Goal(0.0, measure="falling"), most=6)
    assert found == [60, 50, 40, 30, 20, 10, 0]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_a_harder_target_never_takes_less(scores):
    only = curve(scores, 1.0)
    rows = target_times({LORA[0]: only}, at(GOAL, steps([only], GOAL)))
    times = [math.inf if row.time_s is None else row.time_s for row in rows]
    assert times == sorted(times)
