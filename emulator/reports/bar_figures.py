"""Figures with a place per method and variant: time to the target, accuracy of the last model."""

import textwrap
from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

from emulator.reports.direct_labels import Panel, name_lines
from emulator.reports.panels import (
    SMALL_PT,
    are_wide,
    axis_label,
    evenly,
    grid,
    is_narrow,
    is_wide,
    label_axes,
    mark_chosen,
    rows_of_methods,
    set_log,
    time_unit,
)
from emulator.reports.plot_style import colour, fill, line, text_colour, unit
from emulator.reports.run_report import Study
from emulator.reports.terminal import NEVER, time
from emulator.results.metrics import Outcome, Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_ROWS = 12  # panels of `times`
LEAST_PT = 4.5  # of the text in a strip; a thinner strip has a cross

Placed = tuple[int, int, Summary]  # of a method and a variant, by their places in the study


def _summaries(study: Study, variants: Sequence[str]) -> list[Placed]:
    return [
        (i, j, summary)
        for i, method in enumerate(study.methods)
        for j, variant in enumerate(variants)
        if (summary := study.summary(method, variant))
    ]


def _never_text(summary: Summary) -> str:
    seeds = len(summary.seeds)
    return NEVER if seeds == 1 else f"{seeds - summary.reached} of {seeds} {NEVER}"


def times(width_in: float, log: bool, study: Study) -> "Figure":
    """Draw time to target, a panel per variant and a row per method: median, range over seeds.

    A row says 'never' if its median is. `log` makes the axis of time logarithmic even if the times
    are close.
    """
    variants = evenly(study.variants, MOST_ROWS)
    figure, panels = rows_of_methods(study, variants, width_in, f"Time to {study.goal}")
    summaries = _summaries(study, variants)
    by_panel: list[list[float]] = [[] for _ in variants]
    for _, j, summary in summaries:
        by_panel[j] += [s for s in time(summary) if s]
    known = [s for times in by_panel for s in times]
    wide = log or are_wide(by_panel)
    scale_s, unit_name = time_unit(known, wide)
    if wide:
        set_log(panels[0], "x", known, small=is_narrow(width_in))  # all panels share it
        ends = min(known, default=1.0) / 1.5, max(known, default=60.0) * 1.5
    else:
        ends = 0.0, max(known, default=60.0) * 1.08
    panels[0].set_xlim(ends[0] / scale_s, ends[1] / scale_s)
    for i, j, summary in summaries:
        _row(panels[j], i, study.index(study.methods[i]), summary, scale_s)
    mark_chosen(figure, study, len(variants))
    what = axis_label(f"time to {study.goal} ({unit_name})", study, "median")
    label_axes(figure, panels, what, "")
    return figure


def _row(axes: "Axes", row: int, i: int, summary: Summary, scale_s: float) -> None:
    """Draw the range and the median of the method with index `i`, or write 'never'."""
    low, median, high = time(summary)
    if median is None:
        axes.annotate(
            _never_text(summary), (0, row), xycoords=axes.get_yaxis_transform(), xytext=(3, 0),
            textcoords="offset points", va="center", color="#777777", fontsize=SMALL_PT,
            gid=f"never-{i}",
        )  # fmt: skip
        return
    end = axes.get_xlim()[1] if high is None else high / scale_s
    axes.plot(((low or 0) / scale_s, end), (row, row), color=colour(i), linewidth=1.6, alpha=0.45)
    axes.plot(median / scale_s, row, **line(i) | {"markersize": 4.5, "linestyle": "none"})


def bars(axes: "Axes", study: Study, panel_in: float) -> None:
    """Draw bars of the time to target grouped by variant; a grey strip if the median is 'never'.

    The panel is about `panel_in` wide.
    """
    summaries = _summaries(study, study.variants)
    known = [s for *_, summary in summaries for s in time(summary) if s]
    scale_s, unit_name = unit(known)
    width = min(0.84 / len(study.methods), 0.3)
    if log := is_wide(known):
        set_log(axes, "y")
    bottom, top = (
        (min(known) / 2, max(known) * 1.5) if log else (0.0, max(known, default=60.0) * 1.08)
    )
    axes.set_xlim(-0.5, len(study.variants) - 0.5)
    for i, j, summary in summaries:
        x = j + (i - (len(study.methods) - 1) / 2) * width
        low, median, high = time(summary)
        if median is None:
            _never(axes, x, width, panel_in, i, j, summary)
            continue
        axes.bar(x, median / scale_s, width * 0.92, **fill(i))
        if low != high:
            ends = ((low or 0) / scale_s, (top if high is None else high) / scale_s)
            axes.plot((x, x), ends, color="#444444", linewidth=0.8)
    axes.set_ylim(bottom / scale_s, top / scale_s)
    _name_variants(axes, study, max(6, 42 // len(study.variants)))
    axes.tick_params(axis="x", length=0)
    axes.grid(visible=False, axis="x")
    axes.set_title(f"Time to {study.goal}")
    axes.set_ylabel(axis_label(f"simulated time ({unit_name})", study, "median"))


def _never(
    axes: "Axes", x: float, width: float, panel_in: float, i: int, j: int, summary: Summary
) -> None:
    """Draw the strip of method `i` under variant `j`; it says of how many seeds it is.

    A strip that is too thin for text has a cross.
    """
    from matplotlib.patches import Rectangle

    place = axes.get_xaxis_transform()  # x in data, y in heights of the panel
    left, drawn = x - width * 0.46, width * 0.92
    strip = Rectangle((left, 0), drawn, 1, transform=place, facecolor="#f0f0f0")
    strip.set_gid(f"never-{i}-{j}")
    axes.add_patch(strip)
    first, last = axes.get_xlim()
    size = min(7.0, 0.75 * drawn / (last - first) * 72 * panel_in)
    if size < LEAST_PT:
        axes.plot(x, 0.025, "x", transform=place, color=colour(i), markersize=size)
        return
    style: Any = {"rotation": 90, "ha": "center", "va": "bottom", "fontsize": size}
    axes.text(x, 0.02, _never_text(summary), transform=place, color=text_colour(i), **style)


def finals(width_in: float, study: Study) -> "Figure":
    """Draw the last accuracy by variant: mean over seeds, line from minimum to maximum."""
    height_in = 0.62 * width_in if is_narrow(width_in) else 2.9
    figure, (axes,) = grid(study, 1, width_in, height_in, 1)
    width = 0.5 / len(study.methods)
    lines = {}
    for k, method in enumerate(study.methods):
        i = study.index(method)
        found = {
            j + (k - (len(study.methods) - 1) / 2) * width: scores
            for j, variant in enumerate(study.variants)
            if (scores := _scores(study.of(method, variant)))
        }
        means = [fmean(scores) for scores in found.values()]
        (drawn,) = axes.plot(list(found), means, **line(i) | {"linewidth": 1, "markersize": 3.5})
        if found:
            lines[method] = drawn
        axes.vlines(
            list(found), list(map(min, found.values())), list(map(max, found.values())),
            color=colour(i), linewidth=0.8,
        )  # fmt: skip
    _name_variants(axes, study, max(6, int(7.5 * width_in) // len(study.variants)))
    axes.set_xlim(-0.5, len(study.variants) - 0.5)
    axes.set_title(f"{study.metric_title} of the last model")
    axes.set_ylabel(axis_label(study.metric, study, "mean"))
    name_lines(figure, study, [Panel(axes, lines)])
    return figure


def _name_variants(axes: "Axes", study: Study, room: int) -> None:
    """Write the variants below the axis, in lines of `room` characters."""
    axes.set_xticks(range(len(study.variants)), [textwrap.fill(v, room) for v in study.variants])


def _scores(outcomes: Sequence[Outcome]) -> list[float]:
    """Return the last accuracies; a message log may have none."""
    return [o.final_accuracy for o in outcomes if o.final_accuracy is not None]
