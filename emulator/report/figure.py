"""Figures for a paper, with matplotlib's object API: no pyplot, nothing global, no display.

Colours: M. Okabe and K. Ito, Color Universal Design (2008), eight that the colour-blind can tell
apart. matplotlib is imported where it is used, because it takes a while.
"""

import io
import textwrap
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

from emulator.metrics import TimeSpent
from emulator.records import Emulation
from emulator.report.study import Study
from emulator.report.table import NEVER, time

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#F0E442", "#000000",
)  # fmt: skip
DASHES = ("-", "--", ":", "-.")  # tell methods apart where there are more than colours
WIDTH_IN = 7.2  # two columns of a page
WIDE = 20.0  # times further apart than this want a logarithmic axis
_HATCH = "/////"
_STYLE: Any = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 9,
    "font.size": 8,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "hatch.linewidth": 0.6,
    "legend.frameon": False,
    "svg.hashsalt": "flasc-emu",  # matplotlib salts ids at random otherwise
    "text.parse_math": False,  # a method may be called '$5 phones'
}


def png(draw: Callable[[Study], "Figure"], study: Study) -> bytes:
    """`draw(study)` as a PNG, 200 dots an inch."""
    return _saved(draw, study, format="png", dpi=200)


def svg(draw: Callable[[Study], "Figure"], study: Study) -> str:
    """`draw(study)` as an SVG; the same study makes the same text."""
    silent = dict.fromkeys(("Creator", "Date", "Format", "Type"))  # no clock, no links
    return _saved(draw, study, format="svg", metadata=silent).decode()


def _saved(draw: Callable[[Study], "Figure"], study: Study, **options: Any) -> bytes:
    from matplotlib import style

    target = io.BytesIO()
    with style.context(["default", _STYLE]):  # not the user's own
        draw(study).savefig(target, facecolor="white", **options)
    return target.getvalue()


def overview(study: Study) -> "Figure":
    """Time to target by variant beside accuracy against time under the last variant."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    columns, labels = _legend(study.methods)
    lines = sum(label.count("\n") + 1 for label in labels) + columns
    figure = Figure(figsize=(WIDTH_IN, 2.9 + 0.16 * lines / columns), layout="constrained")
    left, right = figure.subplots(1, 2)
    _bars(left, study)
    _curves(right, study)
    handles = [
        Line2D([], [], color=_colour(i), linestyle=_dash(i), linewidth=4)
        for i in range(len(study.methods))
    ]
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, handlelength=1.8)
    return figure


def _bars(axes: "Axes", study: Study) -> None:
    """Grouped bars, a group a variant; full height and hatched where the median is 'never'."""
    summaries = [
        (i, j, summary)
        for i, method in enumerate(study.methods)
        for j, variant in enumerate(study.variants)
        if (summary := study.summary(method, variant))
    ]
    known = [s for *_, summary in summaries for s in time(summary) if s]
    scale_s, unit = _unit(known)
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
            _never(axes, x, width, _colour(i), f"never-{i}-{j}")
            continue
        axes.bar(x, median / scale_s, width * 0.92, color=_colour(i))
        if low != high:
            ends = ((low or 0) / scale_s, (top if high is None else high) / scale_s)
            axes.plot((x, x), ends, color="#444444", linewidth=0.8)
    axes.set_ylim(bottom / scale_s, top / scale_s)
    room = max(6, 42 // len(study.variants))
    axes.set_xticks(range(len(study.variants)), [textwrap.fill(v, room) for v in study.variants])
    axes.tick_params(axis="x", length=0)
    axes.grid(visible=False, axis="x")
    axes.set_title(f"Time to {study.goal}")
    axes.set_ylabel(f"simulated time ({unit})")


def _never(axes: "Axes", x: float, width: float, colour: str, gid: str) -> None:
    from matplotlib.patches import Rectangle

    place = axes.get_xaxis_transform()  # x in data, y in heights of the panel
    left, drawn = x - width * 0.46, width * 0.92
    bar = Rectangle((left, 0), drawn, 1, transform=place, facecolor="white", edgecolor=colour)
    bar.set(hatch=_HATCH, linewidth=0.6, gid=gid)
    axes.add_patch(bar)
    gap = Rectangle((left, 0.42), drawn, 0.16, transform=place, facecolor="white", zorder=1.5)
    axes.add_patch(gap)
    first, last = axes.get_xlim()
    width_pt = drawn / (last - first) * WIDTH_IN * 72 * 0.42  # a panel is 0.42 of the figure
    size = min(7.0, 0.75 * width_pt)
    style: Any = {"rotation": 90, "ha": "center", "va": "center", "fontsize": size}
    axes.text(x, 0.5, NEVER, transform=place, **style)


def _curves(axes: "Axes", study: Study) -> None:
    """Accuracy against simulated time: median over seeds, band from minimum to maximum."""
    import numpy as np

    variant = study.variants[-1]
    found = {
        i: [study.curves[Emulation(method, variant, o.seed)] for o in study.of(method, variant)]
        for i, method in enumerate(study.methods)
    }
    lasts = [times[-1] for curves in found.values() for times, _ in curves if times[-1] > 0]
    scale_s, unit = _unit(lasts)
    log = _wide(lasts)
    for i, curves in found.items():
        if not curves:
            continue
        end_s = min(times[-1] for times, _ in curves)
        shown = [t for times, _ in curves for t in times if t <= end_s and (t > 0 or not log)]
        grid = np.unique(shown)
        scores = np.stack([np.interp(grid, times, accuracies) for times, accuracies in curves])
        style: dict[str, Any] = {"color": _colour(i), "linestyle": _dash(i), "linewidth": 1.3}
        axes.plot(grid / scale_s, np.median(scores, axis=0), **style)
        if len(curves) > 1:
            low, high = scores.min(axis=0), scores.max(axis=0)
            axes.fill_between(grid / scale_s, low, high, color=_colour(i), alpha=0.2, linewidth=0)
    if study.target is not None:
        axes.axhline(study.target, color="#444444", linestyle="--", linewidth=0.9, gid="target")
    if log:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter("")
    axes.set_title(f"Accuracy over time, {textwrap.shorten(variant, 30)}")
    axes.set_xlabel(f"simulated time ({unit})")
    axes.set_ylabel("accuracy")


def breakdown(study: Study) -> "Figure":
    """Where the time went: stacked bars, a panel a variant; hatched where never reached."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    columns = min(3, len(study.variants))
    rows = -(-len(study.variants) // columns)
    labels = [textwrap.fill(method, 24) for method in study.methods]
    deepest = max(label.count("\n") + 1 for label in labels)
    height_in = 0.8 + rows * (0.5 + max(0.26, 0.14 * deepest) * len(labels))
    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    panels = list(figure.subplots(rows, columns, sharey=True, squeeze=False).flat)
    for axes, variant in zip(panels, study.variants, strict=False):
        _stacks(axes, study, variant)
    for axes in panels[len(study.variants) :]:
        axes.set_visible(False)
    panels[0].set_yticks(range(len(labels)), labels)
    panels[0].set_ylim(len(labels) - 0.4, -0.6)
    handles = [Patch(color=colour) for colour in _PARTS.values()]
    figure.legend(handles, list(_PARTS), loc="outside lower center", ncols=len(_PARTS))
    return figure


_PARTS = {
    "download": COLOURS[0],
    "compute": COLOURS[2],
    "upload": COLOURS[3],
    "waiting for others": "#BBBBBB",
}


def _stacks(axes: "Axes", study: Study, variant: str) -> None:
    found = {i: study.of(method, variant) for i, method in enumerate(study.methods)}
    means = {
        i: [fmean(getattr(o, part) for o in outcomes) for part in TimeSpent._fields]
        for i, outcomes in found.items()
        if outcomes
    }
    scale_s, unit = _unit([sum(parts) for parts in means.values()])
    for i, parts in means.items():
        never = any(o.target is not None and o.time_to_target_s is None for o in found[i])
        left = 0.0
        for seconds, colour in zip(parts, _PARTS.values(), strict=True):
            bar = axes.barh(i, seconds / scale_s, 0.7, left / scale_s, color=colour)
            if never:
                bar[0].set(hatch=_HATCH, edgecolor="white", linewidth=0)
            left += seconds
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.set_title(textwrap.fill(variant, 30))
    axes.set_xlabel(f"simulated time ({unit})")


def _legend(methods: Sequence[str]) -> tuple[int, list[str]]:
    """Columns of a legend that fits the width, and its labels."""
    # Before 3.10, matplotlib left out labels that begin with an underscore.
    labels = [textwrap.fill(f" {m}" if m.startswith("_") else m, 44) for m in methods]
    widest = max(len(line) for label in labels for line in label.split("\n"))
    return max(1, min(4, len(labels), 110 // (widest + 7))), labels


def _colour(i: int) -> str:
    return COLOURS[i % len(COLOURS)]


def _dash(i: int) -> Any:
    return DASHES[i // len(COLOURS) % len(DASHES)]


def _wide(times_s: Sequence[float]) -> bool:
    return bool(times_s) and max(times_s) > WIDE * min(times_s)


def _unit(times_s: Sequence[float]) -> tuple[float, str]:
    """Seconds in the largest unit that keeps the longest time above two, and its name."""
    longest = max(times_s, default=60.0)
    units = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))
    return next(((s, name) for s, name in units if longest > 2 * s), (1e-3, "ms"))
