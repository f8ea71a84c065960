"""Time to many targets, and accuracy within budgets, as tables and sentences."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from emulator.common.units import format_duration, format_score, format_size
from emulator.reports.findings import statistic
from emulator.reports.run_report import Study
from emulator.reports.terminal import NEVER, Fitting, or_never
from emulator.results.metrics import spread
from emulator.results.target_sweep import (
    Budget,
    BudgetScore,
    First,
    TargetTime,
    firsts,
    medians,
    runs_of,
)

TOO_EARLY = "too early"  # no evaluation within the budget


def table(study: Study, rows: Sequence[TargetTime]) -> Group:
    """Return a table per variant, with a row per method and a column per target, or turned.

    The first method is bold.
    """
    times, found = medians(rows), firsts(rows)
    bold = {(each.variant, each.target, each.method) for each in found}
    values = list(dict.fromkeys(row.target for row in rows))
    parts: list[Fitting | Text] = []
    for variant in study.variants:
        cells = {
            method: [
                Text(
                    or_never(known.median, format_duration),
                    "bold" if (variant, value, method) in bold else "",
                )
                for value in values
                if (known := times.get((method, variant, value)))
            ]
            for method in study.methods
        }
        parts += [_grid(variant, study.curved_name, [f"{v:g}" for v in values], cells), Text()]
    note = (
        f"Simulated time to each {study.curved_name} on {study.measured}, "
        f"{statistic(study, 'median')}. Bold: the lowest. Not tested."
    )
    lines = [Text(line) for line in (*sentences(study, rows), early_ends(study, rows)) if line]
    return Group(*parts, Text(note), *lines)


def _grid(
    variant: str, corner: str, heads: Sequence[str], cells: Mapping[str, Sequence[Text]]
) -> Fitting:
    """A row per method and a column per head; turned if it does not fit the screen."""
    wide, turned = (
        Table(title=Text(variant), box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
        for _ in range(2)
    )
    full = {method: row for method, row in cells.items() if row}
    for table, columns in ((wide, heads), (turned, full)):
        table.add_column(corner, overflow="fold", min_width=14)
        for head in columns:
            table.add_column(Text(head), justify="right", overflow="fold")
    for method, row in cells.items():
        wide.add_row(Text(method), *row)
    for head, of_methods in zip(heads, zip(*full.values(), strict=True), strict=bool(full)):
        turned.add_row(Text(head), *of_methods)
    return Fitting(wide, turned)


def sentences(study: Study, rows: Sequence[TargetTime]) -> list[str]:
    """Return a sentence per variant: who has the lowest time to which targets.

    It says in how many seeds this method is the first one as well.
    """
    found = firsts(rows)
    drawn = any(row.network_seed is not None for row in rows)
    runs = "pairs of a seed and a draw of the fleet" if drawn else "seeds"
    highest = {row.variant: row.target for row in rows}  # the hardest one asked for
    lines = []
    for variant in study.variants:
        own = [each for each in found if each.variant == variant]
        parts = [_led(run, runs) for run in runs_of(own)]
        if own and own[-1].target != highest[variant]:
            parts.append(f"none beyond {own[-1].target:g} in the median")
        told = "; ".join(parts) if parts else "none of these targets is reached in the median"
        lines.append(f"{variant}, lowest time by {study.curved_name}: {told}.")
    return lines


def early_ends(study: Study, rows: Iterable[TargetTime]) -> str:
    """Return a note if a target is harder than the run's own; trainings may have ended soon after.

    The metadata of a run does not say when its trainings end.
    """
    own = study.target
    if own is None or not any(replace(own, value=r.target).demand > own.demand for r in rows):
        return ""
    return (
        f"The run's own target is {own}: trainings may have ended soon after it, and 'never' for a "
        "harder one means not within the training."
    )


def _led(run: Sequence[First], runs: str) -> str:
    """Return 'LoRA from 0.5 to 0.7 (first with 2 to 3 of 3 seeds)'."""
    first, last = (f"{each.target:g}" for each in (run[0], run[-1]))
    text = f"{run[0].method} " + (f"at {first}" if first == last else f"from {first} to {last}")
    most = max(each.seeds for each in run)
    if most == 1:
        return f"{text} (one seed)"
    wins = sorted({each.wins for each in run})
    counts = " to ".join(str(count) for count in dict.fromkeys((wins[0], wins[-1])))
    return f"{text} (first with {counts} of {most} {runs})"


def budget_table(study: Study, rows: Sequence[BudgetScore]) -> Group:
    """Return a table per variant: a row per method, a column per budget."""
    budgets = list(dict.fromkeys(Budget(row.budget_s, row.budget_bytes) for row in rows))
    scores: dict[tuple[str, str, Budget], list[float | None]] = {}
    for row in rows:
        key = row.method, row.variant, Budget(row.budget_s, row.budget_bytes)
        scores.setdefault(key, []).append(row.accuracy)
    parts: list[Fitting | Text] = []
    for variant in study.variants:
        cells = {
            method: [_median(of) for b in budgets if (of := scores.get((method, variant, b)))]
            for method in study.methods
        }
        parts += [_grid(variant, "budget", [*map(_budget, budgets)], cells), Text()]
    note = (
        f"{study.metric_title} at the last evaluation within each budget, on {study.split}, "
        f"{statistic(study, 'median')}. Bytes are down and up together."
    )
    return Group(*parts, Text(note))


def _budget(budget: Budget) -> str:
    if budget.seconds is not None:
        return format_duration(budget.seconds)
    return format_size(budget.nbytes or 0)


def _median(scores: Sequence[float | None]) -> Text:
    if None in scores:
        return Text(TOO_EARLY)
    middle = spread(scores).median
    return Text(NEVER if middle is None else format_score(middle))
