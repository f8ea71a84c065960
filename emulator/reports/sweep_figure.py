"""Figures of sweeps: time to target over one swept value, and a map of two."""

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal, NamedTuple

from emulator.reports.findings import statistic
from emulator.reports.plot_style import COLOURS, Draw, colour, line, mark_incomplete, panels, unit
from emulator.reports.run_report import Study
from emulator.reports.sweep_findings import crossing_text, edges, unsettled
from emulator.reports.terminal import NEVER, time
from emulator.results.metadata import Setting
from emulator.results.sweep import Cell, Sweep, SweepMap, crossings, maps, sweeps, times

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FULL = 2.0  # lead from which the colour of a cell is full
PALEST = 0.25
MOST_TOLD = 60  # cells with their lead as text
STEPS = (1, 2, 5)  # of the labels of an axis, times a power of ten

_SCALES = {"bit/s": ((1e9, "Gbps"), (1e6, "Mbps"), (1e3, "kbps")), "B": ((1e6, "MB"), (1e3, "kB"))}


class Scale(NamedTuple):
    """How an axis shows a swept setting: divided by `by`, with the label `title`."""

    by: float
    title: str
    log: bool


def figures(width_in: float, study: Study | None) -> dict[str, Draw]:
    """Return the figure of the sweeps of a study by name; none without."""
    if study is None:
        return {}
    if maps(study.swept, study.outcomes):
        return {"sweep_map": partial(sweep_map, width_in)}
    swept = sweeps(study.swept, study.variants)
    found = any(len(each.values) > 1 for each in swept)
    return {"time_over_sweep": partial(time_over_sweep, width_in)} if found else {}


def scale(path: str, unit_name: str, values: Sequence[float]) -> Scale:
    """Return the scale of an axis: logarithmic unless a value is 0 or all are close."""
    low, high = min(values), max(values)
    log = low > 0 and high > 4 * low
    if unit_name == "1":
        return Scale(1.0, path, log)
    if unit_name == "s":
        by, name = (1.0, "s") if high >= 2 else (1e-3, "ms")
    else:
        steps = _SCALES.get(unit_name, ((1e9, "GFLOP/s"),))
        by, name = next((step for step in steps if step[0] <= high), steps[-1])
    return Scale(by, f"{path} ({name})", log)


def time_over_sweep(width_in: float, study: Study) -> "Figure":
    """Draw time to target over the swept value: a line per method, a band over seeds.

    A line ends where the median is 'never'; open marks above the panel say so. A dotted line marks
    where another method takes the lead.
    """
    found = sweeps(study.swept, study.variants)
    columns = min(len(found), 3 if width_in > 5 else 1)
    height_in = 0.75 * width_in / columns if width_in / columns < 5 else 3.4
    figure, grid = panels(study, len(found), width_in, height_in, columns)
    of = times(study.outcomes)
    known = [s for by in of.values() for runs in by.values() for s in runs if 0 < s < math.inf]
    scale_s, unit_name = unit([math.sqrt(min(known) * max(known))] if known else [])
    for axes, sweep in zip(grid, found, strict=True):
        shown = scale(sweep.path, sweep.unit, sweep.values)
        for i, method in enumerate(study.methods):
            _line(axes, study, sweep, i, method, shown.by, scale_s)
        _never(axes, study, sweep, shown.by)
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("")
        if shown.log:
            axes.set_xscale("log")
            low, high = (sweep.values[k] / shown.by for k in (0, -1))
            ticks = round_values(low, high)
            axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
            axes.xaxis.set_minor_formatter("")
        for crossing in crossings(sweep, of):
            if crossing.at is not None:
                text = crossing_text(crossing, sweep.unit).removeprefix("about ")
                at = crossing.at / shown.by
                axes.axvline(at, color="#444444", linestyle=":", linewidth=0.9, gid="crossing")
                axes.annotate(
                    text, (at, 0), xytext=(2, 2), xycoords=("data", "axes fraction"),
                    textcoords="offset points", fontsize=7, color="#444444",
                )  # fmt: skip
        axes.set_xlabel(shown.title)
        axes.set_title(f"Time to {study.goal}" if not sweep.rest else sweep.rest)
    label = f"simulated time ({unit_name}),\n{statistic(study, 'median')}"
    for axes in grid[::columns]:
        axes.set_ylabel(label)
    return figure


def round_values(low: float, high: float) -> list[float]:
    """Return 1, 2 and 5 times powers of ten from `low` to `high`, or their ends without any."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    values = [k * 10.0**power for power in range(first, last + 1) for k in STEPS]
    inside = [value for value in values if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]
    return inside if len(inside) > 1 else [low, high]


def _line(
    axes: "Axes", study: Study, sweep: Sweep, i: int, method: str, by: float, scale_s: float
) -> None:
    found = [
        (value / by, time(summary))
        for value, variant in zip(sweep.values, sweep.variants, strict=True)
        if (summary := study.summary(method, variant))
    ]
    middle = [(x, s.median / scale_s) for x, s in found if s.median]
    if middle:
        axes.plot(*zip(*middle, strict=True), **line(i) | {"linewidth": 1.3, "markersize": 3})
    band = [(x, s.low / scale_s, s.high / scale_s) for x, s in found if s.low and s.high]
    if any(low != high for _, low, high in band):
        xs, low, high = zip(*band, strict=True)
        axes.fill_between(xs, low, high, color=colour(i), alpha=0.15, linewidth=0)


def _never(axes: "Axes", study: Study, sweep: Sweep, by: float) -> None:
    """Mark above the lines where the median of a method is 'never', one row per method."""
    height = 1.03
    for i, method in enumerate(study.methods):
        found = [
            value / by
            for value, variant in zip(sweep.values, sweep.variants, strict=True)
            if (summary := study.summary(method, variant)) and time(summary).median is None
        ]
        if not found:
            continue
        place = axes.get_xaxis_transform()  # x in data, y in heights of the panel
        style = line(i) | {"linestyle": "none", "markersize": 3, "markerfacecolor": "white"}
        axes.plot(
            found, [height] * len(found), transform=place, clip_on=False, gid=f"never-{i}", **style
        )
        axes.annotate(
            NEVER, (found[-1], height), xytext=(5, 0), xycoords=place, textcoords="offset points",
            va="center", fontsize=6, color=colour(i), annotation_clip=False,
        )  # fmt: skip
        height += 0.05


def sweep_map(width_in: float, study: Study) -> "Figure":
    """Draw which method is first over two swept values; a full colour is a lead of `FULL`.

    A dot marks a cell whose method is first in too few of the runs. White: no method reaches the
    target.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    found = maps(study.swept, study.outcomes)
    columns = min(len(found), 2 if width_in > 5 else 1)
    rows = -(-len(found) // columns)
    size = (width_in, rows * min(4.2, 0.8 * width_in / columns) + 0.5)
    figure = Figure(figsize=size, layout="constrained")
    mark_incomplete(figure, study)
    grid = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in grid[len(found) :]:
        axes.set_visible(False)
    for axes, each in zip(grid, found, strict=False):
        _cells(axes, study, each)
        axes.set_title(each.rest or f"Lowest time to {study.goal}, {statistic(study, 'median')}")
    first = {cell.method for each in found for cell in each.cells}
    named = [(i, method) for i, method in enumerate(study.methods) if method in first]
    handles = [Patch(color=colour(i)) for i, _ in named]
    figure.legend(
        handles, [method for _, method in named], loc="outside lower center",
        ncols=2 if width_in > 5 else 1, title=_legend_title(found),
    )  # fmt: skip
    return figure


def _legend_title(found: Sequence[SweepMap]) -> str:
    unsure = any(unsettled(c.wins, c.runs) for each in found for c in each.cells if c.method)
    note = f"first method; full colour: the next takes {FULL:g} times as long, or more"
    return note + "\ndot: not first in 95 % of the seeds and draws" * unsure


def _cells(axes: "Axes", study: Study, found: SweepMap) -> None:
    import numpy as np
    from matplotlib.colors import to_rgb

    x, y = _axis(found.x, found.columns), _axis(found.y, found.rows)
    shades = np.ones((len(found.rows), len(found.columns), 3))
    for cell in found.cells:
        place = found.rows.index(cell.y), found.columns.index(cell.x)
        if cell.method is not None:
            full = np.array(to_rgb(colour(study.methods.index(cell.method))))
            shades[place] = 1 - strength(cell) * (1 - full)
        told = cell.method and cell.lead and len(found.cells) <= MOST_TOLD
        at = (cell.x / x.by, cell.y / y.by)
        unsure = cell.method is not None and unsettled(cell.wins, cell.runs)
        if told:
            va: Literal["bottom", "center"] = "bottom" if unsure else "center"
            axes.text(*at, f"{cell.lead:.2f}", ha="center", va=va, fontsize=6)
        if unsure:
            axes.plot(*at, ".", color=COLOURS[-1], markersize=2, gid="unsettled")
    corners = [
        [edge / shown.by for edge in edges(values, log=shown.log)]
        for shown, values in ((x, found.columns), (y, found.rows))
    ]
    axes.pcolormesh(*corners, shades, rasterized=len(found.cells) > 2_000)
    axes.grid(visible=False)
    for shown, axis, values, scaled in (
        (x, axes.xaxis, found.columns, axes.set_xscale),
        (y, axes.yaxis, found.rows, axes.set_yscale),
    ):
        if shown.log:
            scaled("log")
            ticks = round_values(values[0] / shown.by, values[-1] / shown.by)
            axis.set_ticks(ticks, [f"{tick:g}" for tick in ticks])
            axis.set_minor_formatter("")
    axes.set_xlabel(x.title)
    axes.set_ylabel(y.title)


def _axis(setting: Setting, values: Sequence[float]) -> Scale:
    return scale(setting.path, setting.unit, values)


def strength(cell: Cell) -> float:
    """Return how full the colour of a cell is: 1 for a lead of `FULL`, or without a next method."""
    if cell.lead is None:
        return 1.0
    return min(1.0, PALEST + (1 - PALEST) * math.log(cell.lead) / math.log(FULL))
