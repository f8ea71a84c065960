"""Which method has the lowest time where, over one swept number or two.

docs/reference/metrics.md defines the numbers.
"""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import NamedTuple

from emulator.results.metadata import Setting, Swept
from emulator.results.metrics import Outcome

Times = Mapping[str, Mapping[str, Sequence[float]]]  # variant: method: seconds per run, inf: never


@dataclass(frozen=True, slots=True)
class Sweep:
    """The variants along one swept setting, by value; all others are the same in them.

    `rest` is what the names of these variants have in common; '' if they have nothing.
    """

    path: str
    unit: str
    rest: str
    values: tuple[float, ...]
    variants: tuple[str, ...]


class Segment(NamedTuple):
    """Neighbouring values of a sweep with one leader; None: no method reaches the target there.

    `first` and `last` are indices of the values.
    """

    leader: str | None
    first: int
    last: int


class Crossing(NamedTuple):
    """Between two neighbouring values of a sweep, the lead passes from `below` to `above`.

    `at` is where their median times would be equal, if the logarithm of their ratio is a line
    between the two values; None if one of the times is not known there.
    """

    below: str | None
    above: str | None
    low: float
    high: float
    at: float | None


class Cell(NamedTuple):
    """The method with the lowest median time in one cell of a map of two swept settings.

    `lead` is the median time of the next method, divided by its own; None if no other method
    reaches the target. It has the lowest time in `wins` of `runs`, pairs of a seed and a draw.
    `method` is None if no method reaches the target in the median.
    """

    x: float
    y: float
    variant: str
    method: str | None
    time_s: float | None
    lead: float | None
    wins: int
    runs: int


@dataclass(frozen=True)
class SweepMap:
    """The cells over two swept settings, of `columns` x values and `rows` y values."""

    x: Setting
    y: Setting
    rest: str
    columns: tuple[float, ...]
    rows: tuple[float, ...]
    cells: tuple[Cell, ...]


def sweeps(swept: Swept, variants: Iterable[str], path: str | None = None) -> list[Sweep]:
    """Return the sweeps of a study along `path`, or along its only swept setting; else none."""
    known = {variant: swept[variant] for variant in variants if swept.get(variant)}
    paths = _paths(known)
    if path is None and len(paths) != 1:
        return []
    groups: dict[str, list[tuple[float, str, Setting]]] = {}
    for variant, settings in known.items():
        one = next(each for each in settings if each.path == (path or paths[0]))
        groups.setdefault(_rest(variant, [one]), []).append((one.value, variant, one))
    found = []
    for rest, points in groups.items():
        values, names, settings = zip(*sorted(points, key=lambda p: p[0]), strict=True)
        found.append(Sweep(settings[0].path, settings[0].unit, rest, values, names))
    return found


def _paths(swept: Swept) -> list[str]:
    return list(dict.fromkeys(each.path for settings in swept.values() for each in settings))


def _rest(variant: str, settings: Sequence[Setting]) -> str:
    """Return the name of a variant without its parts for `settings`."""
    parts = variant.split(", ")
    for each in settings:
        if each.label in parts:
            parts.remove(each.label)
    return ", ".join(parts)


def times(outcomes: Iterable[Outcome]) -> Times:
    """Return the seconds to the target, or of the whole run without one, by variant and method."""
    found: dict[str, dict[str, list[float]]] = {}
    for each in outcomes:
        seconds = each.duration_s if each.target is None else each.time_to_target_s
        runs = found.setdefault(each.variant, {}).setdefault(each.method, [])
        runs.append(math.inf if seconds is None else seconds)
    return found


def _medians(of: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {method: statistics.median(seconds) for method, seconds in of.items()}


def segments(sweep: Sweep, of: Times) -> list[Segment]:
    """Return the leaders along a sweep: the methods with the lowest median time, in order."""
    leaders = [_leader(_medians(of.get(variant, {}))) for variant in sweep.variants]
    found, first = [], 0
    for leader, group in groupby(leaders):
        last = first + len(list(group)) - 1
        found.append(Segment(leader, first, last))
        first = last + 1
    return found


def _leader(medians: Mapping[str, float]) -> str | None:
    best = min(medians, key=medians.__getitem__, default=None)
    return None if best is None or math.isinf(medians[best]) else best


def crossings(sweep: Sweep, of: Times) -> list[Crossing]:
    """Return where the lead passes from one method to another."""
    found = []
    for one, other in pairwise(segments(sweep, of)):
        low, high = sweep.values[one.last], sweep.values[other.first]
        ends = [_medians(of[sweep.variants[k]]) for k in (one.last, other.first)]
        at = _equal(low, high, *(_ratio(end, one.leader, other.leader) for end in ends))
        found.append(Crossing(one.leader, other.leader, low, high, at))
    return found


def _ratio(medians: Mapping[str, float], one: str | None, other: str | None) -> float | None:
    """Return the logarithm of the ratio of two times; None if one is not known, or 0."""
    pair = [medians.get(each or "", math.inf) for each in (one, other)]
    return math.log(pair[0] / pair[1]) if all(0 < s < math.inf for s in pair) else None


def _equal(low: float, high: float, before: float | None, after: float | None) -> float | None:
    """Return the value with ratio 1, on a line over the logarithm of the value, or the value."""
    if before is None or after is None:
        return None
    share = before / (before - after) if before != after else 0.5
    if low > 0:
        return float(low * (high / low) ** share)
    return low + share * (high - low)


def maps(swept: Swept, outcomes: Sequence[Outcome]) -> list[SweepMap]:
    """Return the maps of a study with two swept settings; else none. x is the first one."""
    of = times(outcomes)
    known = {variant: swept[variant] for variant in of if swept.get(variant)}
    if len(_paths(known)) != 2:
        return []
    ranked = _best_runs(outcomes)
    groups: dict[str, list[tuple[Setting, Setting, str]]] = {}
    for variant, (x, y) in known.items():
        groups.setdefault(_rest(variant, [x, y]), []).append((x, y, variant))
    found = []
    for rest, places in groups.items():
        cells = [_cell(x.value, y.value, v, of[v], ranked.get(v, {})) for x, y, v in places]
        xs = tuple(sorted({cell.x for cell in cells}))
        ys = tuple(sorted({cell.y for cell in cells}))
        found.append(SweepMap(places[0][0], places[0][1], rest, xs, ys, tuple(cells)))
    return found


def _best_runs(outcomes: Iterable[Outcome]) -> dict[str, dict[tuple[int, int | None], set[str]]]:
    """Return the methods with the lowest time in each run (seed and draw) of each variant."""
    runs: dict[str, dict[tuple[int, int | None], dict[str, float]]] = {}
    for each in outcomes:
        seconds = each.duration_s if each.target is None else each.time_to_target_s
        if seconds is not None:
            run = each.seed, each.network_seed
            runs.setdefault(each.variant, {}).setdefault(run, {})[each.method] = seconds
    return {
        variant: {
            run: {method for method, s in of.items() if s == min(of.values())}
            for run, of in by_run.items()
        }
        for variant, by_run in runs.items()
    }


def _cell(
    x: float,
    y: float,
    variant: str,
    of: Mapping[str, Sequence[float]],
    best: Mapping[tuple[int, int | None], set[str]],
) -> Cell:
    medians = _medians(of)
    method = _leader(medians)
    if method is None:
        return Cell(x, y, variant, None, None, None, 0, len(best))
    own = medians[method]
    following = min((s for m, s in medians.items() if m != method), default=math.inf)
    lead = following / own if own and math.isfinite(following) else None
    wins = sum(method in leaders for leaders in best.values())
    return Cell(x, y, variant, method, own, lead, wins, len(best))
