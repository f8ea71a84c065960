"""Points, their neighbours and their names."""

import pytest

from emulator.runner.search import lattice
from emulator.runner.search.lattice import Move, Point

CENTRE = Point(8, 0.25, 0.0625)
POINTS = lattice.grid([4, 8, 16], [1, 0.25, 0.0625], [0.25, 0.0625, 0.015625])


def test_neighbours_are_one_step_away_in_one_coordinate():
    assert set(lattice.moves(CENTRE, POINTS)) == {
        Move("rank", CENTRE._replace(rank=4)),
        Move("rank", CENTRE._replace(rank=16)),
        Move("down", CENTRE._replace(down=1)),
        Move("down", CENTRE._replace(down=0.0625)),
        Move("up", CENTRE._replace(up=0.25)),
        Move("up", CENTRE._replace(up=0.015625)),
    }


def test_a_corner_has_fewer():
    assert {move.to for move in lattice.moves(Point(4, 1, 0.25), POINTS)} == {
        Point(8, 1, 0.25), Point(4, 0.25, 0.25), Point(4, 1, 0.0625)
    }  # fmt: skip


def test_a_step_leads_over_a_point_that_is_missing():
    known = [Point(16, 0.25, up) for up in (1, 0.25, 0.015625)] + [Point(16, 1, 0.0625)]
    assert {move.to for move in lattice.moves(known[1], known)} == {known[0], known[2]}


def test_a_value_given_twice_is_one_point():
    assert lattice.grid([16, 16], [1], [1, 1]) == [Point(16, 1, 1)]


@pytest.mark.parametrize(
    ("start", "around"),
    [(0.25, [1, 0.25, 0.0625]), (1, [1, 0.25, 0.0625]), (0.5, [0.5, 0.125, 0.03125])],
)
def test_densities_around_a_start_have_it_and_stay_at_most_one(start, around):
    assert lattice.densities_around(start) == around


@pytest.mark.parametrize(
    ("density", "written"), [(0.0625, "1/16"), (1.0, 1), (1 / 3, "1/3"), (0.123457, 0.123457)]
)
def test_a_density_is_written_as_a_fraction_that_is_the_same_number(density, written):
    assert lattice.density_value(density) == written


def test_the_nearest_point_is_so_in_factors():
    assert lattice.nearest(Point(16, 0.2, 0.02), POINTS) == Point(16, 0.25, 0.015625)


def test_a_name_has_the_rank_only_if_it_is_another_one():
    assert lattice.name(CENTRE, 8) == "FLASC 1/4 down, 1/16 up"
    assert lattice.name(CENTRE, 16) == "FLASC r8 1/4 down, 1/16 up"
