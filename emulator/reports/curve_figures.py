"""Figures with a line per method: the score against its cost, and the time against the target."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from emulator.reports.direct_labels import Panel, name_lines
from emulator.reports.panels import (
    are_wide,
    axis_label,
    evenly,
    grid,
    is_narrow,
    is_wide,
    label_axes,
    mark_chosen,
    set_log,
    time_unit,
    title_panels,
)
from emulator.reports.plot_style import colour, line
from emulator.reports.run_report import Study, capitalised
from emulator.results.metrics import Curve
from emulator.results.target_sweep import at, medians, steps, target_times
from emulator.simulation.target import ACCURACY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

Against = Literal["time", "bytes", "rounds"]
Numbers = tuple[float, ...]


class Band(NamedTuple):
    """A line through (`x`, `middle`), and a band from `low` to `high` over `band_x`."""

    x: Numbers
    middle: Numbers
    band_x: Numbers = ()
    low: Numbers = ()
    high: Numbers = ()


Bands = Mapping[str, Band]  # by method


def draw_band(axes: "Axes", i: int, band: Band, every: float | int) -> "Line2D":
    """Draw the line and the band of the method with index `i`; `every` is as in `markevery`."""
    style = line(i) | {"linewidth": 1.3, "markersize": 3, "markevery": every}
    if any(low != high for low, high in zip(band.low, band.high, strict=True)):
        axes.fill_between(band.band_x, band.low, band.high, color=colour(i), alpha=0.2, linewidth=0)
    (drawn,) = axes.plot(band.x, band.middle, **style)
    return drawn


def score_curves(width_in: float, log: bool, study: Study, against: Against) -> "Figure":
    """Draw the score against its cost, a panel per variant: mean and range over seeds.

    Variants with the same curves have one panel. `log` makes the axis of time or bytes logarithmic
    even if the costs are close.
    """
    shown = evenly(study.variants)
    found = {v: _scores(study, v, against) for v in shown}
    one = all(bands == found[shown[0]] for bands in found.values())
    drawn = shown[:1] if one else shown
    figure, panels = small_multiples(study, len(drawn), width_in)
    lasts = [[band.x[-1] for band in found[v].values() if band.x[-1] > 0] for v in drawn]
    wide = against != "rounds" and (log or are_wide(lasts))
    scale, what = _cost_axis(against, [cost for costs in lasts for cost in costs], wide)
    lines = [
        Panel(axes, draw_scores(axes, study, found[v], scale, wide))
        for axes, v in zip(panels, drawn, strict=True)
    ]
    title_panels(panels, drawn, f"{capitalised(study.curved_name)} over {against}")
    if one and len(study.variants) > 1:
        panels[0].set_title(f"{capitalised(study.curved_name)} over {against}, all variants")
    else:
        mark_chosen(figure, study, len(drawn))
    label_axes(figure, panels, what, axis_label(study.curved_name, study, "mean"))
    name_lines(figure, study, lines)
    return figure


def last_curves(axes: "Axes", study: Study, panel_in: float) -> None:
    """Draw the score against time under the last variant into one panel, without names."""
    variant = study.variants[-1]
    found = _scores(study, variant, "time")
    lasts = [band.x[-1] for band in found.values() if band.x[-1] > 0]
    scale, what = _cost_axis("time", lasts, is_wide(lasts))
    draw_scores(axes, study, found, scale, is_wide(lasts))
    where = textwrap.shorten(variant, int(10 * panel_in))
    axes.set_title(f"{capitalised(study.curved_name)} over time, {where}")
    axes.set_xlabel(what)
    axes.set_ylabel(axis_label(study.curved_name, study, "mean"))


def _cost_axis(against: Against, lasts: Sequence[float], log: bool) -> tuple[float, str]:
    """Return by what costs are divided, and the label of their axis."""
    if against == "time":
        scale_s, unit_name = time_unit(lasts, log)
        return scale_s, f"simulated time ({unit_name})"
    return 1.0, {"bytes": "bytes down and up (MB)"}.get(against, against)


def _cost(curve: Curve, against: Against) -> Numbers:
    """Return seconds, megabytes (down and up together) or rounds of each evaluation."""
    if against == "bytes":
        both = zip(curve.bytes_down, curve.bytes_up, strict=True)
        return tuple((down + up) / 1e6 for down, up in both)
    return curve.time_s if against == "time" else tuple(map(float, curve.round))


def _scores(study: Study, variant: str, against: Against) -> Bands:
    """Return the scores of each method with an evaluation, until its first seed ends."""
    import numpy as np

    found = {}
    for method in study.methods:
        curves = [
            (_cost(curve, against), curve.of(study.curved))
            for o in study.of(method, variant)
            if (curve := study.curves[o.emulation]).round
        ]
        if not curves:
            continue
        end = min(costs[-1] for costs, _ in curves)
        x = np.unique([cost for costs, _ in curves for cost in costs if cost <= end])
        scores = np.stack([np.interp(x, costs, values) for costs, values in curves])
        places = tuple(x.tolist())
        low, high = (tuple(ends.tolist()) for ends in (scores.min(axis=0), scores.max(axis=0)))
        found[method] = Band(places, tuple(scores.mean(axis=0).tolist()), places, low, high)
    return found


def draw_scores(
    axes: "Axes", study: Study, found: Bands, scale: float, log: bool
) -> dict[str, "Line2D"]:
    """Draw scores over costs divided by `scale`; return the lines by method."""
    if log:
        set_log(axes, "x", [cost for band in found.values() for cost in band.x if cost > 0])
    drawn = {}
    for method, band in found.items():
        first = 1 if log and band.x[0] <= 0 < band.x[-1] else 0  # a logarithm of 0 does not exist
        x = tuple(cost / scale for cost in band.x[first:])
        cut = Band(x, band.middle[first:], x, band.low[first:], band.high[first:])
        drawn[method] = draw_band(axes, study.index(method), cut, -(-len(x) // 12))
    if not found:
        axes.text(0.5, 0.5, "no scores", transform=axes.transAxes, ha="center", va="center")
    if study.target is not None:
        style: Any = {"color": "#444444", "linestyle": "--", "linewidth": 0.9, "gid": "target"}
        axes.axhline(study.target.value, **style)
    return drawn


def time_over_target(width_in: float, log: bool, study: Study) -> "Figure":
    """Draw time against the target, a panel per variant: median, band over the seeds.

    A line ends where the median is 'never', a band where one of the seeds is. `log` makes the axis
    of time logarithmic even if the times are close.
    """
    shown = evenly(study.variants)
    found = {variant: _times(study, variant) for variant in shown}
    figure, panels = small_multiples(study, len(shown), width_in)
    times = [
        [s for band in bands.values() for s in band.middle if s > 0] for bands in found.values()
    ]
    longest = [s for bands in found.values() for b in bands.values() for s in (*b.middle, *b.high)]
    wide = log or are_wide(times)
    scale_s, unit_name = time_unit(longest, wide)
    lines = []
    for axes, variant in zip(panels, shown, strict=True):
        if wide:
            set_log(axes, "y", [s for each in times for s in each])
        drawn = {
            method: draw_band(axes, study.index(method), _over(band, scale_s), 0.1)
            for method, band in found[variant].items()
        }
        lines.append(Panel(axes, drawn))
    if study.any_goal.measure != ACCURACY:
        panels[0].invert_xaxis()  # all panels share it
    title_panels(panels, shown, "Time to each target")
    mark_chosen(figure, study, len(shown))
    time = axis_label(f"simulated time ({unit_name})", study, "median")
    label_axes(figure, panels, f"target {study.curved_name}", time)
    name_lines(figure, study, lines)
    return figure


def _over(band: Band, scale_s: float) -> Band:
    middle, low, high = (
        tuple(s / scale_s for s in part) for part in (band.middle, band.low, band.high)
    )
    return Band(band.x, middle, band.band_x, low, high)


def _times(study: Study, variant: str) -> Bands:
    """Return the seconds to each target of the methods that reach one in the median."""
    own = study.any_goal
    curves = {who: curve for who, curve in study.curves.items() if who.variant == variant}
    values = [v for v in steps(curves.values(), own) if study.target or v != own.value]
    times = medians(target_times(curves, at(own, values)))
    found = {}
    for method in study.methods:
        known = [(v, times[key]) for v in values if (key := (method, variant, v)) in times]
        middle = [(v, s.median) for v, s in known if s.median is not None]
        band = [(v, s.low, s.high) for v, s in known if s.low is not None and s.high is not None]
        if middle:
            x, seconds = zip(*middle, strict=True)
            found[method] = Band(x, seconds, *(zip(*band, strict=True) if band else ()))
    return found


def small_multiples(study: Study, n: int, width_in: float) -> tuple["Figure", Sequence["Axes"]]:
    """Return a figure and its `n` panels with shared axes."""
    columns = 1 if is_narrow(width_in) else min(3, n)
    if is_narrow(width_in):
        height_in = 0.62 * width_in if n == 1 else 1.4
    else:
        height_in = {1: 2.9, 2: 2.5}.get(columns, 2.1)
    return grid(study, n, width_in, height_in, columns)
