"""Metrics against sums done by hand, conservation of time, and their own documentation."""

import math
import random
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from emulator.common.errors import LedgerError
from emulator.results.bottlenecks import wasted_bytes
from emulator.results.metrics import (
    Curve,
    Outcome,
    Spread,
    Summary,
    accuracy_lost,
    bytes_by_round,
    bytes_sent,
    curve,
    evaluations,
    outcome,
    spread,
    summarise,
    time_spent,
)
from emulator.simulation.records import Computation, Emulation, Evaluation, Round, Row, Transfer
from emulator.simulation.target import Goal

from ..simulation.some_rows import histories
from . import row_by_row

LORA = Emulation("LoRA", "16x", 0)

# Two rounds of a cohort of two. Round 1: client 4 is done at 6 s, client 9 holds it up to 8 s.
ROWS: list[Row] = [
    Evaluation(0, 0.0, "validation", 50, 0.1, 3.0),
    Transfer(1, 4, "down", 100, 0.0, 1.0),
    Transfer(1, 9, "down", 100, 0.0, 2.0),
    Computation(1, 4, 32, 2, 1.0, 2.0),
    Computation(1, 9, 32, 2, 2.0, 5.0),
    Transfer(1, 4, "up", 10, 2.0, 6.0),
    Transfer(1, 9, "up", 12, 5.0, 8.0),
    Round(1, 2, 0.0, 8.0),
    Evaluation(1, 8.0, "validation", 50, 0.5, 2.0),
    Evaluation(1, 8.0, "test", 80, 0.45, 2.1),
    Transfer(2, 1, "down", 200, 8.0, 9.0),
    Transfer(2, 2, "down", 200, 8.0, 9.0),
    Computation(2, 1, 32, 2, 9.0, 9.0),
    Computation(2, 2, 32, 2, 9.0, 9.0),
    Transfer(2, 1, "up", 20, 9.0, 9.5),
    Transfer(2, 2, "up", 20, 9.0, 10.5),
    Round(2, 2, 8.0, 10.5),
    Evaluation(2, 10.5, "validation", 50, 0.4, 2.2),
    Evaluation(2, 10.5, "test", 80, 0.35, 2.3),
]


def test_reached_in_the_first_round() -> None:
    assert outcome(LORA, ROWS, Goal(0.5)) == Outcome(
        method="LoRA",
        variant="16x",
        seed=0,
        target=0.5,
        time_to_target_s=8.0,
        rounds_to_target=1,
        bytes_down_to_target=200,
        bytes_up_to_target=22,
        final_accuracy=0.4,
        best_accuracy=0.5,
        final_loss=2.2,
        test_accuracy=0.35,
        rounds=2,
        duration_s=10.5,
        bytes_down=600,
        bytes_up=62,
        download_s=1.5,
        compute_s=2.0,
        upload_s=3.5,
        waiting_s=1.0,
        wasted_bytes_down=0,
        wasted_bytes_up=0,
        wasted_compute_s=0.0,
        mean_staleness=0.0,
        unheard_clients=None,
        unheard_examples=None,
        bottleneck="",
        accuracy_lost=0.0,
        test_accuracy_at_target=0.45,
        target_resolution_s=8.0,
    )


@pytest.mark.parametrize(
    ("accuracies", "lost"),
    [([0.1, 0.9], None), ([0.1, 0.5, 0.6], 0), ([0.6, 0.7, 0.8, 0.3, 0.4, 0.2], 0.4)],
)
def test_the_accuracy_lost_is_of_means_of_three(accuracies: list[float], lost: float) -> None:
    assert accuracy_lost(accuracies) == pytest.approx(lost)


@pytest.mark.parametrize("target", [0.51, None])
def test_never_reached_is_none_and_the_time_is_of_the_whole(target: float | None) -> None:
    never = outcome(LORA, ROWS, target and Goal(target))
    assert (never.time_to_target_s, never.rounds_to_target) == (None, None)
    assert (never.bytes_down_to_target, never.bytes_up_to_target) == (None, None)
    assert (never.download_s, never.compute_s, never.upload_s, never.waiting_s) == (
        2.5,
        2,
        4.5,
        1.5,
    )


def test_by_the_mean_of_three_the_last_of_them_reaches_the_target() -> None:
    """Validation accuracies of 0.1, 0.5 and 0.4, after 0, 1 and 2 rounds: 0.333 in the mean."""
    found = outcome(LORA, ROWS, Goal(0.33, "mean3"))
    assert (found.time_to_target_s, found.rounds_to_target) == (10.5, 2)
    assert found.bytes_up_to_target == bytes_sent(ROWS, "up", 2)
    assert outcome(LORA, ROWS, Goal(0.33)).rounds_to_target == 1
    assert outcome(LORA, ROWS, Goal(0.34, "mean3")).rounds_to_target is None


def test_a_loss_is_reached_from_above() -> None:
    """Validation losses of 3.0, 2.0 and 2.2, after 0, 1 and 2 rounds: 2.4 in the mean."""
    found = outcome(LORA, ROWS, Goal(2.1, measure="loss"))
    assert (found.time_to_target_s, found.rounds_to_target) == (8.0, 1)
    assert (found.target, found.target_measure) == (2.1, "loss")
    assert outcome(LORA, ROWS, Goal(1.9, measure="loss")).rounds_to_target is None
    assert outcome(LORA, ROWS, Goal(2.4, "mean3", "loss")).rounds_to_target == 2
    assert outcome(LORA, ROWS, Goal(2.39, "mean3", "loss")).rounds_to_target is None


def test_a_model_that_meets_the_target_untrained_costs_nothing() -> None:
    free = outcome(LORA, ROWS, Goal(0.1))
    assert (free.time_to_target_s, free.rounds_to_target) == (0.0, 0)
    assert (free.bytes_down_to_target, free.bytes_up_to_target) == (0, 0)
    assert (free.download_s, free.compute_s, free.upload_s, free.waiting_s) == (0, 0, 0, 0)


def test_the_split_is_a_choice_and_the_order_of_rows_is_not() -> None:
    on_test = outcome(LORA, ROWS, Goal(0.45), split="test")
    assert (on_test.rounds_to_target, on_test.best_accuracy, on_test.final_loss) == (1, 0.45, 2.3)
    assert outcome(LORA, ROWS, Goal(0.46), split="test").time_to_target_s is None
    shuffled = random.Random(0).sample(ROWS, len(ROWS))
    assert outcome(LORA, shuffled, Goal(0.5)) == outcome(LORA, ROWS, Goal(0.5))
    assert outcome(LORA, (row for row in ROWS), Goal(0.5)) == outcome(LORA, ROWS, Goal(0.5))


def test_no_test_split_is_none_and_no_evaluation_is_an_error() -> None:
    untested = [r for r in ROWS if not (isinstance(r, Evaluation) and r.split == "test")]
    found = outcome(LORA, untested, Goal(0.5))
    assert found.test_accuracy is found.test_accuracy_at_target is None
    assert outcome(LORA, ROWS, Goal(0.99)).test_accuracy_at_target is None, "never reached"
    with pytest.raises(LedgerError, match="no evaluation on the holdout split") as caught:
        outcome(LORA, ROWS, Goal(0.5), split="holdout")
    assert caught.value.hint


# Eighths of a second and cohorts of a power of two are exact in binary: no tolerance is needed.
eighths = st.integers(0, 800).map(lambda n: n / 8)
clients = st.tuples(eighths, eighths, eighths)
rounds = st.lists(
    st.sampled_from([1, 2, 4]).flatmap(lambda n: st.lists(clients, min_size=n, max_size=n)),
    min_size=1,
    max_size=6,
)


def test_rows_without_scores_have_times_and_bytes_and_no_accuracies() -> None:
    """Those of a message log that has no scores."""
    rows = [row for row in ROWS if not isinstance(row, Evaluation)]
    found = outcome(LORA, rows, None)
    assert (found.rounds, found.duration_s, found.bytes_down, found.bytes_up) == (2, 10.5, 600, 62)
    assert found.final_accuracy is found.best_accuracy is found.final_loss is None
    assert summarise([found]).final_accuracy == Spread(None, None, None)
    with pytest.raises(LedgerError, match="found no evaluation on the validation split"):
        outcome(LORA, rows, 0.5)


def test_a_loss_that_was_not_recorded_is_none() -> None:
    assert (
        outcome(LORA, [*ROWS, Evaluation(3, 11.0, "validation", -1, 0.4, -1)], Goal(0.5)).final_loss
        is None
    )


def synchronous(plan: list[list[tuple[float, float, float]]], scale: float = 1.0) -> list[Row]:
    """Rounds back to back, each as long as its slowest client's download, compute and upload."""
    rows: list[Row] = []
    now = 0.0
    for r, cohort in enumerate(plan, start=1):
        end = now
        for client, (down, compute, up) in enumerate(cohort):
            a = now + down * scale
            b = a + compute * scale
            c = b + up * scale
            rows += [Transfer(r, client, "down", 8, now, a), Computation(r, client, 1, 1, a, b)]
            rows += [Transfer(r, client, "up", 2, b, c)]
            end = max(end, c)
        rows.append(Round(r, len(cohort), now, end))
        now = end
    return rows


@given(rounds)
def test_the_four_parts_add_up_to_the_rounds_exactly(
    plan: list[list[tuple[float, float, float]]],
) -> None:
    rows = synchronous(plan)
    spent = time_spent(rows)
    assert sum(spent) == sum(r.finish_s - r.start_s for r in rows if isinstance(r, Round))
    assert spent.waiting_s >= 0
    means = [[sum(part) / len(cohort) for part in zip(*cohort, strict=True)] for cohort in plan]
    assert spent[:3] == tuple(sum(part) for part in zip(*means, strict=True))


@given(rounds, st.floats(1e-6, 1e6), st.integers(1, 6))
def test_the_four_parts_add_up_at_any_scale_and_cut(
    plan: list[list[tuple[float, float, float]]], scale: float, last: int
) -> None:
    rows = synchronous(plan, scale)
    ends = [r.finish_s for r in rows if isinstance(r, Round) and r.round <= last]
    assert math.fsum(time_spent(rows, last)) == pytest.approx(ends[-1], rel=1e-12)


def test_what_rounding_leaves_over_is_no_wait() -> None:
    ends = [0.1, 0.3, 0.7]  # 0.3 - 0.1 + 0.7 - 0.3 is not 0.6
    rows: list[Row] = [Transfer(1, 0, "down", 1, 0.0, ends[0])]
    rows += [Computation(1, 0, 1, 1, *ends[:2]), Transfer(1, 0, "up", 1, *ends[1:])]
    for end_s in (math.nextafter(0.7, 0), 0.7, math.nextafter(0.7, 1)):
        assert time_spent([*rows, Round(1, 1, 0.0, end_s)]).waiting_s == 0.0
    assert time_spent([*rows, Round(1, 1, 0.0, 0.7001)]).waiting_s == pytest.approx(1e-4)


def test_a_curve_counts_bytes_as_the_outcomes_do() -> None:
    found = curve(ROWS)
    assert found == Curve(
        (0, 1, 2), (0.0, 8.0, 10.5), (0, 200, 600), (0, 22, 62), (0.1, 0.5, 0.4), (3.0, 2.0, 2.2)
    )
    for k, round_ in enumerate(found.round):
        assert found.bytes_down[k] == bytes_sent(ROWS, "down", round_)
        assert found.bytes_up[k] == bytes_sent(ROWS, "up", round_)
    assert curve([row for row in ROWS if row != ROWS[8]]).bytes_down == (0, 600)


def test_never_is_infinity_in_the_order_statistics() -> None:
    assert spread([3.0, 1.0, 2.0]) == Spread(1.0, 2.0, 3.0)
    assert spread([3.0, 1.0]) == Spread(1.0, 2.0, 3.0)
    assert spread([3.0, None, 1.0]) == Spread(1.0, 3.0, None)
    assert spread([3.0, None]) == Spread(3.0, None, None)
    assert spread([None, None]) == Spread(None, None, None)
    assert spread([0]) == Spread(0, 0, 0)


def test_summary_over_seeds() -> None:
    first = outcome(LORA, ROWS, Goal(0.5))
    slower = replace(first, seed=1, time_to_target_s=20.0, rounds_to_target=2, test_accuracy=None)
    never = replace(outcome(LORA, ROWS, Goal(0.51)), seed=2, target=0.5)
    summary = summarise([first, slower, never])
    assert (summary.seeds, summary.reached) == ((0, 1, 2), 2)
    assert summary.time_to_target_s == Spread(8.0, 20.0, None)
    assert summary.rounds_to_target == Spread(1, 2, None)
    assert summary.duration_s == Spread(10.5, 10.5, 10.5)
    assert summary.test_accuracy == Spread(0.35, 0.35, 0.35)
    assert summarise([slower]).test_accuracy is None
    with pytest.raises(AssertionError):
        summarise([first, replace(first, method="FLASC")])


@given(histories().flatmap(st.permutations), st.integers(0, 6), st.floats(1e-6, 1e6))
def test_they_are_the_sums_of_their_definitions_to_the_last_bit(
    rows: list[Row], last: int, scale: float
) -> None:
    """Seconds are correctly rounded sums, whatever the order of the rows."""
    found = [scaled(row, scale) for row in rows]
    for last_round in (last, math.inf):
        assert time_spent(found, last_round) == row_by_row.time_spent(found, last_round)
        for way in ("down", "up"):
            assert bytes_sent(rows, way, last_round) == row_by_row.bytes_sent(rows, way, last_round)
    scores = evaluations(rows)
    assert scores == sorted(
        (r for r in rows if isinstance(r, Evaluation) and r.split == "validation"),
        key=lambda row: row.round,
    )
    rounds = [row.round for row in scores]
    assert curve(rows).bytes_up == row_by_row.bytes_until(rows, "up", rounds)
    assert bytes_by_round(rows, "down") == row_by_row.bytes_by_round(rows, "down")


def scaled(row: Row, scale: float) -> Row:
    """The row with other times, which have to be rounded."""
    times_s = {name: getattr(row, name) * scale for name in row._fields if name.endswith("h_s")}
    times_s |= {name: getattr(row, name) * scale for name in row._fields if name == "start_s"}
    return row._replace(**times_s)


def test_sums_of_large_numbers_of_bytes_are_exact() -> None:
    rows = [Transfer(n % 2, 1, "up", 2**62 + n, 0.0, 1.0, "late") for n in range(5)]
    assert bytes_sent(rows, "up") == wasted_bytes(rows, "up") == 5 * 2**62 + 10
    assert bytes_by_round(rows, "up") == {0: 3 * 2**62 + 6, 1: 2 * 2**62 + 4}


def test_every_field_is_defined_in_the_docs() -> None:
    text = (Path(__file__).parents[3] / "docs/reference/metrics.md").read_text("utf-8")
    for field in fields(Outcome):
        assert f"`{field.name}`" in text, field.name
    for name in {f.name for f in fields(Summary)} - {f.name for f in fields(Outcome)}:
        assert f"`{name}`" in text, name
