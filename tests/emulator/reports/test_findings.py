"""Sentences claim what the seeds show, and no more: the verdicts are those of `compare`."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from emulator.reports.findings import fallen, headline, on_test_split, seeds_text, shown
from emulator.reports.run_report import Study
from emulator.results.comparison import Measured, contrasted
from emulator.results.metrics import Outcome
from emulator.results.resolution import Run
from emulator.simulation.records import Emulation
from emulator.simulation.target import Goal

Studies = Callable[..., Study]
CHANCE = " The difference may be due to chance."
UNKNOWN = " The seeds do not show a difference between the two."


def with_times(study: Study, **times: list[float | None]) -> Study:
    """The study with other times to the target: per method, one for each seed."""

    def changed(outcome: Outcome) -> Outcome:
        seeds = times.get(outcome.method)
        if seeds is None:
            return outcome
        seconds = seeds[outcome.seed]
        return replace(outcome, time_to_target_s=seconds, target_resolution_s=None)

    return replace(study, outcomes=tuple(map(changed, study.outcomes)))


@pytest.fixture
def three(study_of: Studies) -> Study:
    """LoRA and FLASC under one network, with three seeds."""
    return study_of({"LoRA": 0.1, "FLASC": 0.1}, {"16 Mbps": 1}, seeds=(0, 1, 2))


@pytest.mark.parametrize(
    ("methods", "sentence"),
    [
        ({"LoRA": 0.1}, "Under y, LoRA takes 25.0 s (one seed) to accuracy 0.50."),
        (
            {"LoRA": 0.05, "FLASC": 0.1},
            "Under y, FLASC has the lowest time to accuracy 0.50: 25.0 s (one seed); "
            "LoRA takes 50.0 s." + CHANCE,
        ),
        (
            {"LoRA": 0.1, "FLASC": 0.05},
            "Under y, LoRA has the lowest time to accuracy 0.50: 25.0 s (one seed); "
            "FLASC takes 50.0 s." + CHANCE,
        ),
        (
            {"LoRA": 0.01, "FLASC": 0.1},
            "Under y, FLASC has the lowest time to accuracy 0.50: 25.0 s (one seed); "
            "LoRA does not reach it." + CHANCE,
        ),
        ({"LoRA": 0.01}, "Under y, no method reaches accuracy 0.50 (one seed)."),
    ],
)
def test_one_seed_is_said_to_be_one(
    study_of: Studies, methods: dict[str, float], sentence: str
) -> None:
    assert headline(study_of(methods, {"x": 9, "y": 2})) == sentence


def test_a_median_of_never_is_no_never(three: Study) -> None:
    study = with_times(three, LoRA=[10.8, None, None], FLASC=[1.4, 1.5, None])
    assert headline(study) == (
        "Under 16 Mbps, FLASC has the lowest median time to accuracy 0.50: 1.5 s (2 of 3 seeds); "
        "LoRA reaches it with 1 of 3 seeds." + UNKNOWN
    )
    study = with_times(three, LoRA=[None, None, None], FLASC=[1.4, 1.5, 1.6])
    assert "1.5 s (3 seeds); LoRA reaches it with none of 3 seeds." in headline(study)
    study = with_times(three, LoRA=[10.8, None, None], FLASC=[None, None, None])
    assert headline(study) == (
        "Under 16 Mbps, no method reaches accuracy 0.50 with most of its seeds: "
        "LoRA with 1 of 3 seeds."
    )


def test_a_ratio_is_named_only_if_it_is_shown(three: Study) -> None:
    luck = with_times(three, LoRA=[80.0, 20.0, 30.0], FLASC=[10.0, 19.0, 40.0])
    assert headline(luck) == (
        "Under 16 Mbps, FLASC has the lowest median time to accuracy 0.50: 19.0 s (3 seeds); "
        "LoRA takes 30.0 s." + UNKNOWN
    )
    assert shown(luck) == "Compared with LoRA by time, over 3 seeds: no difference is shown at 5 %."
    # Logarithms of 2, 2.2 and 1.8: mean 0.690, band of 4.303 times 0.100 / sqrt(3) = 0.249.
    sure = with_times(three, LoRA=[20.0, 22.0, 18.0], FLASC=[10.0, 10.0, 10.0])
    assert headline(sure).endswith(
        "LoRA takes 20.0 s. The seeds show that FLASC is faster than LoRA: "
        "2.0 times as fast (95 % band of this ratio alone: 1.6 to 2.6)."
    )
    slower = with_times(three, FLASC=[20.0, 22.0, 18.0], LoRA=[10.0, 10.0, 10.0])
    assert headline(slower).endswith(
        "FLASC takes 20.0 s. The seeds show that LoRA is faster than FLASC: "
        "2.0 times as fast (95 % band of this ratio alone: 1.6 to 2.6)."
    )


def test_the_verdicts_are_those_of_compare(study_of: Studies) -> None:
    """All pairs count together, so that one pair that is clear alone may not be shown."""
    methods = {"LoRA": 0.1, "clear": 0.1, "alone": 0.1}
    study = study_of(methods, {"x": 1, "y": 2, "z": 3}, seeds=(0, 1, 2))
    study = with_times(study, LoRA=[20, 24, 22], clear=[10, 12, 11.1], alone=[18.2, 20.6, 18.2])
    cells: dict[tuple[str, str], dict[Run, Measured]] = {}
    for o in study.outcomes:
        cells.setdefault((o.method, o.variant), {})[Run(o.seed)] = Measured(o, ())
    found = contrasted(cells, None, Goal(0.5)).contrasts
    assert {(c.method, c.verdict) for c in found} == {
        ("LoRA", "baseline"), ("clear", "faster"), ("alone", "not shown")
    }  # fmt: skip
    assert all(c.p_alone < 0.05 for c in found if c.p_alone is not None)
    assert shown(study) == (
        "Compared with LoRA by time, over 3 seeds: clear is faster (x, y, z), "
        "at 5 % for all 6 together. The other 3 differences are not shown."
    )
    assert "The seeds show that clear is faster than LoRA" in headline(study)


def test_nothing_is_said_of_what_is_missing(study_of: Studies) -> None:
    study = study_of({"LoRA": 0.1, "FLASC": 0.1, "head": 0.01}, {"x": 9, "y": 2})
    outcomes = tuple(o for o in study.outcomes if o.method == "FLASC")
    assert headline(replace(study, outcomes=outcomes)) == (
        "Under y, FLASC takes 25.0 s (one seed) to accuracy 0.50."
    )
    outcomes = tuple(o for o in study.outcomes if o.variant == "x")
    assert headline(replace(study, outcomes=outcomes)) == "Under y, no simulation has finished."
    outcomes = tuple(o for o in study.outcomes if (o.method, o.variant) != ("LoRA", "y"))
    assert "LoRA" not in headline(replace(study, outcomes=outcomes))
    assert headline(replace(study, outcomes=())) == "Under y, no simulation has finished."
    assert shown(replace(study, outcomes=())) == ""


def test_seeds_that_only_one_method_has(study_of: Studies) -> None:
    absent = [Emulation("FLASC", "x", seed) for seed in (1, 2)]
    study = study_of({"LoRA": 0.1, "FLASC": 0.1}, {"x": 1}, seeds=(0, 1, 2), absent=absent)
    assert shown(study) == "One seed: differences may be due to chance."


def test_a_target_that_is_met_at_once(three: Study) -> None:
    study = with_times(three, FLASC=[0.0, 0.0, 0.0])
    assert "FLASC has the lowest median time to accuracy 0.50: 0 ms (3 seeds)" in headline(study)


def test_variants_that_learn_differently_are_compared_with_the_first(study_of: Studies) -> None:
    factors = {"fast": 0.5}
    study = study_of({"LoRA": 0.1}, {"slow": 16, "fast": 1}, seeds=(0, 1, 2), factors=factors)
    assert headline(study).startswith(
        "LoRA under fast has the lowest median time to accuracy 0.50: 50.0 s (3 seeds); "
        "under slow it takes 1 min 40 s. The seeds show that LoRA under fast is faster than "
        "LoRA under slow: 2.0 times as fast (95 % band"
    )
    assert shown(study) == "Compared with slow by time, over 3 seeds: fast is faster, at 5 %."
    study = study_of({"LoRA": 0.1}, {"slow": 1, "fast": 16}, seeds=(0, 1, 2), factors=factors)
    assert "LoRA under slow has the lowest" in headline(study)
    assert "The seeds show that LoRA under slow is faster than LoRA under fast" in headline(study)


def test_methods_are_compared_too_if_variants_learn_differently(study_of: Studies) -> None:
    methods, variants = {"LoRA": 0.1, "FLASC": 0.2}, {"first": 1, "second": 1}
    study = study_of(methods, variants, seeds=(0, 1, 2), factors={"second": 0.5})
    assert headline(study).startswith(
        "FLASC under first has the lowest median time to accuracy 0.50: 15.0 s (3 seeds); "
        "LoRA takes 25.0 s. The seeds show that FLASC is faster than LoRA: 1.7 times as fast"
    )
    assert shown(study) == (
        "Compared with LoRA by time, over 3 seeds: FLASC is faster (first, second), "
        "at 5 % for all 2 together. "
        "Compared with first by time, over 3 seeds: second is slower (LoRA, FLASC), "
        "at 5 % for all 2 together."
    )


def test_numbers_of_seeds_in_words() -> None:
    assert [seeds_text(c) for c in ([1, 1], [3], [1, 3, 2])] == [
        "one seed", "3 seeds", "1 to 3 seeds"
    ]  # fmt: skip


def test_a_method_that_ends_far_below_its_best_is_named(three: Study) -> None:
    lost = {"LoRA": [0.02, 0.04, None], "FLASC": [0.21, 0.0, 0.06]}
    outcomes = tuple(replace(o, accuracy_lost=lost[o.method][o.seed]) for o in three.outcomes)
    assert fallen(replace(three, outcomes=outcomes)) == (
        "Ended below their best accuracy, as means of three evaluations: FLASC by 21 points at "
        "most (2 of 3 simulations). Their learning rates may be too high for so many rounds."
    )
    assert fallen(replace(three, outcomes=outcomes[:3])) == ""


def test_a_metric_that_falls_ends_above_its_best(three: Study) -> None:
    outcomes = tuple(
        replace(o, accuracy_lost=3.0 if o.method == "LoRA" else 0.5, best_accuracy=12.0)
        for o in three.outcomes
    )
    told = replace(three, outcomes=outcomes, metric="perplexity", metric_measure="falling")
    assert fallen(told).startswith(
        "Ended above their best perplexity, as means of three evaluations: LoRA by 25 %. Their"
    )


def test_scores_on_test_are_those_of_the_target(three: Study) -> None:
    assert on_test_split(three) == ""
    scores = {("LoRA", 0): 0.69, ("LoRA", 1): 0.71, ("LoRA", 2): None, ("FLASC", 1): 0.68}
    found = replace(
        three,
        outcomes=tuple(
            replace(each, test_accuracy_at_target=scores.get((each.method, each.seed)))
            for each in three.outcomes
        ),
    )
    assert on_test_split(found) == (
        "On the test split, accuracy when the target was reached, medians: 0.700 (LoRA), "
        "0.680 (FLASC)."
    )
