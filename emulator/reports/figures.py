"""Figures for a paper: time to target, accuracy against cost, time by activity."""

import textwrap
from collections.abc import Callable, Sequence
from functools import partial
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

from emulator.reports import sweep_figure
from emulator.reports.findings import statistic
from emulator.reports.plot_style import (
    PHASES,
    Draw,
    colour,
    fill,
    line,
    mark_incomplete,
    panels,
    unit,
)
from emulator.reports.run_report import Study, capitalised
from emulator.reports.terminal import NEVER, time
from emulator.results.metrics import Curve, Outcome, Summary
from emulator.results.target_sweep import at, medians, steps, target_times
from emulator.results.time_spent import TimeSpent
from emulator.simulation.target import ACCURACY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_IN = 7.2
SINGLE_IN, DOUBLE_IN = 3.3, 6.9  # one column of a two-column page, and both
SEEN = 1e-3  # share of a bar; parts that are smaller in all bars are not in the legend
WIDE = 20.0  # ratio of values from which an axis is logarithmic
_HATCH = "/////"

Against = Literal["time", "bytes", "rounds"]


def figures(width_in: float, study: Study | None = None) -> dict[str, Draw]:
    """Return the functions that draw each figure, by name, `width_in` inches wide.

    With a study, its sweep or the map of its two sweeps is one of them.
    """
    return {
        **sweep_figure.figures(width_in, study),
        "time_to_target": partial(_single, _bars, width_in),
        "accuracy_over_time": partial(_single, partial(_curves, against="time"), width_in),
        "accuracy_over_bytes": partial(_single, partial(_curves, against="bytes"), width_in),
        "accuracy_over_rounds": partial(_single, partial(_curves, against="rounds"), width_in),
        "accuracy_by_variant": partial(_single, _finals, width_in),
        "time_over_target": partial(_single, _sweep, width_in),
        "where_the_time_went": partial(breakdown, width_in=width_in),
    }


def _single(
    draw: Callable[["Axes", Study, float], None], width_in: float, study: Study
) -> "Figure":
    figure, (axes,) = panels(study, 1, width_in, 0.62 * width_in if width_in < 5 else 2.9)
    draw(axes, study, 0.84 * width_in)
    return figure


def overview(study: Study) -> "Figure":
    """Draw time to target by variant, and accuracy against time under the last variant.

    Of sweeps, draw the time over the swept value, or the map of two.
    """
    if swept := sweep_figure.figures(WIDTH_IN, study):
        return next(iter(swept.values()))(study)
    figure, (left, right) = panels(study, 2, WIDTH_IN, 2.9)
    _bars(left, study, 0.42 * WIDTH_IN)
    _curves(right, study, 0.42 * WIDTH_IN, against="time")
    return figure


def _bars(axes: "Axes", study: Study, panel_in: float) -> None:
    """Draw bars grouped by variant; full height and grey if the median is 'never'.

    The panel is about `panel_in` wide.
    """
    summaries = [
        (i, j, summary)
        for i, method in enumerate(study.methods)
        for j, variant in enumerate(study.variants)
        if (summary := study.summary(method, variant))
    ]
    known = [s for *_, summary in summaries for s in time(summary) if s]
    scale_s, unit_name = unit(known)
    width = min(0.84 / len(study.methods), 0.3)
    if log := _wide(known):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("")
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
    room = max(6, 42 // len(study.variants))
    axes.set_xticks(range(len(study.variants)), [textwrap.fill(v, room) for v in study.variants])
    axes.tick_params(axis="x", length=0)
    axes.grid(visible=False, axis="x")
    axes.set_title(f"Time to {study.goal}")
    axes.set_ylabel(_label(f"simulated time ({unit_name})", study, "median"))


def _label(what: str, study: Study, name: str) -> str:
    """Return an axis label with the statistic and the number of seeds."""
    over = statistic(study, name)
    return f"{what}, {over}" if len(what + over) < 30 else f"{what},\n{over}"


def _never(
    axes: "Axes", x: float, width: float, panel_in: float, i: int, j: int, summary: Summary
) -> None:
    """Draw the strip of method `i` under variant `j`; it says of how many seeds it is."""
    from matplotlib.patches import Rectangle

    place = axes.get_xaxis_transform()  # x in data, y in heights of the panel
    left, drawn = x - width * 0.46, width * 0.92
    strip = Rectangle((left, 0), drawn, 1, transform=place, facecolor="#f0f0f0")
    strip.set_gid(f"never-{i}-{j}")
    axes.add_patch(strip)
    seeds = len(summary.seeds)
    text = NEVER if seeds == 1 else f"{seeds - summary.reached} of {seeds} {NEVER}"
    first, last = axes.get_xlim()
    size = min(7.0, 0.75 * drawn / (last - first) * 72 * panel_in)
    style: Any = {"rotation": 90, "ha": "center", "va": "bottom", "fontsize": size}
    axes.text(x, 0.02, text, transform=place, color=colour(i), **style)


def _cost(curve: Curve, against: Against) -> tuple[float, ...]:
    """Return seconds, megabytes (down and up together) or rounds of each evaluation."""
    if against == "bytes":
        both = zip(curve.bytes_down, curve.bytes_up, strict=True)
        return tuple((down + up) / 1e6 for down, up in both)
    return curve.time_s if against == "time" else curve.round


def _curves(axes: "Axes", study: Study, panel_in: float, against: Against) -> None:
    """Draw the score against its cost: mean over seeds, band from minimum to maximum."""
    import numpy as np

    variant = study.variants[-1]
    found = {
        i: [
            (_cost(curve, against), curve.of(study.curved))
            for o in study.of(method, variant)
            if (curve := study.curves[o.emulation]).round
        ]
        for i, method in enumerate(study.methods)
    }
    lasts = [costs[-1] for curves in found.values() for costs, _ in curves if costs[-1] > 0]
    scale, unit_name = unit(lasts) if against == "time" else (1.0, "MB")
    log = against != "rounds" and _wide(lasts)
    for i, curves in found.items():
        if not curves:
            continue
        end = min(costs[-1] for costs, _ in curves)
        grid = np.unique([c for costs, _ in curves for c in costs if c <= end and (c or not log)])
        scores = np.stack([np.interp(grid, costs, accuracies) for costs, accuracies in curves])
        style = line(i) | {"linewidth": 1.3, "markersize": 3, "markevery": -(-len(grid) // 12)}
        axes.plot(grid / scale, scores.mean(axis=0), **style)
        if len(curves) > 1:
            low, high = scores.min(axis=0), scores.max(axis=0)
            axes.fill_between(grid / scale, low, high, color=colour(i), alpha=0.2, linewidth=0)
    if not any(found.values()):
        axes.text(0.5, 0.5, "no scores", transform=axes.transAxes, ha="center", va="center")
    if study.target is not None:
        axes.axhline(
            study.target.value, color="#444444", linestyle="--", linewidth=0.9, gid="target"
        )
    if log:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter("")
    what = {"time": f"simulated time ({unit_name})", "bytes": "bytes down and up (MB)"}
    where = textwrap.shorten(variant, int(10 * panel_in))
    axes.set_title(f"{capitalised(study.curved_name)} over {against}, {where}")
    axes.set_xlabel(what.get(against, against))
    axes.set_ylabel(_label(study.curved_name, study, "mean"))


def _sweep(axes: "Axes", study: Study, panel_in: float) -> None:
    """Draw time against the target under the last variant: median, band over the seeds.

    A line ends where the median is 'never', a band where one of the seeds is.
    """
    variant, own = study.variants[-1], study.any_goal
    curves = {who: curve for who, curve in study.curves.items() if who.variant == variant}
    values = [v for v in steps(curves.values(), own) if study.target or v != own.value]
    found = medians(target_times(curves, at(own, values)))
    scale_s, unit_name = unit([s for spread in found.values() for s in spread if s])
    for i, method in enumerate(study.methods):
        known = [(v, found[key]) for v in values if (key := (method, variant, v)) in found]
        middle = [(v, times.median / scale_s) for v, times in known if times.median is not None]
        if middle:
            style = line(i) | {"linewidth": 1.3, "markersize": 3, "markevery": 0.1}
            axes.plot(*zip(*middle, strict=True), **style)
        band = [
            (v, times.low / scale_s, times.high / scale_s)
            for v, times in known
            if times.low is not None and times.high is not None
        ]
        if any(low != high for _, low, high in band):
            at_values, low, high = zip(*band, strict=True)
            axes.fill_between(at_values, low, high, color=colour(i), alpha=0.2, linewidth=0)
    if _wide([times.median for times in found.values() if times.median]):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("")
    if own.measure != ACCURACY:
        axes.invert_xaxis()
    axes.set_title(f"Time to each target, {textwrap.shorten(variant, int(10 * panel_in))}")
    axes.set_xlabel(f"target {study.curved_name}")
    axes.set_ylabel(_label(f"simulated time ({unit_name})", study, "median"))


def _finals(axes: "Axes", study: Study, panel_in: float) -> None:
    """Draw the last accuracy by variant: mean over seeds, line from minimum to maximum."""
    width = 0.5 / len(study.methods)
    for i, method in enumerate(study.methods):
        found = {
            j + (i - (len(study.methods) - 1) / 2) * width: scores
            for j, variant in enumerate(study.variants)
            if (scores := _scores(study.of(method, variant)))
        }
        means = [fmean(scores) for scores in found.values()]
        axes.plot(list(found), means, **line(i) | {"linewidth": 1, "markersize": 3.5})
        axes.vlines(
            list(found), list(map(min, found.values())), list(map(max, found.values())),
            color=colour(i), linewidth=0.8,
        )  # fmt: skip
    room = max(6, int(9 * panel_in) // len(study.variants))
    axes.set_xticks(range(len(study.variants)), [textwrap.fill(v, room) for v in study.variants])
    axes.set_xlim(-0.5, len(study.variants) - 0.5)
    axes.set_title(f"{study.metric_title} of the last model")
    axes.set_ylabel(_label(study.metric, study, "mean"))


def _scores(outcomes: Sequence[Outcome]) -> list[float]:
    """Return the last accuracies; a message log may have none."""
    return [o.final_accuracy for o in outcomes if o.final_accuracy is not None]


def breakdown(study: Study, width_in: float = WIDTH_IN) -> "Figure":
    """Draw stacked bars of the time by activity, a panel per variant; hatched: never reached."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    columns = min(3 if width_in > 5 else 1, len(study.variants))
    rows = -(-len(study.variants) // columns)
    labels = [textwrap.fill(method, 24) for method in study.methods]
    deepest = max(label.count("\n") + 1 for label in labels)
    height_in = 0.8 + rows * (0.5 + max(0.26, 0.14 * deepest) * len(labels))
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    mark_incomplete(figure, study)
    grid = list(figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat)
    spent = {v: _means(study, v) for v in study.variants}
    everything = [parts for means in spent.values() for parts in means.values()]
    scale_s, unit_name = unit([sum(parts) for parts in everything])  # one for all panels
    for axes, variant in zip(grid, study.variants, strict=False):
        _stacks(axes, study, variant, spent[variant], scale_s)
    for axes in grid[len(study.variants) :]:
        axes.set_visible(False)
    for axes in grid[max(0, len(study.variants) - columns) : len(study.variants)]:
        label = _label(f"simulated time ({unit_name})", study, "mean")
        axes.set_xlabel(label)  # the lowest of each column
    grid[0].set_yticks(range(len(labels)), labels)
    grid[0].set_ylim(len(labels) - 0.4, -0.6)
    grid[0].set_xlim(0, 1.05 * max(map(sum, everything)) / scale_s or 1)
    shown = [
        part
        for k, part in enumerate(PHASES)
        if any(parts[k] > SEEN * sum(parts) for parts in everything)
    ]
    handles = [Patch(color=PHASES[part]) for part in shown]
    if any(map(_not_reached, study.outcomes)):
        handles.append(Patch(facecolor="#999999", edgecolor="white", hatch=_HATCH))
        several = any(len(study.of(o.method, o.variant)) > 1 for o in study.outcomes)
        shown.append("target not reached" + " by all seeds" * several)
    columns = len(shown) if width_in > 5 else 2
    figure.legend(handles, shown, loc="outside lower center", ncols=columns or 1)
    return figure


def _means(study: Study, variant: str) -> dict[int, list[float]]:
    """Return the seconds of TimeSpent by the method's index, means over seeds."""
    found = {i: study.of(method, variant) for i, method in enumerate(study.methods)}
    return {
        i: [fmean(getattr(o, part) for o in outcomes) for part in TimeSpent._fields]
        for i, outcomes in found.items()
        if outcomes
    }


def _stacks(
    axes: "Axes", study: Study, variant: str, means: dict[int, list[float]], scale_s: float
) -> None:
    for i, parts in means.items():
        outcomes = study.of(study.methods[i], variant)
        never = any(map(_not_reached, outcomes))
        left = 0.0
        for seconds, shade in zip(parts, PHASES.values(), strict=True):
            bar = axes.barh(i, seconds / scale_s, 0.7, left / scale_s, color=shade)
            if never:
                bar[0].set(hatch=_HATCH, edgecolor="white", linewidth=0)
            left += seconds
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelbottom=True)
    axes.grid(visible=False, axis="y")
    axes.set_title(textwrap.fill(variant, 30))


def _not_reached(outcome: Outcome) -> bool:
    return outcome.target is not None and outcome.time_to_target_s is None


def _wide(values: Sequence[float]) -> bool:
    return bool(values) and max(values) > WIDE * min(values)
