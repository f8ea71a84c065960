"""Buffered asynchronous aggregation: FedBuff (Nguyen et al., AISTATS 2022), and FedAsync."""

from collections.abc import Callable
from typing import Literal

import simpy
from typing_extensions import override

from emulator.common.errors import StalledError
from emulator.simulation.policies.base import PolicySettings
from emulator.simulation.records import Round
from emulator.simulation.rounds.aggregation import (
    aggregate,
    available_clients,
    discard,
    next_available_s,
    wait_for_clients,
)
from emulator.simulation.rounds.client_task import ActiveTasks, ClientTask, Process
from emulator.simulation.rounds.context import EndOfInstant, SimulationContext
from emulator.simulation.rounds.evaluation import Evaluator
from emulator.simulation.rounds.staleness import Polynomial, Staleness
from emulator.simulation.selection.base import Clients
from flasc.common.settings import PositiveInt

PATIENCE = 100  # fruitless tasks per client in a row, after which the run is given up


class Buffered(PolicySettings):
    """FedBuff: `concurrency` clients at work at all times, a step for `buffer` updates."""

    kind: Literal["buffered"]
    concurrency: PositiveInt
    buffer: PositiveInt
    staleness: Staleness = Polynomial(kind="polynomial")

    @override
    def max_concurrency(self, cohort: int) -> int:
        return self.concurrency

    @override
    def describe(self, cohort: int) -> list[str]:
        return [f"{self.concurrency} at work", f"a step for {self.buffer} updates"]

    @override
    def process(self, context: SimulationContext) -> Process:
        return run_buffered(context, self.concurrency, self.buffer, self.staleness.weight)


class Asynchronous(PolicySettings):
    """A step for every update: FedBuff with a buffer of one (FedAsync, Xie et al. 2019)."""

    kind: Literal["asynchronous"]
    concurrency: PositiveInt
    staleness: Staleness = Polynomial(kind="polynomial")

    @override
    def max_concurrency(self, cohort: int) -> int:
        return self.concurrency

    @override
    def describe(self, cohort: int) -> list[str]:
        return [f"{self.concurrency} at work", "a step for each update"]

    @override
    def process(self, context: SimulationContext) -> Process:
        return run_buffered(context, self.concurrency, 1, self.staleness.weight)


def run_buffered(
    context: SimulationContext, concurrency: int, buffer: int, weight: Callable[[int], float]
) -> Process:
    """`concurrency` clients at work; a step for every `buffer` updates, however old they are.

    What happens at one instant happens together: all updates that arrive count before the next
    clients are asked. A round is one server step; a visit belongs to the round in which it began.
    """
    env, examiner = context.env, Evaluator(context)
    arrived: list[ClientTask] = []
    fresh: set[int] = set()  # who has got the current version already
    begun_s, version, draws, lost = 0.0, 0, 0, 0
    change = env.event()

    def ended(task: ClientTask) -> None:
        nonlocal lost
        lost = 0 if task.arrived else lost + 1
        if task.arrived:
            arrived.append(task)
        if not change.triggered:
            change.succeed()

    tasks = ActiveTasks(context, ended)
    while True:
        change = env.event()
        if not tasks.active:
            yield from wait_for_clients(context, tasks)
        candidates = _others(available_clients(context, tasks), fresh)
        if count := min(concurrency - len(tasks.active), len(candidates)):
            draws += 1
            for client in context.selector.select(draws, candidates, count).tolist():
                tasks.start(version + 1, version, client)
                fresh.add(client)
        yield from _wait(context, tasks, change, len(tasks.active) < concurrency)
        while len(arrived) >= buffer:
            aggregate(context, arrived[:buffer], version, weight)
            del arrived[:buffer]
            version += 1
            fresh.clear()
            context.log.add(Round(version, concurrency, begun_s, env.now, buffer))
            begun_s = env.now
            if examiner.evaluate_round(version):
                discard(context, arrived, "unfinished")
                tasks.stop("unfinished")
                yield EndOfInstant(env)
                return
        if lost > PATIENCE * len(context.fleet):
            raise StalledError(
                f"{lost} clients in a row left before they were done",
                "let them stay longer, or take up their work again (on_return: resume)",
            )


def _others(candidates: Clients, fresh: set[int]) -> Clients:
    """Candidates that have not got this version yet, where there are any.

    The same client trains the same version to the same update: another one says something new.
    """
    others = candidates[[client not in fresh for client in candidates.tolist()]]
    return others if len(others) else candidates


def _wait(
    context: SimulationContext, tasks: ActiveTasks, change: simpy.Event, idle: bool
) -> Process:
    """Until a visit ends, or somebody comes to an `idle` place; and all else of that instant."""
    wait_for: list[simpy.Event] = [change]
    if idle and (then_s := next_available_s(context, tasks)) < float("inf"):
        wait_for.append(context.env.timeout(then_s - context.env.now))
    yield context.env.any_of(wait_for)
    yield EndOfInstant(context.env)
