"""Names of lines: at their ends where all fit without overlap, otherwise in a legend."""

import textwrap
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from emulator.reports.panels import SMALL_PT, is_narrow, legend
from emulator.reports.plot_style import POINTS_PER_INCH, colour, text_colour
from emulator.reports.run_report import Study

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.text import Annotation

    Points = np.ndarray[Any, np.dtype[np.float64]]

NEAR_EDGE = 0.25  # share of a panel's width: lines that end further left get no name at the edge
LINE_HEIGHT = 1.2  # times the size of the font
STEP_PX = 2.0  # distance of the points of a line that names must not touch
CLEAR_PX = 2.0
# Where a name can be: points right of and above the end of its line, and its alignment there.
PLACES: tuple[tuple[int, int, Any, Any], ...] = (
    (4, 0, "left", "center"),
    (3, 4, "left", "bottom"),
    (3, -4, "left", "top"),
    (0, 5, "center", "bottom"),
    (0, -5, "center", "top"),
    (-3, 4, "right", "bottom"),
    (-3, -4, "right", "top"),
    (-4, 0, "right", "center"),
)

Lines = Mapping[str, "Line2D"]


class Panel(NamedTuple):
    """A panel with the line of each method that it has."""

    axes: "Axes"
    lines: Lines


def name_lines(figure: "Figure", study: Study, panels: Sequence[Panel]) -> None:
    """Name the lines in the last panel in which all names fit, or else in a legend.

    A method has one colour in all panels, so that the names of one panel are enough.
    """
    named = {method for panel in panels for method in panel.lines}
    figure.draw_without_rendering()  # the layout decides what fits
    for panel in reversed(panels):
        whole = named and panel.lines.keys() == named
        if whole and (_at_edge(figure, study, panel) or _at_ends(figure, study, panel)):
            return
    legend(figure, study)


def _at_edge(figure: "Figure", study: Study, panel: Panel) -> bool:
    """Write the names right of the panel, at the heights of the ends; False if they do not fit."""
    axes, box = panel.axes, panel.axes.get_window_extent()
    spec = axes.get_subplotspec()
    ends = {method: _pixels(line)[-1] for method, line in panel.lines.items()}
    edge = box.x1 - NEAR_EDGE * box.width
    if spec is None or not spec.is_last_col() or any(x < edge for x, _ in ends.values()):
        return False
    texts = {method: _wrapped(method, figure) for method in ends}
    order = sorted(ends, key=lambda method: float(ends[method][1]))
    line_px = LINE_HEIGHT * SMALL_PT / POINTS_PER_INCH * figure.dpi
    heights = [line_px * (texts[method].count("\n") + 1) for method in order]
    if sum(heights) > box.height:
        return False
    middles = spread_out([float(ends[m][1]) for m in order], heights, box.y0, box.y1)
    for method, y in zip(order, middles, strict=True):
        i = study.index(method)
        moved = (
            abs(y - ends[method][1]) > line_px / 2 or ends[method][0] < box.x1 - 0.06 * box.width
        )
        leader = {
            "arrowstyle": "-",
            "color": colour(i),
            "linewidth": 0.5,
            "shrinkA": 1,
            "shrinkB": 2,
        }
        axes.annotate(
            texts[method], panel.lines[method].get_xydata()[-1],
            xytext=(1.04, (y - box.y0) / box.height), textcoords="axes fraction",
            ha="left", va="center", color=text_colour(i), fontsize=SMALL_PT, linespacing=1.0,
            arrowprops=leader if moved else None, annotation_clip=False, gid=f"name-{i}",
        )  # fmt: skip
    return True


def spread_out(
    wanted: Sequence[float], sizes: Sequence[float], low: float, high: float
) -> list[float]:
    """Return middles near `wanted` (ascending) of parts of `sizes`, between `low` and `high`.

    They do not overlap, and the sum of the squared moves is the least. The sizes fit.
    """
    gaps = [(a + b) / 2 for a, b in pairwise(sizes)]
    offsets = list(accumulate(gaps, initial=0.0))
    # Without the offsets, this is a regression with an ascending result: pool adjacent violators.
    pools: list[tuple[float, int]] = []
    for value, offset in zip(wanted, offsets, strict=True):
        total, count = value - offset, 1
        while pools and pools[-1][0] / pools[-1][1] >= total / count:
            before, several = pools.pop()
            total, count = total + before, count + several
        pools.append((total, count))
    first, last = low + sizes[0] / 2, high - sizes[-1] / 2 - offsets[-1]
    means = [total / count for total, count in pools for _ in range(count)]
    return [min(max(m, first), last) + offset for m, offset in zip(means, offsets, strict=True)]


def _at_ends(figure: "Figure", study: Study, panel: Panel) -> bool:
    """Write the names inside the panel, each at the end of its line; False if one does not fit."""
    import numpy as np

    box = panel.axes.get_window_extent()
    taken = np.concatenate([_dense(_pixels(line)) for line in panel.axes.lines])
    placed: list[Annotation] = []
    for method, line in panel.lines.items():
        i = study.index(method)
        for dx, dy, ha, va in PLACES:
            text = panel.axes.annotate(
                _wrapped(method, figure), line.get_xydata()[-1], xytext=(dx, dy),
                textcoords="offset points", ha=ha, va=va, color=text_colour(i), fontsize=SMALL_PT,
                linespacing=1.0, gid=f"name-{i}",
            )  # fmt: skip
            own = text.get_window_extent().padded(CLEAR_PX)
            inside = box.x0 <= own.x0 and own.x1 <= box.x1 and box.y0 <= own.y0 and own.y1 <= box.y1
            if (
                inside
                and not own.count_contains(taken)
                and not any(own.overlaps(each.get_window_extent()) for each in placed)
            ):
                placed.append(text)
                break
            text.remove()
        else:
            for text in placed:
                text.remove()
            return False
    return True


def _pixels(line: "Line2D") -> "Points":
    """Return the points of a line in pixels, without those that a logarithmic axis cannot show."""
    import numpy as np

    found = np.asarray(line.get_transform().transform(line.get_xydata()))
    return found[np.isfinite(found).all(axis=1)]


def _dense(points: "Points") -> "Points":
    """Return points along a line, `STEP_PX` apart."""
    import numpy as np

    if len(points) < 2:
        return points
    lengths = np.hypot(*np.diff(points, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(lengths)])
    at = np.linspace(0, along[-1], max(2, int(along[-1] / STEP_PX)))
    return np.stack([np.interp(at, along, points[:, k]) for k in (0, 1)], axis=1)


def _wrapped(method: str, figure: "Figure") -> str:
    return textwrap.fill(method, 14 if is_narrow(figure.get_figwidth()) else 26)
