"""Figures for a paper: time to target, accuracy against cost, time by activity."""

from functools import partial
from statistics import fmean
from typing import TYPE_CHECKING

from emulator.reports import bar_figures, curve_figures, sweep_figure
from emulator.reports.panels import (
    SMALL_PT,
    axis_label,
    evenly,
    grid,
    is_narrow,
    label_axes,
    legend,
    mark_chosen,
    rows_of_methods,
)
from emulator.reports.plot_style import PHASES, Draw, unit
from emulator.reports.run_report import Study
from emulator.results.metrics import Outcome
from emulator.results.time_spent import TimeSpent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_IN = 7.2
SINGLE_IN, DOUBLE_IN = 3.3, 6.9  # one column of a two-column page, and both
SEEN = 1e-3  # share of a bar; parts that are smaller in all bars are not in the legend
_HATCH = "/////"


def figures(width_in: float, study: Study | None = None, log: bool = False) -> dict[str, Draw]:
    """Return the functions that draw each figure, by name, `width_in` inches wide.

    With a study, its sweep or the map of its two sweeps is one of them. `log` makes axes of time
    and bytes logarithmic even if their values are close.
    """
    scores = {
        f"accuracy_over_{against}": partial(
            curve_figures.score_curves, width_in, log, against=against
        )
        for against in ("time", "bytes", "rounds")
    }
    return {
        **sweep_figure.figures(width_in, study),
        "time_to_target": partial(bar_figures.times, width_in, log),
        **scores,
        "accuracy_by_variant": partial(bar_figures.finals, width_in),
        "time_over_target": partial(curve_figures.time_over_target, width_in, log),
        "where_the_time_went": partial(breakdown, width_in=width_in),
    }


def overview(study: Study) -> "Figure":
    """Draw time to target by variant, and accuracy against time under the last variant.

    Of sweeps, draw the time over the swept value, or the map of two.
    """
    if swept := sweep_figure.figures(WIDTH_IN, study):
        return next(iter(swept.values()))(study)
    figure, (left, right) = grid(study, 2, WIDTH_IN, 2.9, 2, share=False)
    bar_figures.bars(left, study, 0.42 * WIDTH_IN)
    curve_figures.last_curves(right, study, 0.42 * WIDTH_IN)
    legend(figure, study)
    return figure


def breakdown(study: Study, width_in: float = WIDTH_IN) -> "Figure":
    """Draw stacked bars of the time by activity, a panel per variant; hatched: never reached."""
    from matplotlib.patches import Patch

    variants = evenly(study.variants, bar_figures.MOST_ROWS)
    figure, panels = rows_of_methods(study, variants, width_in)
    mark_chosen(figure, study, len(variants))
    spent = {v: _means(study, v) for v in variants}
    everything = [parts for means in spent.values() for parts in means.values()]
    scale_s, unit_name = unit([sum(parts) for parts in everything])  # one for all panels
    for axes, variant in zip(panels, variants, strict=True):
        _stacks(axes, study, variant, spent[variant], scale_s)
    panels[0].set_xlim(0, 1.05 * max(map(sum, everything)) / scale_s or 1)  # all panels share it
    label_axes(figure, panels, axis_label(f"simulated time ({unit_name})", study, "mean"), "")
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
    columns = 2 if is_narrow(width_in) else len(shown) or 1
    figure.legend(
        handles, shown, loc="outside lower center", ncols=columns, fontsize=SMALL_PT + 0.5
    )
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
    axes.grid(visible=False, axis="y")


def _not_reached(outcome: Outcome) -> bool:
    return outcome.target is not None and outcome.time_to_target_s is None
