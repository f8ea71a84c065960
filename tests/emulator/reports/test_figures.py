"""Figures: deterministic, well-formed, marked where never; nothing global is touched."""

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as ET

import matplotlib
import pytest

from emulator.reports import figures, plot_style
from emulator.reports.run_report import Study
from emulator.simulation.records import Emulation

Studies = Callable[..., Study]

SVG = "{http://www.w3.org/2000/svg}"


def hatched(svg: str) -> list[str]:
    """Ids of the groups that hold a shape filled with a pattern that is there."""
    root = ET.fromstring(svg)
    patterns = {p.get("id") for p in root.iter(f"{SVG}pattern")}
    found = []
    for group in root.iter(f"{SVG}g"):
        for path in group.findall(f"{SVG}path"):
            fill = re.search(r"fill: url\(#([^)]+)\)", path.get("style", ""))
            if fill:
                assert fill[1] in patterns
                found.append(group.get("id", ""))
    return found


def strips(study: Study) -> list[str]:
    """Ids of the grey strips of the overview, which say 'never'."""
    return re.findall(r'id="(never-[^"]*)"', plot_style.svg(figures.overview, study))


def test_methods_that_never_reach_the_target_are_marked(study_of: Studies) -> None:
    study = study_of({"A": 0.1, "B": 0.04, "C": 0.06}, {"x": 1, "y": 2})
    assert strips(study) == ["never-1-0", "never-1-1"]
    reached = study_of({"A": 0.1}, {"x": 1})
    assert strips(reached) == []
    assert hatched(plot_style.svg(figures.breakdown, reached)) == []
    assert len(hatched(plot_style.svg(figures.breakdown, study))) >= 2 * 3


def test_axes_name_the_statistic_and_the_seeds(study_of: Studies) -> None:
    methods, variants = {"A": 0.1, "B": 0.04}, {"x": 1}
    study = study_of(methods, variants, seeds=(0, 1, 2))
    drawn = {name: draw(study) for name, draw in figures.figures(6.9).items()}
    for name, said in (
        ("time_to_target", "median of 3 seeds"),
        ("accuracy_over_time", "mean of 3 seeds"),
        ("accuracy_by_variant", "mean of 3 seeds"),
    ):
        assert drawn[name].axes[0].get_ylabel().endswith(said)
    parts = drawn["where_the_time_went"]
    assert parts.axes[0].get_xlabel().endswith("mean of 3 seeds")
    legend = [text.get_text() for text in parts.legends[0].get_texts()]
    assert legend[-1] == "target not reached by all seeds"
    assert [text.get_text() for text in drawn["time_to_target"].axes[0].texts] == ["3 of 3 never"]
    some = tuple(replace(o, time_to_target_s=None) if o.seed else o for o in study.outcomes)
    bars = figures.figures(6.9)["time_to_target"](replace(study, outcomes=some)).axes[0]
    assert [text.get_text() for text in bars.texts] == ["2 of 3 never", "3 of 3 never"]
    one = figures.overview(study_of(methods, variants))
    assert [axes.get_ylabel().endswith("one seed") for axes in one.axes] == [True, True]
    assert [text.get_text() for text in one.axes[0].texts] == ["never"]


def test_bar_heights_are_the_times(study_of: Studies) -> None:
    drawn = figures.overview(study_of({"A": 0.1, "B": 0.05}, {"x": 1, "y": 5}))
    bars = [container[0].get_height() for container in drawn.axes[0].containers]
    assert bars == pytest.approx([20.0, 40.0, 40.0, 80.0])
    assert drawn.axes[0].get_yscale() == "linear"
    assert "(s)" in drawn.axes[0].get_ylabel()


def test_a_wide_range_is_logarithmic_and_in_larger_units(study_of: Studies) -> None:
    axes = figures.overview(study_of({"A": 0.1, "B": 0.05}, {"x": 1, "y": 1000})).axes[0]
    assert axes.get_yscale() == "log"
    heights = [container[0].get_height() * 3600 for container in axes.containers]
    assert heights == pytest.approx([20.0, 5 * 1003, 40.0, 10 * 1003])
    assert "(h)" in axes.get_ylabel()
    assert axes.get_ylim()[0] > 0


def test_curves_are_of_the_last_variant_with_bands_over_seeds(study_of: Studies) -> None:
    drawn = figures.overview(study_of({"A": 0.1}, {"x": 1, "y": 5}, seeds=(0, 1)))
    right = drawn.axes[1]
    assert right.get_title().endswith("y")
    curve, target = right.lines
    seconds, accuracy = curve.get_xdata(), curve.get_ydata()
    # Seeds go straight to 1.0 in 80 and 90 s: their median at t is t/2 (1/80 + 1/90).
    assert max(seconds) == 80.0
    assert accuracy == pytest.approx([t / 2 * (1 / 80 + 1 / 90) for t in seconds])
    assert list(target.get_ydata()) == [0.5, 0.5]
    (band,) = right.collections
    assert band.get_paths()[0].get_extents().ymax == pytest.approx(1.0)


def test_stacks_are_the_parts_in_one_unit(study_of: Studies) -> None:
    drawn = figures.breakdown(study_of({"A": 0.1}, {"x": 1, "y": 5}))
    widths = [[c[0].get_width() for c in axes.containers] for axes in drawn.axes]
    assert widths == [pytest.approx([10, 5, 5, 0]), pytest.approx([10, 5, 25, 0])]
    assert [text.get_text() for text in drawn.legends[0].get_texts()] == [
        "download", "compute", "upload"
    ], "nobody waited"  # fmt: skip
    drawn = figures.breakdown(study_of({"A": 0.1}, {"x": 1, "y": 50}))
    widths = [[60 * c[0].get_width() for c in axes.containers] for axes in drawn.axes]
    assert widths == [pytest.approx([10, 5, 5, 0]), pytest.approx([10, 5, 250, 0])]
    assert drawn.axes[0].get_xlim() == drawn.axes[1].get_xlim()
    assert [axes.get_xlabel() for axes in drawn.axes] == ["simulated time (min), one seed"] * 2


def test_a_curve_is_the_same_against_time_bytes_and_rounds(study_of: Studies) -> None:
    study = study_of({"A": 0.1}, {"x": 1})
    found = {}
    for against in ("time", "bytes", "rounds"):
        draw = figures.figures(figures.SINGLE_IN)[f"accuracy_over_{against}"]
        curve, _ = draw(study).axes[0].lines
        assert list(curve.get_ydata()) == pytest.approx([k / 10 for k in range(11)])
        found[against] = list(curve.get_xdata())
    assert found["time"] == [4 * k for k in range(11)]
    assert found["bytes"] == pytest.approx([0.005 * k for k in range(11)])
    assert found["rounds"] == list(range(11))


@pytest.mark.parametrize("draw", [figures.overview, figures.breakdown])
def test_a_figure_of_an_incomplete_run_says_so(
    study_of: Studies, draw: Callable[[Study], Any]
) -> None:
    absent = [Emulation("B", "y", 0)]
    drawn = draw(study_of({"A": 0.05, "B": 0.02}, {"x": 1, "y": 5}, absent=absent))
    assert drawn.get_suptitle() == "incomplete: 1 of 4 simulations are missing"
    assert not draw(study_of({"A": 0.05}, {"x": 1})).get_suptitle()


def test_bars_of_one_colour_are_told_apart() -> None:
    looks = [str(plot_style.fill(i)) for i in range(2 * len(plot_style.COLOURS))]
    assert len(set(looks)) == len(looks)


def test_last_accuracies_are_by_variant_with_a_range_over_seeds(study_of: Studies) -> None:
    study = study_of({"A": 0.05, "B": 0.02}, {"x": 1, "y": 5}, absent=[Emulation("B", "y", 0)])
    axes = figures.figures(figures.SINGLE_IN)["accuracy_by_variant"](study).axes[0]
    a, b = axes.lines
    assert list(a.get_ydata()) == pytest.approx([0.5, 0.5])
    assert list(b.get_ydata()) == pytest.approx([0.2])
    assert [text.get_text() for text in axes.get_xticklabels()] == ["x", "y"]
    places = [*a.get_xdata(), *b.get_xdata()]
    assert len(set(places)) == 3, "none hides another"
    assert [round(place) for place in places] == [0, 1, 0]
    ranges = [segment[:, 1] for c in axes.collections for segment in c.get_segments()]
    assert all(low <= high for low, high in ranges)


def test_a_line_over_targets_is_the_times_to_them(study_of: Studies) -> None:
    """Rounds of 5 and 6 s under 'slow', with seeds 0 and 1: A reaches 1.0, B 0.5."""
    study = study_of({"A": 0.1, "B": 0.05}, {"fast": 1, "slow": 2}, seeds=(0, 1))
    axes = figures.figures(figures.SINGLE_IN)["time_over_target"](study).axes[0]
    lines = [dict(zip(each.get_xdata(), each.get_ydata(), strict=True)) for each in axes.lines]
    a, b = lines
    assert (a[0.5], a[1.0]) == (27.5, 55.0)
    assert (b[0.5], max(b)) == (55.0, 0.5)
    assert len(axes.collections) == 2
    assert "median of 2 seeds" in axes.get_ylabel()
    assert axes.get_title() == "Time to each target, slow"


@pytest.mark.parametrize("width_in", [figures.SINGLE_IN, figures.DOUBLE_IN])
def test_figures_have_a_papers_width(study_of: Studies, width_in: float) -> None:
    study = study_of({"A": 0.1, "a" * 90: 0.04}, {"x": 1, "y": 2})
    for draw in figures.figures(width_in).values():
        root = ET.fromstring(plot_style.svg(draw, study))
        assert root.get("width") == f"{72 * width_in:g}pt"


def test_a_pdf_is_the_same_again(study_of: Studies) -> None:
    study = study_of({"A": 0.1, "a" * 90: 0.04}, {"x": 1, "y": 2})
    for draw in figures.figures(figures.SINGLE_IN).values():
        assert plot_style.pdf(draw, study) == plot_style.pdf(draw, study)


def test_two_formats_are_of_one_drawing(study_of: Studies) -> None:
    study, drawn = study_of({"A": 0.1}, {"x": 1}), []

    def draw(of: Study) -> Any:
        drawn.append(figures.overview(of))
        return drawn[-1]

    vectors, pixels = plot_style.svg_and_png(draw, study)
    assert len(drawn) == 1
    assert vectors.decode() == plot_style.svg(figures.overview, study)
    assert pixels.startswith(b"\x89PNG")


def test_signs_of_other_scripts_make_no_noise(study_of: Studies) -> None:
    plot_style.png(
        figures.overview, study_of({"疎な通信": 0.1}, {"ネット": 1})
    )  # a warning is an error


def test_the_same_study_makes_the_same_bytes(study_of: Studies) -> None:
    study = study_of({"A": 0.1, "B": 0.04}, {"x": 1, "y": 2}, seeds=(0, 1))
    for draw in (figures.overview, figures.breakdown):
        first = plot_style.svg(draw, study)
        with matplotlib.rc_context({"font.size": 20, "svg.hashsalt": None}):
            assert plot_style.svg(draw, study) == first, "and the user's own style does not matter"
        assert "dc:date" not in first
        assert plot_style.png(draw, study).startswith(b"\x89PNG")


HOSTILE = {"_under": 0.1, "$x^$": 0.04, "</svg><script>--> ]]>": 0.1, "&amp;\x00\"'": 0.01, "": 0.1}


def test_hostile_names_are_drawn_as_they_are(study_of: Studies) -> None:
    study = study_of(HOSTILE, {"$_$": 1, "<b>": 2, "": 3, "d" * 90: 4})
    for draw in (figures.overview, figures.breakdown):
        root = ET.fromstring(plot_style.svg(draw, study))
        assert not list(root.iter(f"{SVG}script"))
    legend = figures.overview(study).legends[0]
    assert len(legend.get_texts()) == len(HOSTILE)


@pytest.mark.parametrize("target", ["0.0", "0.5", "1.1"])
def test_every_target_and_gap_can_be_drawn(study_of: Studies, target: str) -> None:
    absent = [Emulation("A", "y", 0), Emulation("B", "x", 0), Emulation("C", "y", 0)]
    methods = {"A": 0.1, "B": 0.02, "C": 0.03}
    for gone in ([], absent, [*absent, Emulation("B", "y", 0)]):
        study = study_of(methods, {"x": 1, "y": 1000}, absent=gone, target=target)
        for draw in (figures.overview, figures.breakdown):
            ET.fromstring(plot_style.svg(draw, study))


def test_nothing_heavy_is_imported_with_the_report() -> None:
    code = (
        "import sys, emulator.reports.write, emulator.reports.terminal\n"
        "print(sorted({'torch', 'matplotlib', 'simpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_pyplot(study_of: Studies) -> None:
    plot_style.png(figures.overview, study_of({"A": 0.1}, {"x": 1}))
    assert "matplotlib.pyplot" not in sys.modules


def test_a_title_can_be_left_out_of_one_panel_and_stays_on_several(study_of: Studies) -> None:
    study = study_of({"A": 0.1}, {"x": 1, "y": 2})
    drawings = figures.figures(6.9)
    bare = {name: plot_style.untitled(draw)(study) for name, draw in drawings.items()}
    assert drawings["time_to_target"](study).axes[0].get_title()
    assert not bare["time_to_target"].axes[0].get_title()
    panels = [axes.get_title() for axes in bare["where_the_time_went"].axes[:2]]
    assert panels == ["x", "y"]
