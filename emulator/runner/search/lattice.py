"""The points of a search: LoRA rank and FLASC's densities, and which points are neighbours."""

import itertools
import math
from collections.abc import Collection, Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

FACTOR = 4  # between the densities of a lattice that is not given
SIZE = 3  # how many densities such a lattice has in each direction


class Point(NamedTuple):
    """A configuration: LoRA rank, and shares of the entries that are sent down and up."""

    rank: int
    down: float
    up: float


class Move(NamedTuple):
    """A neighbour, and the coordinate in which it differs."""

    axis: str
    to: Point


def moves(here: Point, points: Collection[Point]) -> Iterator[Move]:
    """The neighbours of `here`: the nearest points below and above it on each coordinate.

    `here` is one of `points`. Where points are missing, a step leads over the gap.
    """
    for number, axis in enumerate(Point._fields):
        line = sorted(p for p in points if _others(p, number) == _others(here, number))
        at = line.index(here)
        yield from (Move(axis, p) for p in (*line[max(at - 1, 0) : at], *line[at + 1 : at + 2]))


def _others(point: Point, number: int) -> tuple[float, ...]:
    return (*point[:number], *point[number + 1 :])


def grid(ranks: Sequence[int], downs: Sequence[float], ups: Sequence[float]) -> list[Point]:
    """Every combination, once."""
    return [Point(*each) for each in dict.fromkeys(itertools.product(ranks, downs, ups))]


def densities_around(density: float) -> list[float]:
    """Three densities in steps of a factor of 4: one above `density` if it is at most 1."""
    most = density * FACTOR if density * FACTOR <= 1 else density
    return [most / FACTOR**step for step in range(SIZE)]


def nearest(point: Point, points: Collection[Point]) -> Point:
    """The point with the least distance to `point`, in factors of each coordinate."""

    def distance(other: Point) -> float:
        return sum(abs(math.log(a / b)) for a, b in zip(point, other, strict=True))

    return min(points, key=distance)


def density_value(density: float) -> float | str:
    """A density as it is written in a scenario: '1/16' if it is such a fraction."""
    fraction = Fraction(density).limit_denominator(4096)
    is_short = fraction.denominator > 1 and float(fraction) == density
    return str(fraction) if is_short else int(density) if density == 1 else density


def name(point: Point, usual_rank: int) -> str:
    """The name of a method that has no name yet; the rank is in it if it is not the usual one."""
    rank = "" if point.rank == usual_rank else f" r{point.rank}"
    return f"FLASC{rank} {density_value(point.down)} down, {density_value(point.up)} up"


def describe(point: Point) -> str:
    """A point in a message: 'rank 16, 1/4 down, 1/16 up'."""
    return f"rank {point.rank}, {density_value(point.down)} down, {density_value(point.up)} up"
