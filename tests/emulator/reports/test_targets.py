"""Tables and sentences on many targets."""

from collections.abc import Callable

from rich.console import Console

from emulator.reports.run_report import Study
from emulator.reports.targets import budget_table, sentences, table
from emulator.results.target_sweep import Budget, at, target_times, within

Studies = Callable[..., Study]


def text_of(found: object) -> str:
    console = Console(width=80)
    with console.capture() as caught:
        console.print(found)
    return caught.get()


def sweep(study: Study, values: list[float]) -> str:
    assert study.target
    return text_of(table(study, target_times(study.curves, at(study.target, values))))


def test_a_row_has_the_times_and_a_sentence_the_first(study_of: Studies) -> None:
    """Rounds of 4 s: A gains 0.1 a round, B 0.05, up to round 10."""
    study = study_of({"A": 0.1, "B": 0.05}, {"x": 1}, seeds=(0, 1))
    lines = sweep(study, [0.4, 0.5, 0.6]).splitlines()
    assert next(line.split() for line in lines if line.startswith("A ")) == [
        "A", "18.0", "s", "22.5", "s", "27.0", "s"
    ]  # fmt: skip
    assert next(line.split() for line in lines if line.startswith("B ")) == [
        "B", "36.0", "s", "45.0", "s", "never"
    ]  # fmt: skip
    told = " ".join(" ".join(lines).split())
    assert "x, lowest time by accuracy: A from 0.4 to 0.6 (first with 2 of 2 seeds)." in told
    assert "The run's own target is 0.50: trainings may have ended soon after it" in told


def test_within_the_own_target_nothing_is_said_of_its_end(study_of: Studies) -> None:
    assert "own target" not in sweep(study_of({"A": 0.1}, {"x": 1}), [0.4, 0.5])


def test_what_nobody_reaches_is_said(study_of: Studies) -> None:
    study = study_of({"A": 0.05, "B": 0.04}, {"x": 1, "y": 3})
    assert study.target
    rows = target_times(study.curves, at(study.target, [0.3, 0.7]))
    assert sentences(study, rows) == [
        f"{v}, lowest time by accuracy: A at 0.3 (one seed); none beyond 0.3 in the median."
        for v in ("x", "y")
    ]
    rows = target_times(study.curves, at(study.target, [0.7]))
    assert "none of these targets is reached" in sentences(study, rows)[0]


def test_accuracy_within_budgets(study_of: Studies) -> None:
    study = study_of({"A": 0.1}, {"x": 1})
    rows = within(study.curves, [Budget(seconds=9.0), Budget(nbytes=15_500)])
    shown = text_of(budget_table(study, rows))
    assert "9.0 s" in shown
    assert "15.5 kB" in shown
    assert next(line.split() for line in shown.splitlines() if line.startswith("A ")) == [
        "A", "0.200", "0.300"
    ]  # fmt: skip


def test_many_targets_are_rows(study_of: Studies) -> None:
    """With more columns than fit, digits would stand one below the other."""
    values = [0.3 + 0.01 * i for i in range(20)]
    lines = sweep(study_of({"A": 0.1, "B": 0.05}, {"x": 1}), values).splitlines()
    assert next(line.split() for line in lines if line.startswith("0.3 ")) == [
        "0.3", "12.0", "s", "24.0", "s"
    ]  # fmt: skip
    assert sum(line.startswith("0.") for line in lines) == len(values)
