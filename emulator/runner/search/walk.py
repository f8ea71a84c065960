"""The walk of a search: a pure function of what is measured at each point."""

from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from emulator.runner.search.lattice import Point, moves


class Score(NamedTuple):
    """What two points are compared by, on the same seeds; the lower one is better.

    Seeds that never reached the target come first, then the simulated seconds to the target, summed
    over the others. `shortfall`, 1 - accuracy or the loss, counts only if no seed reached it.
    """

    never: int
    time_s: float
    shortfall: float


class Step(NamedTuple):
    """A comparison of the point where the walk is with a neighbour; `moved` if that is better."""

    here: Point
    to: Point
    moved: bool


Measure = Callable[[Point, Score | None], Score]
Expected = Callable[[Point, Point], float]


def walk(
    start: Point, points: Collection[Point], measure: Measure, expected: Expected, most: int
) -> Iterator[Step]:
    """Compare the best point so far with one neighbour after the other, until none is better.

    `measure` gets a point, each at most once and `most` points in all, and the score that it has to
    beat (None for `start`). The neighbour with the least `expected` time from here is tried first,
    except that a coordinate whose last move failed is tried last.
    """
    known = {start: measure(start, None)}
    here, failed = start, set[str]()
    while len(known) < most:
        untried = [move for move in moves(here, points) if move.to not in known]
        if not untried:
            return
        axis, to = min(untried, key=lambda each: (each.axis in failed, expected(here, each.to)))
        known[to] = measure(to, known[here])
        moved = known[to] < known[here]
        (failed.discard if moved else failed.add)(axis)
        yield Step(here, to, moved)
        here = to if moved else here
