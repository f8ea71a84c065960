"""Rounds of a cohort each, ended by a rule: what synchronous rounds and deadlines share."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import simpy

from emulator.simulation.policies.base import Constant, Late
from emulator.simulation.records import Round
from emulator.simulation.rounds.aggregation import discard, merge, somebody
from emulator.simulation.rounds.client_task import Crowd, Process, Visit
from emulator.simulation.rounds.context import Settled, World
from emulator.simulation.rounds.evaluation import Examiner


@dataclass(frozen=True)
class Rule:
    """`select` clients are asked; `first` updates or `deadline_s` end the round.

    Late updates count in the round in which they arrive, by `weight` of their staleness, or
    ('drop') are broken off when their round ends. The sum of updates is divided by their number; by
    `divisor` where there is one, and then a round makes a step even with none.
    """

    select: int
    first: int
    deadline_s: float = float("inf")
    late: Late = "drop"
    weight: Callable[[int], float] = Constant().weight
    divisor: int | None = None


def cohorts(world: World, rules: Iterable[Rule]) -> Process:
    """A round by each of `rules`, until the last one, or enough evaluations lie past the target.

    `rules` never end. Each is asked for when its round begins: it may go by the rows so far.

    A round that nobody's update reached in time makes no step; it is a round all the same.
    """
    env, examiner, version = world.env, Examiner(world), 0
    arrived: list[Visit] = []
    at_work = 0  # of those asked
    closed = env.event()
    rule = Rule(0, 0)

    def close() -> None:
        if not closed.triggered:
            closed.succeed()

    def ended(visit: Visit) -> None:
        nonlocal at_work
        at_work -= visit.round == number
        if visit.arrived:
            arrived.append(visit)
        if len(arrived) >= rule.first or not at_work:
            close()

    crowd = Crowd(world, ended)
    for number, rule in enumerate(rules, 1):  # `ended` goes by it
        start_s = env.now
        candidates = yield from somebody(world, crowd)
        chosen = world.selector.choose(number, candidates, min(rule.select, len(candidates)))
        closed = env.event()
        for client in chosen.tolist():
            crowd.start(number, version, client)
        at_work, flying = len(chosen), len(crowd.flying)
        if not at_work:
            close()
        if rule.deadline_s < float("inf"):
            yield from _until(env, closed, rule.deadline_s)
        else:
            yield closed
        counted = rule.first if rule.late == "drop" else len(arrived)
        used, arrived[:] = arrived[:counted], arrived[counted:]
        if rule.late == "drop":
            if crowd.flying:
                crowd.stop("late")
                yield Settled(env)
            discard(world, arrived, "late")
            arrived.clear()
        if used or rule.divisor:
            merge(world, used, version, rule.weight, rule.divisor)
            version += 1
        world.journal.add(Round(number, flying, start_s, env.now, len(used)))
        if examiner.ends_with(number):
            break
    crowd.stop("unfinished")
    if crowd.flying:
        yield Settled(env)
    discard(world, arrived, "unfinished")


def _until(env: simpy.Environment, closed: simpy.Event, deadline_s: float) -> Process:
    """Wait for `closed`, for `deadline_s` at most; what arrives at that very instant is in time."""
    deadline = env.timeout(deadline_s)
    yield closed | deadline
    if not closed.triggered:
        yield Settled(env)
