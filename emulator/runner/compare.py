"""Reads runs, checks that they can be compared, and compares them."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from emulator.common.errors import LedgerError
from emulator.reports import run_report
from emulator.results import summary_file, target_sweep
from emulator.results.comparison import Cells, Comparison, Measured, contrasted
from emulator.results.metrics import curve_points, outcome, points
from emulator.results.resolution import Run
from emulator.results.stored import Stored, open_run
from emulator.results.summary_file import SummaryFile
from emulator.runner import inputs
from emulator.scenario import study
from emulator.scenario.scenario import Scenario
from emulator.simulation.records import Emulation, Row
from emulator.simulation.target import ACCURACY, Goal, Measure
from flasc.training.settings import TrainingSettings


def compare(
    folders: Sequence[Path],
    baseline: str | None = None,
    target: float | None = None,
    force: bool = False,
) -> Comparison:
    """The comparison of the runs in `folders`; `baseline` None is the first method.

    `target` replaces the value of the target, which is of the metric unless that of the runs is a
    loss. Runs of different tasks or targets are an error, except with `force`. Raises LedgerError
    and ScenarioError.
    """
    for folder in folders:
        if folder.is_file():
            raise LedgerError(
                f"{folder}: found a file; allowed: the folder of a run, in runs/",
                "run the scenario or packed recording first: flasc-emu run FILE",
            )
        if not folder.is_dir():
            raise LedgerError(f"{folder}: no such folder", "give the folder of a run, in runs/")
    runs = {folder: inputs.read(folder) for folder in folders}
    scenarios = {folder: run.scenario for folder, run in runs.items()}
    if not force:
        _expect_alike("task", {f: _task(s) for f, s in scenarios.items()})
    goals = {folder: s.training.goal for folder, s in scenarios.items()}
    if not force:
        named = {f: goal for f, goal in goals.items() if goal}
        _expect_alike("target measure", {f: goal.measure for f, goal in named.items()})
        _expect_alike("target rule", {f: goal.rule for f, goal in named.items()})
        if target is None:
            _expect_alike("target", {f: goal and goal.value for f, goal in goals.items()})
    goal = next(iter(goals.values()))
    metric = next(iter(scenarios.values())).metric_measure
    if target is not None:
        known = next(filter(None, goals.values()), Goal(target, measure=metric))
        goal = replace(known, value=target)
        if goal.measure == ACCURACY and target > 1:
            raise LedgerError(f"--target {target:g}: found an accuracy above 1; allowed: like 50%")
    cells = _cells(runs, goal)
    lacking = tuple(filter(None, map(_incomplete, folders)))
    if not cells:
        raise LedgerError(
            f"{folders[0]}: found no simulation in it",
            next(iter(lacking), "run the scenario again"),
        )
    found = contrasted(cells, baseline, goal, _ended_at(scenarios.values(), goal), metric)
    name = " or ".join({s.task.metric: "" for s in scenarios.values()})
    return replace(found, metric=name, metric_measure=metric, incomplete=lacking)


def _incomplete(folder: Path) -> str:
    """A sentence on simulations that the run in `folder` lacks or ended early; '' without any."""
    with open_run(folder) as stored:
        lacking = run_report.unfinished(stored)
    return lacking and f"{folder}: {lacking}"


def _cells(runs: Mapping[Path, study.Study], goal: Goal | None) -> Cells:
    """Every simulation, measured; an ambiguous name gets the folder of its run."""
    cells: Cells = {}
    variant_name, method_name = _Names(), _Names()
    for folder, run in runs.items():
        with open_run(folder) as stored:
            for filed, measure in _measures(stored):
                scenario = run.variants[filed.variant]
                variant = variant_name(filed.variant, _conditions(scenario), folder)
                trained = run.scenario.training_settings(filed.method, 0)
                means = trained.model_dump_json(exclude={"task"})
                method = method_name(filed.method, means, folder)
                shown = filed._replace(method=method, variant=variant)
                measured = measure(shown, goal, scenario.metric_measure)
                key = Run(filed.seed, filed.network_seed)
                cells.setdefault((method, variant), {}).setdefault(key, measured)
    return cells


Measuring = Callable[[Emulation, Goal | None, Measure], Measured]


def _measures(stored: Stored) -> Iterator[tuple[Emulation, Measuring]]:
    """Each simulation of a run, with a function that measures it under a name against a goal."""
    if isinstance(stored, SummaryFile):
        for filed, found in stored.measured():
            yield filed, partial(_of_summary, found)
        return
    for filed in stored.emulations():
        yield filed, partial(_of_rows, stored.rows(filed))


def _of_rows(rows: Sequence[Row], shown: Emulation, goal: Goal | None, metric: Measure) -> Measured:
    found = outcome(shown, rows, goal, metric=metric)
    return Measured(found, tuple(points(rows)))


def _of_summary(
    found: summary_file.Measured, shown: Emulation, goal: Goal | None, _: Measure
) -> Measured:
    """The outcome against another goal by the curve; the rest of an outcome does not change.

    What is split by activity (`download_s` and so on) is of the goal of the run: comparisons do not
    use it.
    """
    hit = None if goal is None else target_sweep.hits(found.curve, [goal])[0]
    known = found.curve
    own = replace(
        found.outcome,
        method=shown.method,
        variant=shown.variant,
        target=goal.value if goal else None,
        target_measure=goal.measure if goal else ACCURACY,
        time_to_target_s=None if hit is None else known.time_s[hit],
        rounds_to_target=None if hit is None else known.round[hit],
        bytes_down_to_target=None if hit is None else known.bytes_down[hit],
        bytes_up_to_target=None if hit is None else known.bytes_up[hit],
    )
    return Measured(own, tuple(curve_points(known)))


class _Names:
    """Unique names: the second meaning of a name gets the folder of its run."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], str] = {}

    def __call__(self, name: str, meaning: str, folder: Path) -> str:
        taken = name in self._names.values()
        own = f"{name} ({folder})" if taken else name
        return self._names.setdefault((name, meaning), own)


def _conditions(scenario: Scenario) -> str:
    """All settings of a variant but those of training and its length, as JSON."""
    own = {*TrainingSettings.model_fields, "seeds", "rounds", "target"}
    fields = own & type(scenario.training).model_fields.keys()
    training = scenario.training.model_copy(update=dict.fromkeys(fields))
    return scenario.model_copy(update={"training": training}).model_dump_json(
        exclude={"name", "methods", "network_seeds", "vary", "note"}, warnings=False
    )


def _task(scenario: Scenario) -> dict[str, object]:
    found: dict[str, object] = scenario.task.model_dump()
    return found | {"evaluation.examples": scenario.training.evaluation.examples}


def _ended_at(scenarios: Iterable[Scenario], goal: Goal | None) -> float | None:
    """The easiest target that ended a run and is easier than `goal`."""
    targets = [s.training.target for s in scenarios if s.training.target]
    ended = [t.goal for t in targets if t.stop_after != "never"]
    easier = [each for each in ended if goal and each.demand < goal.demand]
    return min(easier, key=lambda each: each.demand).value if easier else None


def _expect_alike(what: str, found: Mapping[Path, object]) -> None:
    for (one, ours), (other, theirs) in itertools.combinations(found.items(), 2):
        if ours != theirs:
            raise LedgerError(
                f"{one} and {other}: found different {what}s: {_difference(ours, theirs)}",
                "--force compares them anyway"
                + ("; --target 50% sets one for all" if what == "target" else ""),
            )


def _difference(ours: object, theirs: object) -> str:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ", ".join(
            f"{key} {ours[key]!r} and {theirs.get(key)!r}"
            for key in ours
            if ours[key] != theirs.get(key)
        )
    return f"{ours} and {theirs}"
