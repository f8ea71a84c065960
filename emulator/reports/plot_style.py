"""Style and files of figures, with matplotlib's object API: no pyplot, no display.

Colours: M. Okabe and K. Ito, Color Universal Design (2008), which the colour-blind can tell apart,
without the yellow, which is too faint on white. Functions import matplotlib, because that is slow.
"""

import io
import textwrap
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from emulator.reports.run_report import Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#000000")
DASHES = ("-", "--", ":", "-.")  # for more methods than colours
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")  # for readers who see no colours
PHASES = {
    "download": COLOURS[0],
    "compute": COLOURS[2],
    "upload": COLOURS[3],
    "waiting for others": "#BBBBBB",
}
BOTTLENECKS = {
    "client down": COLOURS[0],
    "compute": COLOURS[2],
    "client up": COLOURS[3],
    "cell": COLOURS[5],
    "server": COLOURS[1],
    "latency": COLOURS[4],
    "absence": "#BBBBBB",
    "deadline": COLOURS[6],
}
POINTS_PER_INCH = 72  # dots per inch of vector formats
# For scripts other than Latin, Greek and Cyrillic: the first font that is installed.
_FALLBACKS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Noto Sans JP", "Source Han Sans",
    "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "PingFang SC", "Hiragino Sans", "Arial Unicode MS",
)  # fmt: skip
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
    "pdf.fonttype": 42,  # TrueType: accepted by journals, and its text can be searched
    "svg.hashsalt": "flasc-emu",  # otherwise ids are random
    "text.parse_math": False,  # a method's name may have a '$'
}

Draw = Callable[[Study], "Figure"]


_SVG: Any = {  # no time stamps, no links
    "format": "svg", "metadata": dict.fromkeys(("Creator", "Date", "Format", "Type"))
}  # fmt: skip
_PDF: Any = {
    "format": "pdf", "metadata": dict.fromkeys(("Creator", "Producer", "CreationDate"))
}  # fmt: skip


def png(draw: Draw, study: Study, dpi: int = 200) -> bytes:
    """Return `draw(study)` as a PNG with `dpi` dots per inch."""
    (content,) = _saved(draw, study, _png(dpi))
    return content


def svg(draw: Draw, study: Study) -> str:
    """Return `draw(study)` as an SVG; the same study gives the same text."""
    (content,) = _saved(draw, study, _SVG)
    return content.decode()


def svg_and_png(draw: Draw, study: Study, dpi: int = 200) -> tuple[bytes, bytes]:
    """Return `draw(study)` in both formats; this takes less time than each alone."""
    vectors, pixels = _saved(draw, study, _SVG, _png(dpi))
    return vectors, pixels


def pdf(draw: Draw, study: Study) -> bytes:
    """Return `draw(study)` as a PDF; the same study gives the same bytes."""
    (content,) = _saved(draw, study, _PDF)
    return content


def _png(dpi: int) -> dict[str, Any]:
    return {"format": "png", "dpi": dpi}


def _saved(draw: Draw, study: Study, *formats: dict[str, Any]) -> list[bytes]:
    """Return one figure in several formats, with the layout of the first."""
    from matplotlib import style

    # Ignore the user's own style, and warnings about missing characters, which are drawn as boxes.
    with (
        style.context(["default", _STYLE, {"font.sans-serif": _fonts()}]),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure, contents = draw(study), []
        _lay_out(figure, **formats[0])
        for options in formats:
            target = io.BytesIO()
            figure.savefig(target, facecolor="white", **options)
            contents.append(target.getvalue())
        return contents


def _lay_out(figure: "Figure", format: str, dpi: int = POINTS_PER_INCH, **_: object) -> None:
    """Place the parts of `figure` once, by the size of text in `format`.

    With a layout engine, `savefig` would draw each format twice: to place the parts, and to save.
    """
    from matplotlib.backend_bases import get_registered_canvas_class

    get_registered_canvas_class(format)(figure)
    figure.set_dpi(dpi)
    if engine := figure.get_layout_engine():
        engine.execute(figure)
    figure.set_layout_engine(None)


def _fonts() -> list[str]:
    from matplotlib.font_manager import fontManager

    here = set(fontManager.get_font_names())
    return ["DejaVu Sans", *[name for name in _FALLBACKS if name in here][:1]]


def colour(i: int) -> str:
    """Return the colour of the method with index `i`."""
    return COLOURS[i % len(COLOURS)]


def line(i: int) -> dict[str, Any]:
    """Return colour, dash and marker of the method with index `i`."""
    dash = DASHES[i // len(COLOURS) % len(DASHES)]
    return {"color": colour(i), "linestyle": dash, "marker": MARKERS[i % len(MARKERS)]}


def fill(i: int) -> dict[str, Any]:
    """Return the style of its bar: pale with a dashed edge if its colour is used before."""
    if i < len(COLOURS):
        return {"color": colour(i)}
    dash = line(i)["linestyle"]
    return {"color": colour(i) + "59", "edgecolor": colour(i), "linestyle": dash, "linewidth": 0.8}


def unit(times_s: Sequence[float]) -> tuple[float, str]:
    """Return the seconds of the largest unit with the longest time above 2, and its name."""
    longest = max(times_s, default=60.0)
    units = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))
    return next(((s, name) for s, name in units if longest > 2 * s), (1e-3, "ms"))


def panels(
    study: Study, n: int, width_in: float, height_in: float, columns: int | None = None
) -> tuple["Figure", Sequence["Axes"]]:
    """Return a figure and its `n` panels, over a legend of the methods.

    Each row of `columns` panels (None: all) is `height_in` inches high.
    """
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    # Before 3.10, matplotlib hid labels that begin with an underscore.
    labels = [textwrap.fill(f" {m}" if m.startswith("_") else m, 44) for m in study.methods]
    widest = max(len(label_line) for label in labels for label_line in label.split("\n"))
    of_legend = max(1, min(4, len(labels), int(15 * width_in) // (widest + 7)))
    lines = sum(label.count("\n") + 1 for label in labels) + of_legend
    rows = -(-n // (columns or n))
    size = (width_in, rows * height_in + 0.16 * lines / of_legend)
    figure = Figure(figsize=size, layout="constrained")
    mark_incomplete(figure, study)
    handles = [
        Line2D([], [], linewidth=2.5, markersize=4, **line(i)) for i in range(len(study.methods))
    ]
    figure.legend(handles, labels, loc="outside lower center", ncols=of_legend, handlelength=2.2)
    grid = list(figure.subplots(rows, columns or n, squeeze=False).flat)
    for axes in grid[n:]:
        axes.set_visible(False)
    return figure, grid[:n]


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
