"""Steps that policies share: find or await available clients, aggregate or discard updates."""

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
    """Clients that are available, eligible and not at work: int64, ascending."""
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
    """When the next unavailable idle client becomes available, seconds; inf if none ever does."""
    now_s = context.env.now
    changes = [
        until_s
        for client in np.flatnonzero(_free(context, tasks)).tolist()
        for available, until_s in [context.fleet.availability_at(client, now_s)]
        if not available
    ]
    return min(changes, default=float("inf"))


def wait_for_clients(
    context: SimulationContext, tasks: ActiveTasks
) -> Generator[simpy.Event, Any, Clients]:
    """Waits for available clients and returns them. Raises StalledError if there never are any."""
    while not len(candidates := available_clients(context, tasks)):
        wait_for: list[simpy.Event] = [task.over for task in tasks.active.values()]
        if (then_s := next_available_s(context, tasks)) < float("inf"):
            wait_for.append(context.env.timeout(then_s - context.env.now))
        if not wait_for:
            raise StalledError(
                f"no client is available after {format_duration(context.env.now)} of simulated "
                "time, and none ever will be",
                "change `availability`: longer or repeated windows, or a group with `always`",
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
    """Aggregates updates: each weight, by staleness, is divided by their number or `divisor`.

    Updates are sorted by the start of their tasks, so that the result depends only on which clients
    took part.
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
    """Drops updates that arrived and will not be aggregated."""
    for task in client_tasks:
        context.log.set_outcome(task.row_numbers, outcome)
    release(context, list(client_tasks))
