"""Rounds of a cohort each, ended by a rule: what synchronous rounds and deadlines share."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import simpy

from emulator.simulation.records import Round
from emulator.simulation.rounds.aggregation import aggregate, discard, wait_for_clients
from emulator.simulation.rounds.client_task import ActiveTasks, ClientTask, Process
from emulator.simulation.rounds.context import EndOfInstant, SimulationContext
from emulator.simulation.rounds.evaluation import Evaluator
from emulator.simulation.rounds.staleness import Constant, Late


@dataclass(frozen=True)
class RoundRule:
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


def run_rounds(context: SimulationContext, rules: Iterable[RoundRule]) -> Process:
    """A round by each of `rules`, until the last one, or enough evaluations lie past the target.

    `rules` never end. Each is asked for when its round begins: it may go by the rows so far.

    A round that nobody's update reached in time makes no step; it is a round all the same.
    """
    env, examiner, version = context.env, Evaluator(context), 0
    arrived: list[ClientTask] = []
    at_work = 0  # of those asked
    closed = env.event()
    rule = RoundRule(0, 0)

    def close() -> None:
        if not closed.triggered:
            closed.succeed()

    def ended(task: ClientTask) -> None:
        nonlocal at_work
        at_work -= task.round == number
        if task.arrived:
            arrived.append(task)
        if len(arrived) >= rule.first or not at_work:
            close()

    tasks = ActiveTasks(context, ended)
    for number, rule in enumerate(rules, 1):  # `ended` goes by it
        start_s = env.now
        candidates = yield from wait_for_clients(context, tasks)
        chosen = context.selector.select(number, candidates, min(rule.select, len(candidates)))
        closed = env.event()
        for client in chosen.tolist():
            tasks.start(number, version, client)
        at_work, active = len(chosen), len(tasks.active)
        if not at_work:
            close()
        if rule.deadline_s < float("inf"):
            yield from _until(env, closed, rule.deadline_s)
        else:
            yield closed
        counted = rule.first if rule.late == "drop" else len(arrived)
        used, arrived[:] = arrived[:counted], arrived[counted:]
        if rule.late == "drop":
            if tasks.active:
                tasks.stop("late")
                yield EndOfInstant(env)
            discard(context, arrived, "late")
            arrived.clear()
        if used or rule.divisor:
            aggregate(context, used, version, rule.weight, rule.divisor)
            version += 1
        context.log.add(Round(number, active, start_s, env.now, len(used)))
        if examiner.evaluate_round(number):
            break
    tasks.stop("unfinished")
    if tasks.active:
        yield EndOfInstant(env)
    discard(context, arrived, "unfinished")


def _until(env: simpy.Environment, closed: simpy.Event, deadline_s: float) -> Process:
    """Wait for `closed`, for `deadline_s` at most; what arrives at that very instant is in time."""
    deadline = env.timeout(deadline_s)
    yield closed | deadline
    if not closed.triggered:
        yield EndOfInstant(env)
