"""Contrasts and fronts against what is known by hand."""

import math

import pytest
from hypothesis import given, strategies as st

from emulator.common.errors import ScenarioError
from emulator.results.comparison import Measured, contrasted, front
from emulator.results.metrics import Outcome, Point
from emulator.simulation.target import Goal

COUNTS = {"rounds": 4, "bytes_down": 40, "bytes_up": 20}
SPENT = {"download_s": 1.0, "compute_s": 1.0, "upload_s": 1.0, "waiting_s": 1.0}


WHY = {
    "wasted_bytes_down": 0, "wasted_bytes_up": 0, "wasted_compute_s": 0.0, "mean_staleness": 0.0,
    "unheard_clients": None, "unheard_examples": None, "bottleneck": "server",
}  # fmt: skip


def measured(time_s, accuracy=0.5, points=(), target=0.5):
    outcome = Outcome(
        method="m", variant="v", seed=0, target=target, time_to_target_s=time_s,
        rounds_to_target=None if time_s is None else 3,
        bytes_down_to_target=None if time_s is None else 30,
        bytes_up_to_target=None if time_s is None else 10,
        final_accuracy=accuracy, best_accuracy=accuracy, final_loss=1.0, test_accuracy=None,
        duration_s=99.0, **COUNTS, **SPENT, **WHY,
    )  # fmt: skip
    return Measured(outcome, tuple(points))


def against(ours, theirs, shift=0):
    """The contrast of times by seed; `theirs` begin at seed `shift`."""
    cells = {
        ("base", "v"): {seed + shift: measured(s) for seed, s in enumerate(theirs)},
        ("new", "v"): {seed: measured(s) for seed, s in enumerate(ours)},
    }
    return contrasted(cells, None, Goal(0.5)).contrasts[1]


def test_twice_as_fast_on_every_seed_is_twice_as_fast():
    found = against([10, 5, 20], [20, 10, 40])
    assert found.speedup == pytest.approx(2)
    assert (found.speedup_low, found.speedup_high) == pytest.approx((2, 2))
    assert (found.verdict, found.shared_seeds, found.reached) == ("faster", 3, 3)
    assert found.nbytes.median == 40


def test_a_pair_is_worth_more_than_its_means():
    # Seeds differ by far more than methods do: pairs see it, unshared seeds cannot.
    ours, theirs = [10, 100, 1000, 300], [12, 118, 1210, 366]
    assert against(ours, theirs).verdict == "faster"
    assert against(ours, theirs, shift=10).verdict == "not shown"
    assert against(ours, theirs, shift=10).shared_seeds == 0
    assert against(theirs, ours).verdict == "slower"


def test_the_band_is_students_on_logarithms():
    ratios = [1.1, 1.5, 1.3]
    found = against([1, 1, 1], ratios)
    logs = [math.log(r) for r in ratios]
    mean = sum(logs) / 3
    sd = math.sqrt(sum((x - mean) ** 2 for x in logs) / 2)
    assert found.speedup == pytest.approx(math.exp(mean))
    assert found.speedup_high == pytest.approx(math.exp(mean + 4.302653 * sd / math.sqrt(3)))


def test_one_seed_says_nothing():
    found = against([10], [20])
    assert found.speedup == pytest.approx(2)
    assert (found.speedup_low, found.p, found.verdict) == (None, None, "one seed")


def test_signs_decide_if_a_seed_never_reaches_the_target():
    found = against([1, 1, 1, None, 1], [2, 2, 2, None, None])
    assert (found.speedup, found.speedup_low) == (None, None)
    assert found.p == pytest.approx(0.125)  # four of four, a tie left out
    assert found.verdict == "not shown"
    assert found.reached == 4
    assert against([1] * 6, [None] * 6).verdict == "faster"
    assert against([None] * 6, [1] * 6).verdict == "slower"


def test_many_contrasts_make_each_harder_to_show():
    theirs = {seed: measured(t) for seed, t in enumerate([10.0, 11.0, 10.5])}
    ours = {seed: measured(t) for seed, t in enumerate([9.0, 9.4, 9.4])}
    alone = contrasted({("base", "v"): theirs, ("new", "v"): ours}, None, Goal(0.5)).contrasts[1]
    same = {(f"same {i}", "v"): theirs for i in range(20)}
    many = contrasted(
        {("base", "v"): theirs, ("new", "v"): ours} | same, None, Goal(0.5)
    ).contrasts[1]
    assert alone.p is not None
    assert many.p == pytest.approx(min(1, alone.p * 21))
    assert (alone.verdict, many.verdict) == ("faster", "not shown")
    assert (alone.tests, many.tests) == (1, 21)
    assert alone.p == alone.p_alone == many.p_alone, "of the contrast alone, as the band is"


def test_a_target_that_is_met_at_once_has_no_ratio():
    found = against([0.0] * 6, [1.0] * 6)
    assert (found.speedup, found.verdict) == (None, "faster")
    assert against([0.0], [0.0]).verdict == "one seed"


def test_a_variant_may_be_the_baseline():
    cells = {("m", v): {s: measured(t * (1 + s)) for s in range(3)} for v, t in
             (("near", 1.0), ("far", 3.0))}  # fmt: skip
    far = contrasted(cells, "near", Goal(0.5)).contrasts[1]
    assert (far.variant, far.verdict, far.speedup) == ("far", "slower", pytest.approx(1 / 3))


def test_without_a_target_whole_runs_are_compared():
    cells = {("m", "v"): {0: measured(None, target=None)}}
    found = contrasted(cells, None, None).contrasts[0]
    assert (found.time_s.median, found.nbytes.median, found.reached) == (99, 60, 1)


def test_a_baseline_that_is_not_there_is_met_halfway():
    with pytest.raises(ScenarioError, match="did you mean 'LoRA'"):
        contrasted({("LoRA", "v"): {0: measured(1.0)}}, "lora", Goal(0.5))


def test_a_variant_without_the_baseline_says_so():
    cells = {("a", "x"): {0: measured(1.0)}, ("b", "y"): {0: measured(1.0)}}
    assert contrasted(cells, "a", Goal(0.5)).contrasts[1].verdict == "no baseline"


POINTS = st.lists(
    st.tuples(st.floats(0, 10), st.integers(0, 100), st.floats(0, 1)), min_size=1, max_size=8
).map(lambda rows: [Point(k, t, n, a) for k, (t, n, a) in enumerate(rows)])


@given(st.dictionaries(st.sampled_from("abc"), POINTS, min_size=1))
def test_nothing_beats_the_front_and_the_front_beats_the_rest(methods):
    cells = {m: {0: measured(1.0, points=p)} for m, p in methods.items()}
    every = [point for points in methods.values() for point in points]
    found = front(cells, "v", "time_s")
    for point in found:
        assert not any(
            p.time_s <= point.value and p.accuracy >= point.accuracy
            and (p.time_s, p.accuracy) != (point.value, point.accuracy) for p in every
        )  # fmt: skip
    for p in every:
        assert any(f.value <= p.time_s and f.accuracy >= p.accuracy for f in found)


def test_a_front_of_a_falling_metric_goes_down():
    values = [(0.0, 60.0), (1.0, 30.0), (2.0, 35.0), (3.0, 20.0)]
    points = [Point(k, time_s, 0, value) for k, (time_s, value) in enumerate(values)]
    found = front({"m": {0: measured(1.0, points=points)}}, "v", "time_s", "falling")
    assert [point.accuracy for point in found] == [60, 30, 20]


def test_a_front_is_of_medians_over_the_rounds_that_all_seeds_have():
    seeds = {
        0: measured(1.0, points=[Point(1, 1.0, 5, 0.1), Point(2, 2.0, 9, 0.3)]),
        1: measured(1.0, points=[Point(1, 3.0, 5, 0.3)]),
    }
    (only,) = front({"m": seeds}, "v", "time_s")
    assert (only.value, only.accuracy, only.round) == pytest.approx((2.0, 0.2, 1))
