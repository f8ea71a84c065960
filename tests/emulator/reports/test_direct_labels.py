"""Names at the ends of lines: never over one another or over a line, or in a legend instead."""

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations, pairwise

import pytest
from hypothesis import given, strategies as st
from matplotlib.figure import Figure

from emulator.reports import figures
from emulator.reports.direct_labels import spread_out
from emulator.reports.run_report import Study

Studies = Callable[..., Study]
SIZES = st.lists(st.tuples(st.floats(0, 100), st.floats(1, 10)), min_size=1, max_size=10)


@given(SIZES)
def test_parts_are_spread_out_within_their_room(parts: list[tuple[float, float]]) -> None:
    wanted, sizes = sorted(place for place, _ in parts), [size for _, size in parts]
    middles = spread_out(wanted, sizes, 0, 100)
    ends = [(m - size / 2, m + size / 2) for m, size in zip(middles, sizes, strict=True)]
    assert ends[0][0] >= -1e-6
    assert ends[-1][1] <= 100 + 1e-6
    assert all(above >= end - 1e-6 for (_, end), (above, _) in pairwise(ends))


@given(SIZES)
def test_parts_that_fit_do_not_move(parts: list[tuple[float, float]]) -> None:
    sizes = [size for _, size in parts]
    wanted = [10.0 * k + 5 for k in range(len(parts))]
    assert spread_out(wanted, sizes, 0, 100) == pytest.approx(wanted)


def test_parts_move_as_little_as_possible() -> None:
    assert spread_out([50.0, 50.0], [10, 10], 0, 100) == [45, 55]
    assert spread_out([0.0, 99.0], [10, 10], 0, 100) == [5, 95]


def names(drawn: Figure) -> list[str]:
    texts = [text for axes in drawn.axes for text in axes.texts]
    return [text.get_text() for text in texts if (text.get_gid() or "").startswith("name-")]


@pytest.mark.parametrize("width_in", [figures.SINGLE_IN, figures.DOUBLE_IN])
@pytest.mark.parametrize("name", ["accuracy_over_time", "accuracy_by_variant", "time_over_target"])
def test_names_touch_no_other_name(study_of: Studies, width_in: float, name: str) -> None:
    study = study_of({"A": 0.1, "B": 0.08, "a method": 0.03}, {"x": 1, "y": 2})
    drawn = figures.figures(width_in)[name](study)
    drawn.draw_without_rendering()
    texts = [text for axes in drawn.axes for text in axes.texts]
    boxes = [
        text.get_window_extent() for text in texts if (text.get_gid() or "").startswith("name-")
    ]
    if boxes:
        assert sorted(names(drawn)) == ["A", "B", "a method"]
        assert not drawn.legends
    else:
        assert len(drawn.legends) == 1
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    assert all(drawn.bbox.x0 <= box.x0 and box.x1 <= drawn.bbox.x1 for box in boxes)


def test_few_lines_are_named_and_many_have_a_legend(study_of: Studies) -> None:
    few = study_of({"A": 0.1, "B": 0.05}, {"x": 1})
    drawn = figures.figures(figures.DOUBLE_IN)["accuracy_by_variant"](few)
    assert sorted(names(drawn)) == ["A", "B"]
    many = study_of({f"method number {k}": 0.1 for k in range(20)}, {"x": 1})
    drawn = figures.figures(figures.SINGLE_IN)["accuracy_by_variant"](many)
    assert names(drawn) == []
    assert len(drawn.legends[0].get_texts()) == 20


def test_a_method_that_ends_early_in_one_panel_is_named_in_another(study_of: Studies) -> None:
    """The names of one panel name all lines, so that panel has them all."""
    study = study_of({"A": 0.1, "B": 0.05}, {"x": 1, "y": 2})
    kept = tuple(o for o in study.outcomes if (o.method, o.variant) != ("B", "y"))
    curves = {e: c for e, c in study.curves.items() if (e.method, e.variant) != ("B", "y")}
    part = replace(study, outcomes=kept, curves=curves)
    drawn = figures.figures(figures.DOUBLE_IN)["time_over_target"](part)
    assert names(drawn) in ([], ["A", "B"])
    assert bool(names(drawn)) != bool(drawn.legends)
