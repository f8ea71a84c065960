"""Sentences on sweeps: which method has the lowest time below and above which value."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from emulator.common.text import counted
from emulator.common.units import format_rate, format_size
from emulator.reports.findings import ERROR, ONE_SEED, compared, runs_text, statistic
from emulator.reports.run_report import Study
from emulator.results.statistics import LEVEL
from emulator.results.sweep import (
    Crossing,
    Segment,
    Sweep,
    SweepMap,
    Times,
    crossings,
    maps,
    segments,
    sweeps,
    times,
)

MOST_PLACES = 6  # values that a sentence lists


def sentences(study: Study, *, tested: bool = True) -> Iterator[str]:
    """Yield the sentences on each sweep or map of a study; none without.

    With `tested`, they say what the seeds show: the verdicts of `flasc-emu compare`.
    """
    of = times(study.outcomes)
    for found in maps(study.swept, study.outcomes):
        yield from _map_sentences(study, found, of)
    for sweep in sweeps(study.swept, study.variants):
        found_at = f" ({sweep.rest})" if sweep.rest else ""
        over = statistic(study, "median")
        yield f"Lowest time to {study.goal}{found_at}, {over}: {leaders(sweep, of)}."
        if tested and len(study.methods) > 1:
            yield from _verdicts(study, sweep, of)


def leaders(sweep: Sweep, of: Times) -> str:
    """Return 'FLASC with network.clients.up below about 1 Mbps, head only above'."""
    found = segments(sweep, of)
    if len(found) == 1:
        ends = " to ".join(value_text(sweep.values[k], sweep.unit) for k in (0, -1))
        whole = f"all {len(sweep.values)} values" if len(sweep.values) > 1 else "the one value"
        return f"{_name(found[0])} at {whole} of {sweep.path}, {ends}"
    limits = [crossing_text(each, sweep.unit) for each in crossings(sweep, of)]
    first = f"{_name(found[0])} with {sweep.path} below {limits[0]}"
    inner = [
        f"{_name(each)} from there to {limit}"
        for each, limit in zip(found[1:-1], limits[1:], strict=True)
    ]
    return ", ".join([first, *inner, f"{_name(found[-1])} above"])


def _name(segment: Segment) -> str:
    return segment.leader or "no method"


def crossing_text(crossing: Crossing, unit: str) -> str:
    """Return 'about 1 Mbps', or the two values that the crossing lies between."""
    if crossing.at is not None:
        return f"about {value_text(float(f'{crossing.at:.2g}'), unit)}"
    low, high = (value_text(each, unit) for each in (crossing.low, crossing.high))
    return f"a value from {low} to {high}"


def value_text(value: float, unit: str) -> str:
    """Return a value of a sweep with its unit."""
    match unit:
        case "bit/s":
            return format_rate(value)
        case "B":
            return format_size(value)
        case "s":
            return f"{1e3 * value:.3g} ms" if value < 1 else f"{value:.3g} s"
        case "FLOP/s":
            return f"{value / 1e9:.3g} GFLOP/s"
    return f"{value:.3g}"


def _verdicts(study: Study, sweep: Sweep, of: Times) -> Iterator[str]:
    """Yield what the seeds show about the two methods of each crossing, or that it is one seed."""
    pairs = [(c.below, c.above) for c in crossings(sweep, of) if c.below and c.above]
    for below, above in dict.fromkeys(pairs):
        places = {name: k for k, name in enumerate(sweep.variants)}
        found = {
            each.variant: each
            for each in compared(study, above, by_method=True)
            if each.method == below and each.variant in places
        }
        if not any(each.tests for each in found.values()):
            yield ONE_SEED
            return
        shown: dict[str, list[float]] = {"faster": [], "slower": [], "not shown": []}
        for variant, each in found.items():
            shown.setdefault(each.verdict, []).append(sweep.values[places[variant]])
        one = next(each for each in found.values() if each.tests)
        over = runs_text((c.seeds for c in found.values()), (c.draws for c in found.values()))
        parts = [
            f"{verdict} at {_listed(shown[verdict], sweep.unit)}"
            for verdict in ("faster", "slower")
            if shown[verdict]
        ]
        text = f"Over {over}, compared with {above}, {below} is {' and '.join(parts)}"
        if not parts:
            text = f"Over {over}, no difference between {below} and {above} is shown"
        elif shown["not shown"]:
            text += f"; no difference is shown at {_listed(shown['not shown'], sweep.unit)}"
        yield f"{text} ({ERROR} for all {one.tests} tests together)."


def _listed(values: Sequence[float], unit: str) -> str:
    """Return a few values by name, or how many they are and from where to where."""
    ordered = [value_text(each, unit) for each in sorted(values)]
    if len(ordered) <= MOST_PLACES:
        return ", ".join(ordered)
    return f"{len(ordered)} values from {ordered[0]} to {ordered[-1]}"


def _map_sentences(study: Study, found: SweepMap, of: Times) -> Iterator[str]:
    place = f" ({found.rest})" if found.rest else ""
    counts = Counter(cell.method or "no method" for cell in found.cells)
    parts = [f"{method} in {count:,}" for method, count in counts.most_common()]
    yield (
        f"Lowest time to {study.goal}{place}, {statistic(study, 'median')}, in "
        f"{counted(len(found.cells), 'cell')} of {found.x.path} and {found.y.path}: "
        f"{', '.join(parts)}."
    )
    rows = [
        sweep
        for sweep in sweeps(study.swept, study.variants, found.x.path)
        if sweep.variants[0] in {cell.variant for cell in found.cells}
    ]
    rows = [rows[k] for k in (0, -1)] if len(rows) > 1 else rows
    for sweep in rows:
        yield f"With {sweep.rest}: {leaders(sweep, of)}."
    if unsure := sum(unsettled(cell.wins, cell.runs) for cell in found.cells if cell.method):
        yield (
            f"In {counted(unsure, 'cell')} the first method has the lowest time in fewer than "
            f"{LEVEL:.0%} of the runs ({_runs(study)})."
        )


def _runs(study: Study) -> str:
    seeds = {each.seed for each in study.outcomes}
    draws = {each.network_seed for each in study.outcomes} - {None}
    return runs_text([len(seeds)], [len(draws)])


def unsettled(wins: int, runs: int) -> bool:
    """Return whether the first method of a cell is first in too few of several runs."""
    return runs > 1 and wins < LEVEL * runs


def edges(values: Sequence[float], *, log: bool) -> list[float]:
    """Return the edges of cells around `values`: halfway between them, or between their logs."""
    if len(values) == 1:
        return [values[0] * 0.9, values[0] * 1.1] if values[0] else [-0.5, 0.5]
    halves = [(a * b) ** 0.5 if log else (a + b) / 2 for a, b in pairwise(values)]
    first, last = values[0], values[-1]
    if log:
        return [first**2 / halves[0], *halves, last**2 / halves[-1]]
    return [2 * first - halves[0], *halves, 2 * last - halves[-1]]
