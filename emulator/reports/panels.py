"""Panels of figures: their grid, their legend, their scales and what is written above them."""

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from emulator.reports.findings import statistic
from emulator.reports.plot_style import POINTS_PER_INCH, Draw, line, unit
from emulator.reports.run_report import Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

WIDE = 20.0  # ratio of values from which an axis is logarithmic
WIDE_PANELS = 4.0  # ratio of the highest values of panels from which their shared axis is
SMALL_PT = 6.5  # size of names and notes
PITCH = 1.12  # distance of panels in a row, in widths of a panel
MOST_PANELS = 6  # of more variants, as many are drawn
_CHARACTER = 0.6  # mean width of a character, as a share of the size of the font
_HANDLE_IN = 0.36  # width of a legend's line, with the space around it
_LINE_IN = 1.35 * SMALL_PT / POINTS_PER_INCH  # height of a legend's line

T = TypeVar("T")


def is_narrow(width_in: float) -> bool:
    """Return whether a figure is for one column of a page."""
    return width_in < 5


def is_wide(values: Sequence[float]) -> bool:
    """Return whether positive values are so far apart that their axis should be logarithmic."""
    return bool(values) and max(values) > WIDE * min(values)


def are_wide(panels: Sequence[Sequence[float]]) -> bool:
    """Return whether the positive values of panels are too far apart for a linear shared axis."""
    highest = [max(values) for values in panels if values]
    return is_wide([v for values in panels for v in values]) or (
        bool(highest) and max(highest) > WIDE_PANELS * min(highest)
    )


def set_log(
    axes: "Axes", which: Literal["x", "y"], values: Sequence[float] = (), *, small: bool = False
) -> None:
    """Make one axis logarithmic, with plain numbers at powers of ten.

    If `values` span few of these, there are numbers between them, fewer in a small panel.
    """
    from matplotlib.ticker import LogLocator

    axes.set(**{f"{which}scale": "log"})
    axis: Axis = axes.xaxis if which == "x" else axes.yaxis
    decades = math.log10(max(values) / min(values)) if values else math.inf
    if decades < (1.1 if small else 2):
        axis.set_major_locator(LogLocator(subs=(1, 3) if small or decades > 1.1 else (1, 2, 5)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter("")


def time_unit(times_s: Sequence[float], log: bool) -> tuple[float, str]:
    """Return the seconds of a unit for an axis, and its name; `log`: as the middle value needs."""
    known = [s for s in times_s if s > 0]
    return unit([math.sqrt(min(known) * max(known))] if log and known else times_s)


def grid(
    study: Study, n: int, width_in: float, height_in: float, columns: int, share: bool = True
) -> tuple["Figure", list["Axes"]]:
    """Return a figure and its `n` panels of `height_in` inches, in rows of `columns`.

    With `share`, all panels have the same axes.
    """
    from matplotlib.figure import Figure

    rows = -(-n // columns)
    figure = Figure(figsize=(width_in, rows * height_in), layout="constrained")
    mark_incomplete(figure, study)
    shared: Any = {"sharex": share, "sharey": share}
    found = list(figure.subplots(rows, columns, squeeze=False, **shared).flat)
    for axes in found[n:]:
        axes.set_visible(False)
    for axes in found[max(0, n - columns) : n]:  # the lowest of each column
        axes.tick_params(axis="x", labelbottom=True)
    return figure, found[:n]


def rows_of_methods(
    study: Study, variants: Sequence[str], width_in: float, what: str = ""
) -> tuple["Figure", list["Axes"]]:
    """Return a figure and a panel per variant, with a row per method, named at the left.

    `what` begins the title of one panel.
    """
    columns = min(3, len(variants))
    narrow = is_narrow(width_in)
    labels = [textwrap.fill(method, 14 if narrow else 26) for method in study.methods]
    deepest = max(label.count("\n") + 1 for label in labels)
    height_in = 0.7 + max(0.2, 0.13 * deepest + 0.05) * len(labels)
    figure, panels = grid(study, len(variants), width_in, height_in, columns)
    for axes in panels:
        axes.tick_params(axis="y", length=0)
    panels[0].set_yticks(range(len(labels)), labels, fontsize=SMALL_PT + 0.5)
    panels[0].set_ylim(len(labels) - 0.4, -0.6)  # all panels share it
    panels[0].locator_params(axis="x", nbins=3 if narrow else 5)
    title_panels(panels, variants, what)
    return figure, panels


def title_panels(panels: Sequence["Axes"], variants: Sequence[str], what: str) -> None:
    """Give several panels the names of their variants; one also says `what` it shows."""
    spec = panels[0].get_subplotspec()
    columns = spec.get_gridspec().ncols if spec else 1
    room = max(10, int(12 * panels[0].get_figure(root=True).get_figwidth() / columns) - 4)
    for axes, variant in zip(panels, variants, strict=True):
        title = variant if len(panels) > 1 or not what else f"{what}, {variant}"
        axes.set_title(textwrap.fill(title, room))


def label_axes(figure: "Figure", panels: Sequence["Axes"], x: str, y: str) -> None:
    """Label the axes of one panel, or those that all panels share."""
    if len(panels) == 1:
        panels[0].set(xlabel=x, ylabel=y)
        return
    spec = panels[0].get_subplotspec()
    columns = spec.get_gridspec().ncols if spec else 1
    if len(panels) > columns:
        size = panels[0].yaxis.label.get_fontsize()
        figure.supylabel(y, fontsize=size, multialignment="center")
    else:
        panels[0].set_ylabel(y)
    lowest = panels[(len(panels) - 1) // columns * columns :]
    for axes in lowest:
        axes.set_xlabel(" ")  # keeps room for the label, which may be wider than a panel
    column = (len(lowest) - 1) // 2
    label = lowest[column].xaxis.label
    label.set(text=x.replace("\n", " "), in_layout=columns == 1)
    label.set_x(0.5 + PITCH * ((columns - 1) / 2 - column))  # the middle of all columns


def legend(figure: "Figure", study: Study) -> None:
    """Add a legend of the methods below the panels, in as many columns as fit."""
    from matplotlib.lines import Line2D

    # Before 3.10, matplotlib hid labels that begin with an underscore.
    labels = [textwrap.fill(f" {m}" if m.startswith("_") else m, 44) for m in study.methods]
    longest = max(len(part) for label in labels for part in label.split("\n"))
    width_in, height_in = figure.get_size_inches()
    one_in = longest * _CHARACTER * SMALL_PT / POINTS_PER_INCH + _HANDLE_IN
    columns = max(1, min(len(labels), int(width_in / one_in)))
    rows = -(-len(labels) // columns)
    columns = -(-len(labels) // rows)  # of equal length
    lines = max(
        sum(label.count("\n") + 1 for label in labels[k : k + rows])
        for k in range(0, len(labels), rows)
    )
    figure.set_size_inches(width_in, height_in + _LINE_IN * (lines + 1))
    handles = [
        Line2D([], [], linewidth=2, markersize=3.5, **line(study.index(m))) for m in study.methods
    ]
    figure.legend(
        handles, labels, loc="outside lower center", ncols=columns, fontsize=SMALL_PT,
        handlelength=2.2, handletextpad=0.5, columnspacing=1.0, labelspacing=0.35,
    )  # fmt: skip


def axis_label(what: str, study: Study, name: str) -> str:
    """Return an axis label with the statistic and the number of seeds."""
    over = statistic(study, name)
    return f"{what}, {over}" if len(what + over) < 30 else f"{what},\n{over}"


def evenly(items: Sequence[T], most: int = MOST_PANELS) -> list[T]:
    """Return at most `most` items at equal steps, with the first and the last."""
    if len(items) <= most:
        return list(items)
    return [items[round(k * (len(items) - 1) / (most - 1))] for k in range(most)]


def untitled(draw: Draw) -> Draw:
    """Return `draw` without the title of its one panel; several panels need theirs."""

    def drawn(study: Study) -> "Figure":
        figure = draw(study)
        if len(figure.axes) == 1:
            figure.axes[0].set_title("")
        return figure

    return drawn


def mark_incomplete(figure: "Figure", study: Study) -> None:
    """Write above the figure that simulations are missing, if so."""
    if study.missing:
        whole = len(study.missing) + len(study.outcomes)
        figure.suptitle(f"incomplete: {len(study.missing)} of {whole} simulations are missing")


def mark_chosen(figure: "Figure", study: Study, shown: int) -> None:
    """Write above the figure that it has `shown` of more variants."""
    if shown < len(study.variants) and not study.missing:
        figure.suptitle(f"{shown} of {len(study.variants)} variants", fontsize=SMALL_PT)
