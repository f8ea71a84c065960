"""A comparison as table, JSON and CSV."""

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, fields

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from emulator.common.units import format_duration, format_score, format_size
from emulator.reports import run_report
from emulator.reports.export.json_csv import csv_text
from emulator.reports.findings import ERROR, ONE_SEED, over_runs
from emulator.reports.network_map import MANY_VARIANTS
from emulator.reports.run_report import printable
from emulator.reports.terminal import NOT_SCORED, or_never
from emulator.results.comparison import Comparison, Contrast
from emulator.results.dataframe import flat
from emulator.results.metrics import Spread
from emulator.simulation.target import FIRST, MEANING, Goal, value_text

_SPREADS = [f.name for f in fields(Contrast) if f.type is Spread]


def table(found: Comparison) -> Group:
    """Return a table per variant, then the Pareto fronts, then the caption.

    Of many variants, it returns one table that counts the verdicts.
    """
    variants = dict.fromkeys(contrast.variant for contrast in found.contrasts)
    if len(variants) > MANY_VARIANTS:
        lines = (_caption(found), *map(printable, found.incomplete), _ALL)
        return Group(_counts(found, len(variants)), Text(), *map(Text, lines))
    parts = [
        _block([c for c in found.contrasts if c.variant == v], v, found.metric) for v in variants
    ]
    fronts = [Text(line) for line in _fronts(found)]
    notes = [Text(printable(line)) for line in found.incomplete]
    return Group(*parts, *fronts, Text(), Text(_caption(found)), *notes)


_ALL = "Each variant: flasc-emu compare RUNS --format csv, or json, which has the fronts as well."


def _counts(found: Comparison, variants: int) -> Table:
    """Return the number of variants with each verdict, per method."""
    verdicts = dict.fromkeys(each.verdict for each in found.contrasts)
    title = f"number of variants (of {variants:,}) by verdict"
    grid = Table(title=Text(title), box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    grid.add_column("method", overflow="fold", min_width=14)
    for head in (*verdicts, "faster in\nthe median"):
        grid.add_column(head, justify="right")
    for method in dict.fromkeys(each.method for each in found.contrasts):
        own = [each for each in found.contrasts if each.method == method]
        counts = Counter(each.verdict for each in own)
        faster = sum((each.speedup or 0.0) > 1 for each in own)
        cells = (f"{number:,}" for number in (*(counts[v] for v in verdicts), faster))
        grid.add_row(Text(printable(method)), *cells)
    return grid


def _block(contrasts: Sequence[Contrast], variant: str, metric: str) -> Table:
    grid = Table(
        title=Text(printable(variant)), box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0)
    )
    grid.add_column("method", overflow="fold", min_width=14)
    band = f"{100 * contrasts[0].level:g} % band,\nrow alone"
    for header in ("time", "bytes", "times\nas fast", band, "verdict,\nall rows", metric):
        grid.add_column(header, justify="right", overflow="fold")
    for contrast in contrasts:
        gain = (contrast.accuracy_gain, contrast.accuracy_gain_low, contrast.accuracy_gain_high)
        grid.add_row(
            Text(printable(contrast.method)),
            or_never(contrast.time_s.median, format_duration) + _reached(contrast),
            or_never(contrast.nbytes.median, format_size),
            "" if contrast.speedup is None else f"{contrast.speedup:.2f}",
            _band(contrast.speedup_low, contrast.speedup_high, "{:.2f}".format),
            contrast.verdict + _wins(contrast),
            _final(contrast) + f"\n{_banded(gain)}".rstrip("\n"),
        )
    return grid


def _final(contrast: Contrast) -> str:
    median = contrast.final_accuracy.median
    return NOT_SCORED if median is None else format_score(median)


def _reached(contrast: Contrast) -> str:
    all_or_none = contrast.reached in (0, contrast.simulations)
    return "" if all_or_none else f"\n({contrast.reached} of {contrast.simulations})"


def _wins(contrast: Contrast) -> str:
    """Return in how many draws of the fleet the row is faster; '' without draws."""
    if contrast.draws < 2 or not contrast.shared:
        return ""
    return f"\nfaster in\n{contrast.wins} of {contrast.shared}"


def _over(name: str, found: Sequence[Contrast]) -> str:
    return over_runs(name, (each.seeds for each in found), (each.draws for each in found))


def _banded(values: Sequence[float | None]) -> str:
    """Return '+0.100', and '+0.050 –' and '+0.150' in further lines if there is a band."""
    mean, low, high = values
    if mean is None:
        return ""
    text = f"{_signed(mean)}\n{_band(low, high, _signed)}"
    return text.rstrip("\n").replace("– ", "–\n")


def _signed(value: float) -> str:
    return format_score(value, "+")


def _band(low: float | None, high: float | None, form: Callable[[float], str]) -> str:
    return "" if low is None or high is None else f"{form(low)} – {form(high)}"


def _fronts(found: Comparison) -> Iterator[str]:
    """Yield, by variant and cost, the range of accuracies in which each method is best."""
    for (variant, cost), front in itertools.groupby(found.fronts, lambda p: (p.variant, p.cost)):
        by = "time" if cost == "time_s" else "bytes"
        whose = _over("median", [c for c in found.contrasts if c.variant == variant])
        yield f"\nBest under {printable(variant)}, by {by} ({whose}; not tested):"
        form = format_duration if cost == "time_s" else format_size
        lines = []
        for method, run in itertools.groupby(front, lambda p: p.method):
            first, *rest = run
            last = rest[-1] if rest else first
            scores = _from_to(format_score(first.accuracy), format_score(last.accuracy))
            values = _from_to(form(first.value), form(last.value))
            lines.append((scores, f"{printable(method)}, {values}"))
        width = max(14, *(len(scores) for scores, _ in lines))
        yield from (f"  {scores:<{width}}  {text}" for scores, text in lines)


def _from_to(first: str, last: str) -> str:
    return first if first == last else f"{first} to {last}"


def _caption(found: Comparison) -> str:
    target = None if found.target is None else Goal(found.target, found.rule, found.measure)
    goal = run_report.goal(target, found.metric)
    metric = run_report.told(found.metric, found.metric_measure)
    whose = _over("median", found.contrasts)
    tests = max(contrast.tests for contrast in found.contrasts)
    note = (
        f"A band is a confidence interval of its row alone. A verdict holds at {ERROR} for all "
        f"rows tested together ({tests}, by Holm), which is stricter: a row can have a band "
        "above 1 and be 'not shown', which means that these seeds cannot tell."
        if tests
        else ONE_SEED
    )
    if max(contrast.draws for contrast in found.contrasts) > 1:
        note += (
            " Draws of the fleet are not independent runs: bands and verdicts are over seeds, of "
            "the mean over the draws of each."
        )
    if found.target is not None and found.rule != FIRST:
        note += f" The target is measured {MEANING[found.rule]}."
    if found.ended_at is not None:
        note += (
            f" Runs ended soon after {value_text(found.ended_at)}: 'never' means not before that."
        )
    return (
        f"Time and bytes to {goal}, {whose}; times as fast as {printable(found.baseline)}; "
        f"{metric} of the last model, and its difference to the baseline's. {note}"
    )


def to_json(found: Comparison) -> str:
    """Return the fields of `Comparison` except the metric and `rule`; null for 'never'."""
    whole = asdict(found) | {"contrasts": [_with_spreads(each) for each in found.contrasts]}
    del whole["metric"], whole["metric_measure"], whole["rule"]
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def to_csv(found: Comparison) -> str:
    """Return a row per contrast; a spread has three columns, a missing number an empty cell."""
    rows = [flat(contrast) for contrast in found.contrasts]
    return csv_text(rows[0], (row.values() for row in rows))


def _with_spreads(contrast: Contrast) -> dict[str, object]:
    return asdict(contrast) | {name: getattr(contrast, name)._asdict() for name in _SPREADS}
