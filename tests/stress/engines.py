"""Random scenarios by both engines: the compiled network and the reference must agree.

The worlds are those of `invariants`, without what the compiled network leaves to the reference.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import invariants
from campaign import Tally

from emulator.scenario.scenario import Scenario
from emulator.simulation.compiled import synchronous
from emulator.simulation.compiled.network import CompiledNetwork
from emulator.simulation.compiled.plan import Plans
from emulator.simulation.event_table import EventTable
from emulator.simulation.records import (
    Absence,
    Computation,
    Evaluation,
    PathRate,
    Round,
    Row,
    Transfer,
)
from emulator.simulation.rounds.logged import (
    LoggedRound,
    LoggedTrainer,
    LoggedTraining,
    LoggedVisit,
)
from emulator.simulation.simulate import simulate
from emulator.simulation.trainer import Trainer

CLOSE = 1e-9  # of a time, relative
TOGETHER = 1e-12  # of a time, relative: closer events are at one time but for rounding
MAX_ROWS = 5_000  # per simulation
APPLICATIONS = ("https", "grpc", {"preset": "flower", "arrays": 5})


class Counted(CompiledNetwork):
    """How many simulations the compiled network has begun."""

    count = 0

    def __init__(self, *arguments: Any) -> None:
        Counted.count += 1
        super().__init__(*arguments)


@dataclass
class Seen:
    """What a campaign has seen."""

    ties: int = 0  # not compared
    long: int = 0  # not compared either
    interrupted: int = 0  # scenarios in which a client left during its task
    worst: float = 0.0  # difference of a time, relative


def scenario(rng: Random, is_logged: bool) -> Scenario:
    """A scenario that the compiled network can simulate; a message log knows no absences."""
    found = invariants.document(rng)
    groups, leave = found["network"]["groups"].values(), rng.random() < 0.6
    for group in groups:
        if is_logged:
            group.pop("availability", None)
        elif leave and rng.random() < 0.8:
            group["availability"] = invariants.availability(rng)
    if found["network"]["transport"] == "tcp" and rng.random() < 0.3:
        found["network"]["application"] = rng.choice(APPLICATIONS)
    is_plain = (found["policy"], found["selection"]) == ("synchronous", "uniform")
    is_plain &= not any("availability" in group for group in groups)
    if is_plain and rng.random() < 0.4:
        found["training"]["dp"] = {"clip": 1, "noise": 1, "delta": 1e-5, "sampling": "poisson"}
    return Scenario.model_validate(found)


def message_log(rng: Random, clients: int) -> LoggedTraining:
    """What another program may have logged."""

    def visit() -> LoggedVisit:
        failed = rng.random() < 0.1
        sizes = rng.choice((0, 1, 50_000)), rng.choice((0, 1, 40_000))
        seconds = rng.choice((None, 0.0, 0.3, rng.uniform(0, 9)))
        return LoggedVisit(*sizes, seconds, rng.choice((None, 0, 30)), rng.randrange(3), failed)

    rounds = []
    for _ in range(rng.randint(1, 6)):
        chosen = rng.sample(range(clients), rng.randint(1, clients))
        visits = {client: visit() for client in chosen}
        arrived = sum(not each.failed for each in visits.values())
        rounds.append(LoggedRound(visits, rng.randint(0, arrived)))
    return LoggedTraining(rounds)


def described(row: Row) -> tuple[object, tuple[float, ...]]:
    """A row without its times, and its times."""
    match row:
        case Transfer() | Computation() | Absence() | Round():
            rest = tuple(value for value in row if not isinstance(value, float))
            return (type(row), rest), (row.start_s, row.finish_s)
        case Evaluation():
            return (type(row), row.round, row.accuracy), (row.time_s,)
        case PathRate():  # the mean rates of short transfers are much less certain than their times
            return (type(row), row.round, row.client, row.direction), ()
        case _:
            return row, ()


def times(rows: Sequence[Row]) -> Mapping[object, list[tuple[float, ...]]]:
    """The times of all rows by what they say, in their order."""
    found: dict[object, list[tuple[float, ...]]] = {}
    for row in rows:
        what, when = described(row)
        found.setdefault(what, []).append(when)
    return found


class TiedError(Exception):
    """What differs may follow from the order of two events at one time, or but for rounding."""


def tied(rows: Sequence[Row]) -> bool:
    """Whether two events are at times that differ by rounding alone."""
    found = sorted({time_s for row in rows for time_s in described(row)[1]})
    return any(0 < b_s - a_s <= TOGETHER * b_s for a_s, b_s in pairwise(found))


def at_once(rows: Sequence[Row], time_s: float) -> bool:
    """Whether messages or computations of several clients end at a time, but for rounding."""
    ends = (row for row in rows if isinstance(row, Transfer | Computation))
    return len({row.client for row in ends if abs(row.finish_s - time_s) <= TOGETHER * time_s}) > 1


def agree(one: Sequence[Row], other: Sequence[Row]) -> float:
    """The same rows, whose times differ by rounding; returns by how much at most, relative."""
    found, expected = times(one), times(other)
    if different := found.keys() ^ expected.keys():
        rows = [*one, *other]
        ends_s = {when[-1] for what in different for when in (found | expected)[what] if when}
        if tied(one) or tied(other) or any(at_once(rows, end_s) for end_s in ends_s):
            raise TiedError
    assert found.keys() == expected.keys()
    worst = 0.0
    for what, all_times in expected.items():
        for here, there in zip(found[what], all_times, strict=True):
            for a_s, b_s in zip(here, there, strict=True):
                assert abs(a_s - b_s) <= CLOSE * max(a_s, b_s), (what, a_s, b_s)
                worst = max(worst, abs(a_s - b_s) / max(a_s, b_s, 1e-300))
    return worst


def limited() -> Callable[[object], None]:
    """Ends a simulation that has too many rows."""
    left = MAX_ROWS

    def notice(more: object) -> None:
        nonlocal left
        before, left = left, left - (len(more) if isinstance(more, EventTable) else 1)
        if left < 0 <= before:  # once: the rows that end it are noticed as well
            raise invariants.LongEnoughError

    return notice


def check(rng: Random, seen: Seen) -> None:
    """One scenario by both, and once more by the plan of the first."""
    is_logged = rng.random() < 0.2
    found, seed = scenario(rng, is_logged), rng.randrange(5)
    log = message_log(rng, found.clients) if is_logged else None
    sizes = rng.choice((0, 1, 1_000, 40_000)), rng.choice((0, 1, 700, 30_000))

    def by(engine: str, plans: Plans | None = None) -> Sequence[Row]:
        chosen = found.simulation.model_copy(update={"engine": engine})
        settings = found.model_copy(update={"simulation": chosen})
        trainer: Trainer = invariants.Live(*sizes)
        if log:
            trainer = LoggedTrainer(log, modelled=found.compute is not None)
        return simulate(settings, seed, trainer, limited(), plans=plans)

    expected, plans = by("reference"), Plans()
    away = any(isinstance(row, Absence) for row in expected)
    seen.interrupted += away or any(getattr(row, "outcome", "") == "cut" for row in expected)
    first = by("compiled", plans)
    seen.worst = max(seen.worst, agree(first, expected))
    again = by("compiled", plans)
    assert list(again) == list(first) or times(again).keys() == times(first).keys()
    agree(again, first)


def campaign(_folder: Path, seed: int, count: int, only: int = -1) -> Tally:
    """`count` scenarios; with `only`, that one alone."""
    tally = Tally("engines", seed)
    synchronous.CompiledNetwork = Counted
    seen = Seen()

    def act(rng: Random) -> None:
        try:
            check(rng, seen)
        except TiedError:
            seen.ties += 1
        except invariants.LongEnoughError:
            seen.long += 1

    for number in range(count) if only < 0 else [only]:
        rng = Random(f"{seed}/{number}")
        tally.attempt(f"case {number}", functools.partial(act, rng), limit_s=300)
    tally.note = (
        f"{Counted.count:,} by the compiled network, {seen.interrupted:,} with clients that left "
        f"during a task, {seen.ties} not compared for ties, {seen.long} for too many rows, "
        f"worst difference {seen.worst:.0e}"
    )
    return tally
