"""Contrasts and fronts against what is known by hand."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from emulator.common.errors import ScenarioError
from emulator.results.comparison import Measured, contrasted, front
from emulator.results.metrics import Outcome, Point
from emulator.results.resolution import Run
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
        ("base", "v"): {Run(seed + shift): measured(s) for seed, s in enumerate(theirs)},
        ("new", "v"): {Run(seed): measured(s) for seed, s in enumerate(ours)},
    }
    return contrasted(cells, None, Goal(0.5)).contrasts[1]


def test_twice_as_fast_on_every_seed_is_twice_as_fast():
    found = against([10, 5, 20], [20, 10, 40])
    assert found.speedup == pytest.approx(2)
    assert (found.speedup_low, found.speedup_high) == pytest.approx((2, 2))
    assert (found.verdict, found.shared_seeds, found.reached) == ("faster", 3, 3)
    assert found.nbytes.median == 40


def resolved(time_s, resolution_s, loss):
    """A time that is known to lie within `resolution_s` before it, of a training with a loss."""
    found = measured(time_s)
    outcome = replace(found.outcome, target_resolution_s=resolution_s, final_loss=loss)
    return replace(found, outcome=outcome)


def equal_seeds(loss, shift=0):
    cells = {
        ("base", "v"): {Run(seed + shift): resolved(20.0, 4.0, 2.0) for seed in range(2)},
        ("new", "v"): {Run(seed): resolved(10.0, 1.0, loss) for seed in range(2)},
    }
    return contrasted(cells, None, Goal(0.5)).contrasts[1]


def test_two_equal_seeds_are_as_uncertain_as_the_evaluations_are_far_apart():
    """Both methods reach the target at the same evaluation with both seeds, by chance."""
    found = equal_seeds(1.0)
    error = math.sqrt(((4 / 20) ** 2 + (1 / 10) ** 2) / 12 / 2)
    half = 12.7062 * error
    assert found.speedup == pytest.approx(2)
    band = (found.speedup_low, found.speedup_high)
    assert band == pytest.approx((2 * math.exp(-half), 2 * math.exp(half)), rel=1e-4)
    cauchy = 1 - 2 / math.pi * math.atan(math.log(2) / error)  # Student's t of one degree
    assert found.p_alone == pytest.approx(cauchy)
    apart = equal_seeds(1.0, shift=5)
    assert apart.speedup_low < 1.9
    assert apart.speedup_high > 2.1


def test_the_same_training_under_two_networks_has_no_such_uncertainty():
    found = equal_seeds(2.0)
    assert (found.speedup_low, found.speedup_high) == pytest.approx((2, 2))
    assert found.verdict == "faster"


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


def drawn(ours, theirs):
    """The contrast of times by seed and draw: a list of draws per seed."""
    cells = {
        (name, "v"): {
            Run(seed, draw): measured(time_s)
            for seed, times_s in enumerate(by_seed)
            for draw, time_s in enumerate(times_s)
        }
        for name, by_seed in (("base", theirs), ("new", ours))
    }
    return contrasted(cells, None, Goal(0.5)).contrasts[1]


def test_a_hundred_draws_of_one_training_are_not_a_hundred_runs():
    found = drawn([[1.0] * 97 + [9.0] * 3], [[2.0] * 100])
    assert (found.verdict, found.p, found.speedup_low) == ("one seed", None, None)
    assert (found.seeds, found.shared_seeds, found.draws) == (1, 1, 100)
    assert (found.wins, found.shared, found.reached) == (97, 100, 100)
    logs = [math.log(2)] * 97 + [math.log(2 / 9)] * 3
    assert found.speedup == pytest.approx(math.exp(sum(logs) / 100)), "pairs of one draw each"


def test_draws_are_averaged_per_seed_before_the_test():
    """The test has as many values as seeds: the means of the logarithms over the draws."""
    theirs, ours = [[2.0, 8.0], [3.0, 3.0], [5.0, 2.0]], [[1.0, 2.0], [1.0, 3.0], [2.0, 1.0]]
    pairs = zip(theirs, ours, strict=True)
    ratios = [math.sqrt((t[0] / o[0]) * (t[1] / o[1])) for t, o in pairs]
    found, means = drawn(ours, theirs), against([1, 1, 1], ratios)
    assert found.p_alone == pytest.approx(means.p_alone)
    assert (found.speedup_low, found.speedup_high) == pytest.approx(
        (means.speedup_low, means.speedup_high)
    )
    assert (found.seeds, found.draws, found.wins, found.shared) == (3, 2, 5, 6)


def test_more_draws_of_the_same_seeds_make_no_verdict():
    ours, theirs = [[9.0], [12.0], [10.0]], [[10.0], [11.0], [10.5]]
    few = drawn(ours, theirs)
    many = drawn([of * 50 for of in ours], [of * 50 for of in theirs])
    assert many.p == pytest.approx(few.p)
    assert few.verdict == many.verdict == "not shown"


def test_a_seed_is_won_with_most_of_its_draws():
    found = drawn([[1.0, 1.0, None]] * 6, [[2.0, None, 2.0]] * 6)
    assert found.p == pytest.approx(2 * 0.5**6), "six signs, not eighteen"
    assert found.verdict == "faster"


def test_many_contrasts_make_each_harder_to_show():
    theirs = {Run(seed): measured(t) for seed, t in enumerate([10.0, 11.0, 10.5])}
    ours = {Run(seed): measured(t) for seed, t in enumerate([9.0, 9.4, 9.4])}
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
    cells = {("m", v): {Run(s): measured(t * (1 + s)) for s in range(3)} for v, t in
             (("near", 1.0), ("far", 3.0))}  # fmt: skip
    far = contrasted(cells, "near", Goal(0.5)).contrasts[1]
    assert (far.variant, far.verdict, far.speedup) == ("far", "slower", pytest.approx(1 / 3))


def test_without_a_target_whole_runs_are_compared():
    cells = {("m", "v"): {Run(0): measured(None, target=None)}}
    found = contrasted(cells, None, None).contrasts[0]
    assert (found.time_s.median, found.nbytes.median, found.reached) == (99, 60, 1)


def test_a_baseline_that_is_not_there_is_met_halfway():
    with pytest.raises(ScenarioError, match="did you mean 'LoRA'"):
        contrasted({("LoRA", "v"): {Run(0): measured(1.0)}}, "lora", Goal(0.5))


def test_a_variant_without_the_baseline_says_so():
    cells = {("a", "x"): {Run(0): measured(1.0)}, ("b", "y"): {Run(0): measured(1.0)}}
    assert contrasted(cells, "a", Goal(0.5)).contrasts[1].verdict == "no baseline"


POINTS = st.lists(
    st.tuples(st.floats(0, 10), st.integers(0, 100), st.floats(0, 1)), min_size=1, max_size=8
).map(lambda rows: [Point(k, t, n, a) for k, (t, n, a) in enumerate(rows)])


@given(st.dictionaries(st.sampled_from("abc"), POINTS, min_size=1))
def test_nothing_beats_the_front_and_the_front_beats_the_rest(methods):
    cells = {m: {Run(0): measured(1.0, points=p)} for m, p in methods.items()}
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
    found = front({"m": {Run(0): measured(1.0, points=points)}}, "v", "time_s", "falling")
    assert [point.accuracy for point in found] == [60, 30, 20]


def test_a_front_is_of_medians_over_the_rounds_that_all_seeds_have():
    seeds = {
        0: measured(1.0, points=[Point(1, 1.0, 5, 0.1), Point(2, 2.0, 9, 0.3)]),
        1: measured(1.0, points=[Point(1, 3.0, 5, 0.3)]),
    }
    (only,) = front({"m": seeds}, "v", "time_s")
    assert (only.value, only.accuracy, only.round) == pytest.approx((2.0, 0.2, 1))
