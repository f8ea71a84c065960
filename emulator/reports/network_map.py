"""A run with so many simulations that a table of them is no help: which method is first, and where.

One column per variant and one row per method suit a few networks. Of a thousand, this says in how
many each method is the fastest, by how much, and where no method reaches the target.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from emulator.common.text import counted
from emulator.reports.findings import statistic
from emulator.reports.run_report import Study
from emulator.reports.sweep_findings import sentences
from emulator.reports.terminal import missing, time

MOST_COLUMNS = 12  # variants of a table that is 80 characters wide
MANY_VARIANTS, MANY_SIMULATIONS = 100, 1_000  # of a page


@dataclass(frozen=True, slots=True)
class Place:
    """How a method does in all variants, by its median time over seeds and draws.

    `first` counts the variants in which it is the fastest, `reached` those in which it reaches the
    target at all. `lead` is the median of the next method's time divided by its own where it is
    first, `behind` that of its time divided by the fastest where it is not; None without any.
    """

    method: str
    first: int
    reached: int
    lead: float | None
    behind: float | None


def is_map(study: Study) -> bool:
    """Return whether a run has no page: no rows, or too many variants or simulations."""
    many = len(study.variants) > MANY_VARIANTS or len(study.outcomes) > MANY_SIMULATIONS
    return study.summaries or many


def is_long(study: Study) -> bool:
    """Return whether a table with a column per variant is too wide to print."""
    return len(study.variants) > MOST_COLUMNS


def places(study: Study) -> tuple[Place, ...]:
    """Return the place of each method, in the order of the study.

    Methods that are equally fast are all first.
    """
    times = [_times(study, variant) for variant in study.variants]
    return tuple(_place(method, times) for method in study.methods)


def _times(study: Study, variant: str) -> dict[str, float]:
    """Return the median seconds of each method under `variant`; inf for never."""
    found = {method: study.summary(method, variant) for method in study.methods}
    return {m: math.inf if (t := time(s).median) is None else t for m, s in found.items() if s}


def _place(method: str, everywhere: Sequence[dict[str, float]]) -> Place:
    lead: list[float] = []
    behind: list[float] = []
    reached = 0
    for times in everywhere:
        own = times.get(method, math.inf)
        others = [seconds for other, seconds in times.items() if other != method]
        best = min(others, default=math.inf)
        if math.isinf(own):
            continue
        reached += 1
        if own <= best:
            lead.append(_ratio(best, own))
        else:
            behind.append(_ratio(own, best))
    finite = [ratio for ratio in lead if math.isfinite(ratio)]
    return Place(method, len(lead), reached, median(finite) if finite else None, _median(behind))


def _ratio(slow: float, fast: float) -> float:
    return slow / fast if fast else math.inf if slow else 1.0


def _median(values: Sequence[float]) -> float | None:
    return median(values) if values else None


def table(study: Study) -> Group:
    """Return a row per method, and notes that say where all rows are."""
    grid = Table(title=Text(study.name), box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    grid.add_column("method", overflow="fold", min_width=14)
    whole = len(study.variants)
    reached = "reaches\nthe target in" if study.target else "simulated in"
    first = f"first in\n(of {whole:,})"
    for head in (first, "by\n(next / first)", reached, "else behind\n(own / first)"):
        grid.add_column(head, justify="right", overflow="fold")
    for place in places(study):
        grid.add_row(
            Text(place.method),
            f"{place.first:,}",
            _times_text(place.lead),
            f"{place.reached:,}",
            _times_text(place.behind),
        )
    return Group(grid, Text(), *map(Text, filter(None, notes(study))))


def notes(study: Study) -> Iterator[str]:
    """Yield what sweeps show, what the table is of, and how to see each network."""
    yield from sentences(study, tested=False)
    yield (
        f"Simulated time to {study.goal}, {statistic(study, 'median')}, in "
        f"{counted(len(study.variants), 'variant')}. Ratios are medians over variants: of the next "
        "method's time to that of the first, and of a method's time to that of the first. Not "
        "tested."
    )
    if study.target and (nowhere := _nowhere(study)):
        yield f"No method reaches the target in {counted(nowhere, 'variant')}."
    yield "Each simulation: flasc-emu report FOLDER --format csv, or results.csv in the folder."
    if study.remark:
        yield f"{study.remark}."
    yield missing(study)


def _nowhere(study: Study) -> int:
    times = (_times(study, variant).values() for variant in study.variants)
    return sum(all(map(math.isinf, each)) for each in times)


def _times_text(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}"
