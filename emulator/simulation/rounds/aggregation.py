"""What policies share: waiting for somebody to ask, and the server's step."""

from collections.abc import Callable, Generator, Sequence
from typing import Any

import numpy as np
import simpy
from numpy.typing import NDArray

from emulator.common.errors import StalledError
from emulator.common.units import format_duration
from emulator.simulation.rounds.client_task import ActiveTasks, ClientTask, release
from emulator.simulation.rounds.context import SimulationContext
from emulator.simulation.selection.base import Clients


def available_clients(context: SimulationContext, tasks: ActiveTasks) -> Clients:
    """Clients that are there, able, and not at work: int64, ascending."""
    free = _free(context, tasks)
    if context.fleet.availability:
        now_s = context.env.now
        for client in np.flatnonzero(free).tolist():
            free[client] = context.fleet.availability_at(client, now_s)[0]
    return np.flatnonzero(free)


def _free(context: SimulationContext, tasks: ActiveTasks) -> NDArray[np.bool_]:
    free: NDArray[np.bool_] = context.eligible.copy()
    free[list(tasks.active)] = False
    return free


def next_available_s(context: SimulationContext, tasks: ActiveTasks) -> float:
    """When the next client that is away and not at work comes, seconds; inf if none ever does."""
    now_s = context.env.now
    changes = [
        until_s
        for client in np.flatnonzero(_free(context, tasks)).tolist()
        for here, until_s in [context.fleet.availability_at(client, now_s)]
        if not here
    ]
    return min(changes, default=float("inf"))


def wait_for_clients(
    context: SimulationContext, tasks: ActiveTasks
) -> Generator[simpy.Event, Any, Clients]:
    """Those who are available; waits for one. Raises StalledError where none ever will be."""
    while not len(candidates := available_clients(context, tasks)):
        wait_for: list[simpy.Event] = [task.process for task in tasks.active.values()]
        if (then_s := next_available_s(context, tasks)) < float("inf"):
            wait_for.append(context.env.timeout(then_s - context.env.now))
        if not wait_for:
            raise StalledError(
                f"nobody is available after {format_duration(context.env.now)} of simulated time, "
                "and nobody ever will be again",
                "look at `availability`: longer or repeated windows, or an `always` group",
            )
        yield context.env.any_of(wait_for)
    return candidates


def aggregate(
    context: SimulationContext,
    client_tasks: Sequence[ClientTask],
    version: int,
    weight: Callable[[int], float],
    divisor: int | None = None,
) -> None:
    """One server step by `visits`, each weighted by its staleness over their number or `divisor`.

    In the order in which they began, so that what is learned depends on who took part alone.
    """
    client_tasks = sorted(client_tasks, key=lambda task: task.number)
    ages = [version - task.version for task in client_tasks]
    uploads = [task.upload for task in client_tasks if task.upload is not None]
    assert len(uploads) == len(client_tasks)
    parts = divisor or len(client_tasks)
    context.trainer.aggregate(uploads, [weight(age) / parts for age in ages])
    for task, age in zip(client_tasks, ages, strict=True):
        context.log.set_outcome(task.row_numbers, "used", age)


def discard(context: SimulationContext, client_tasks: Sequence[ClientTask], outcome: str) -> None:
    """Updates that arrived and will not be merged."""
    for task in client_tasks:
        context.log.set_outcome(task.row_numbers, outcome)
    release(context, list(client_tasks))
