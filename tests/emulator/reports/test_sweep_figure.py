"""Figures of sweeps: lines and bands at the values, marks of the lead, maps."""

import dataclasses
from collections.abc import Callable

import pytest

from emulator.reports import figures, plot_style, sweep_figure
from emulator.reports.run_report import Study
from emulator.reports.sweep_figure import round_values, scale, strength
from emulator.results.metadata import Setting
from emulator.results.sweep import Cell

Sweeps = Callable[..., Study]
SECONDS: dict[str, list[list[float | None]]] = {
    "flat": [[10.0, 12.0, 14.0]] * 4,
    "falling": [[48.0] * 3, [24.0] * 3, [6.0] * 3, [None] * 3],
}


def test_lines_bands_and_the_mark_of_the_lead(sweep_of: Sweeps) -> None:
    study = sweep_of(SECONDS)
    (axes,) = sweep_figure.time_over_sweep(6.9, study).axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert axes.get_xlabel() == "network.clients.up (Mbps)"
    assert axes.get_ylabel() == "simulated time (s),\nmedian of 3 seeds"
    flat, falling, *_ = axes.lines
    assert list(flat.get_xdata()) == [1, 2, 4, 8]
    assert list(flat.get_ydata()) == [12, 12, 12, 12]
    assert list(falling.get_xdata()) == [1, 2, 4]  # ends where the median is 'never'
    (band,) = axes.collections
    assert {y for _, y in band.get_paths()[0].vertices} == {10, 14}
    marks = [line for line in axes.lines if line.get_gid() == "crossing"]
    assert [line.get_xdata()[0] for line in marks] == [pytest.approx(8**0.5)]
    never = [line for line in axes.lines if (line.get_gid() or "").startswith("never")]
    assert [(line.get_gid(), list(line.get_xdata())) for line in never] == [("never-1", [8])]


def test_export_and_overview_have_it_only_with_a_sweep(sweep_of: Sweeps, study_of: Sweeps) -> None:
    swept, plain = sweep_of(SECONDS), study_of({"A": 0.1}, {"x": 1})
    assert "time_over_sweep" in figures.figures(3.3, swept)
    assert figures.figures(3.3, plain).keys() == figures.figures(3.3).keys()
    assert figures.overview(swept).axes[0].get_xlabel() == "network.clients.up (Mbps)"
    again = [plot_style.svg(figures.overview, swept) for _ in range(2)]
    assert again[0] == again[1]


def test_a_map_is_coloured_by_the_first_method(study_of: Sweeps) -> None:
    labels = {f"up {x} Mbps, rtt {y} ms": (x, y) for x in (1, 2, 4) for y in (5, 50)}
    found = study_of({"A": 0.1, "B": 0.1}, dict.fromkeys(labels, 1), seeds=(0, 1, 2))
    outcomes = tuple(
        dataclasses.replace(
            o, time_to_target_s=2.0 + o.seed * (labels[o.variant] == (4, 5)) if o.method == "A"
            else 4.0 / labels[o.variant][0]
        )
        for o in found.outcomes
    )  # fmt: skip
    swept = {
        label: (
            Setting("network.clients.up", x * 1e6, "bit/s", f"up {x} Mbps"),
            Setting("network.clients.rtt", y / 1e3, "s", f"rtt {y} ms"),
        )
        for label, (x, y) in labels.items()
    }
    study = dataclasses.replace(found, outcomes=outcomes, swept=swept)
    assert list(sweep_figure.figures(6.9, study)) == ["sweep_map"]
    (axes,) = sweep_figure.sweep_map(6.9, study).axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == (
        "network.clients.up (Mbps)", "network.clients.rtt (ms)"
    )  # fmt: skip
    assert sorted(text.get_text() for text in axes.texts) == [
        "1.00", "1.00", "2.00", "2.00", "2.00", "3.00"
    ]  # fmt: skip
    colours = axes.collections[0].get_array().reshape(-1, 3)
    assert len({tuple(each) for each in colours.round(6).tolist()}) == 3
    assert not [line for line in axes.lines if line.get_gid() == "unsettled"]


def test_scales_and_shades() -> None:
    assert scale("a.up", "bit/s", (5e5, 2e7)) == (1e6, "a.up (Mbps)", True)
    assert scale("a.rtt", "s", (0.0, 0.4)) == (1e-3, "a.rtt (ms)", False)
    assert scale("a.rank", "1", (4, 6)) == (1.0, "a.rank", False)
    assert round_values(0.5, 20) == [0.5, 1, 2, 5, 10, 20]
    shades = [strength(Cell(0, 0, "", "A", 1.0, lead, 1, 1)) for lead in (1.0, 2.0, 8.0, None)]
    assert shades == [0.25, 1, 1, 1]
