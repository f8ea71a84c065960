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
from emulator.simulation.rounds.client_task import ActiveTasks, ClientTask, Process, active_tasks
from emulator.simulation.rounds.context import EndOfInstant, SimulationContext
from emulator.simulation.rounds.evaluation import Evaluator
from emulator.simulation.rounds.staleness import Polynomial, Staleness
from emulator.simulation.selection.base import Clients
from flasc.common.settings import PositiveInt

PATIENCE = 100  # failed tasks per client in a row, after which the simulation fails


class Buffered(PolicySettings):
    """FedBuff: `concurrency` clients work at all times; a server step per `buffer` updates."""

    kind: Literal["buffered"]
    concurrency: PositiveInt
    """number of clients that work at a time"""
    buffer: PositiveInt
    """updates per server step"""
    staleness: Staleness = Polynomial(kind="polynomial")
    """weight of an update by its staleness s, the number of server steps since its download"""

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
    """FedAsync (Xie et al. 2019): a server step per update, so FedBuff with a buffer of one."""

    kind: Literal["asynchronous"]
    concurrency: PositiveInt
    """number of clients that work at a time"""
    staleness: Staleness = Polynomial(kind="polynomial")
    """weight of an update by its staleness s, the number of server steps since its download"""

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
    """Keeps `concurrency` clients at work; one server step per `buffer` updates of any age.

    All updates that arrive at one instant are counted before the next clients are selected. A
    round is one server step; a client task belongs to the round in which it started.
    """
    env, evaluator = context.env, Evaluator(context)
    arrived: list[ClientTask] = []
    served: set[int] = set()  # clients that received the current version
    begun_s, version, draws, lost = 0.0, 0, 0, 0
    change = env.event()

    def ended(task: ClientTask) -> None:
        nonlocal lost
        lost = 0 if task.arrived else lost + 1
        if task.arrived:
            arrived.append(task)
        if not change.triggered:
            change.succeed()

    tasks = active_tasks(context, ended)
    while True:
        change = env.event()
        if not tasks.active:
            yield from wait_for_clients(context, tasks)
        candidates = _others(available_clients(context, tasks), served)
        if count := min(concurrency - len(tasks.active), len(candidates)):
            draws += 1
            for client in context.selector.select(draws, candidates, count).tolist():
                tasks.start(version + 1, version, client)
                served.add(client)
        yield from _wait(context, tasks, change, len(tasks.active) < concurrency)
        while len(arrived) >= buffer:
            aggregate(context, arrived[:buffer], version, weight)
            del arrived[:buffer]
            version += 1
            served.clear()
            context.log.add(Round(version, concurrency, begun_s, env.now, buffer))
            begun_s = env.now
            if evaluator.evaluate_round(version):
                discard(context, arrived, "unfinished")
                tasks.stop("unfinished")
                yield EndOfInstant(env)
                return
        if lost > PATIENCE * len(context.fleet):
            raise StalledError(
                f"{lost} client tasks in a row failed because clients left",
                "use longer availability, or let clients resume their work (on_return: resume)",
            )


def _others(candidates: Clients, served: set[int]) -> Clients:
    """Candidates that have not received this version; all candidates if there are none.

    A client that trains the same version twice returns the same update.
    """
    others = candidates[[client not in served for client in candidates.tolist()]]
    return others if len(others) else candidates


def _wait(
    context: SimulationContext, tasks: ActiveTasks, change: simpy.Event, idle: bool
) -> Process:
    """Waits until a task ends or, if `idle`, a client becomes available; then for that instant."""
    wait_for: list[simpy.Event] = [change]
    if idle and (then_s := next_available_s(context, tasks)) < float("inf"):
        wait_for.append(context.env.timeout(then_s - context.env.now))
    yield context.env.any_of(wait_for)
    yield EndOfInstant(context.env)
