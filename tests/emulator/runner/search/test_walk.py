"""The walk as a pure function: what it finds, what it measures, and in which order."""

import itertools

import pytest
from hypothesis import given, settings, strategies as st

from emulator.runner.search.lattice import Point, grid, moves
from emulator.runner.search.walk import Score, walk

POINTS = grid([4, 8, 16], [1, 0.25, 0.0625], [0.25, 0.0625, 0.015625])


def scored(times):
    return {point: Score(0, float(time_s), 0.0) for point, time_s in times.items()}


def walked(table, start, most=None, expected=lambda *_: 0.0):
    """The steps of a walk, and the points that it measured."""
    measured = []

    def measure(point, best):
        assert best == (min(map(table.get, measured)) if measured else None)
        measured.append(point)
        return table[point]

    steps = list(walk(start, list(table), measure, expected, most or len(table)))
    return steps, measured


def end_of(steps, start):
    return (steps[-1].to if steps[-1].moved else steps[-1].here) if steps else start


def unimodal(size):
    """Values with one valley: they fall up to a place and rise after it."""

    @st.composite
    def drawn(draw):
        falls = st.lists(st.integers(1, 9), min_size=size - 1, max_size=size - 1)
        bottom = draw(st.integers(0, size - 1))
        signs = [-1 if place < bottom else 1 for place in range(size - 1)]
        steps = [sign * step for sign, step in zip(signs, draw(falls), strict=True)]
        return [100 + each for each in itertools.accumulate(steps, initial=0)]

    return drawn()


tables = st.lists(
    st.builds(Score, st.integers(0, 2), st.integers(0, 9), st.integers(0, 9)),
    min_size=len(POINTS),
    max_size=len(POINTS),
).map(lambda scores: dict(zip(POINTS, scores, strict=True)))
orders = st.permutations(POINTS).map(lambda order: lambda _, to: order.index(to))


@settings(deadline=None)
@given(unimodal(3), unimodal(3), unimodal(3), st.sampled_from(POINTS), orders)
def test_the_best_point_of_a_separable_table_is_found(ranks, downs, ups, start, expected):
    sums = (sum(values) for values in itertools.product(ranks, downs, ups))
    table = scored(dict(zip(POINTS, sums, strict=True)))
    steps, _ = walked(table, start, expected=expected)
    assert table[end_of(steps, start)] == min(table.values())


@settings(deadline=None)
@given(tables, st.sampled_from(POINTS), st.integers(1, len(POINTS)), orders)
def test_any_walk_ends_measures_each_point_once_and_keeps_the_best(table, start, most, expected):
    steps, measured = walked(table, start, most, expected)
    end = end_of(steps, start)
    assert len(measured) == len(set(measured)) == len(steps) + 1 <= most
    assert table[end] == min(table[point] for point in measured)
    assert table[end] <= table[start]
    if len(measured) < most:
        assert all(move.to in measured for move in moves(end, list(table)))


@settings(deadline=None)
@given(tables, st.sampled_from(POINTS), orders)
def test_each_step_compares_the_best_so_far_with_a_neighbour(table, start, expected):
    here = start
    for step in walked(table, start, expected=expected)[0]:
        assert step.here == here
        assert sum(a != b for a, b in zip(step.here, step.to, strict=True)) == 1
        assert step.moved == (table[step.to] < table[step.here])
        here = step.to if step.moved else here


def test_a_coordinate_whose_last_move_failed_is_tried_last():
    """`up` is expected to be the fastest; after it failed, `down` and `rank` come before it."""
    start = Point(8, 0.25, 0.0625)
    table = scored({point: 1 if point == start else 2 for point in POINTS})
    order = {"up": 0, "down": 1, "rank": 2}

    def expected(here, to):
        (axis,) = (name for name in order if getattr(here, name) != getattr(to, name))
        return order[axis]

    steps, _ = walked(table, start, expected=expected)
    changed = [
        next(name for name in order if getattr(step.to, name) != getattr(start, name))
        for step in steps
    ]
    assert changed == ["up", "down", "rank", "up", "down", "rank"]


def test_the_neighbour_that_is_expected_to_be_fastest_is_tried_first():
    start = Point(8, 0.25, 0.0625)
    table = scored(dict.fromkeys(POINTS, 1))
    for first in [move.to for move in moves(start, POINTS)]:
        steps, _ = walked(table, start, 2, lambda _, to, first=first: float(to != first))
        assert [step.to for step in steps] == [first]


def test_equal_points_do_not_move_it():
    start = Point(8, 0.25, 0.0625)
    steps, measured = walked(scored(dict.fromkeys(POINTS, 1)), start)
    assert len(measured) == 7
    assert not any(step.moved for step in steps)


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (Score(0, 10, 0), Score(0, 11, 0)),
        (Score(0, 1e9, 0), Score(1, 1, 0)),
        (Score(1, 0, 0.4), Score(1, 0, 0.5)),
    ],
)
def test_a_target_that_was_reached_comes_first_then_time_then_accuracy(better, worse):
    assert better < worse
