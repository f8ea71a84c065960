"""Rounds with one cohort each, ended by a rule: shared by synchronous and deadline policies."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import simpy

from emulator.simulation.records import Round
from emulator.simulation.rounds.aggregation import aggregate, discard, wait_for_clients
from emulator.simulation.rounds.client_task import ClientTask, Process, active_tasks
from emulator.simulation.rounds.context import EndOfInstant, SimulationContext
from emulator.simulation.rounds.evaluation import Evaluator
from emulator.simulation.rounds.staleness import Constant, Late


@dataclass(frozen=True)
class RoundRule:
    """`select` clients take part; `first` updates or `deadline_s` end the round.

    Late updates are used in the round in which they arrive, weighted by `weight` of their
    staleness, or ('drop') interrupted when their round ends. The sum of updates is divided by their
    number, or by `divisor` if given; then a round makes a server step even without updates.
    """

    select: int
    first: int
    deadline_s: float = float("inf")
    late: Late = "drop"
    weight: Callable[[int], float] = Constant().weight
    divisor: int | None = None


def run_rounds(
    context: SimulationContext, rules: Iterable[RoundRule], evaluator: Evaluator | None = None
) -> Process:
    """Simulates one round per rule, until the last round or enough evaluations after the target.

    `rules` is endless. Each rule is taken when its round begins, so it may depend on earlier rows.
    A round without an update in time makes no server step, but counts as a round. `evaluator`
    decides when the model is scored; None: as the scenario says.
    """
    env, version = context.env, 0
    evaluator = evaluator or Evaluator(context)
    arrived: list[ClientTask] = []
    at_work = 0  # clients of this round
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

    tasks = active_tasks(context, ended)
    for number, rule in enumerate(rules, 1):  # `ended` reads both
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
        if evaluator.evaluate_round(number):
            break
    tasks.stop("unfinished")
    if tasks.active:
        yield EndOfInstant(env)
    discard(context, arrived, "unfinished")


def _until(env: simpy.Environment, closed: simpy.Event, deadline_s: float) -> Process:
    """Waits for `closed`, at most `deadline_s`; an update at that very instant is in time."""
    deadline = env.timeout(deadline_s)
    yield closed | deadline
    if not closed.triggered:
        yield EndOfInstant(env)
