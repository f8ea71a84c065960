"""What policies share: waiting for somebody to ask, and the server's step."""

from collections.abc import Callable, Generator, Sequence
from typing import Any

import numpy as np
import simpy
from numpy.typing import NDArray

from emulator.common.errors import StalledError
from emulator.common.units import format_duration
from emulator.simulation.rounds.client_task import Crowd, Visit, forget
from emulator.simulation.rounds.context import World
from emulator.simulation.selection.uniform import Clients


def available(world: World, crowd: Crowd) -> Clients:
    """Clients that are there, able, and not at work: int64, ascending."""
    free = _free(world, crowd)
    if world.fleet.presence:
        now_s = world.env.now
        for client in np.flatnonzero(free).tolist():
            free[client] = world.fleet.presence_of(client, now_s)[0]
    return np.flatnonzero(free)


def _free(world: World, crowd: Crowd) -> NDArray[np.bool_]:
    free: NDArray[np.bool_] = world.able.copy()
    free[list(crowd.flying)] = False
    return free


def next_arrival(world: World, crowd: Crowd) -> float:
    """When the next client that is away and not at work comes, seconds; inf if none ever does."""
    now_s = world.env.now
    changes = [
        until_s
        for client in np.flatnonzero(_free(world, crowd)).tolist()
        for here, until_s in [world.fleet.presence_of(client, now_s)]
        if not here
    ]
    return min(changes, default=float("inf"))


def somebody(world: World, crowd: Crowd) -> Generator[simpy.Event, Any, Clients]:
    """Those who are available; waits for one. Raises StalledError where none ever will be."""
    while not len(candidates := available(world, crowd)):
        wait_for: list[simpy.Event] = [visit.process for visit in crowd.flying.values()]
        if (then_s := next_arrival(world, crowd)) < float("inf"):
            wait_for.append(world.env.timeout(then_s - world.env.now))
        if not wait_for:
            raise StalledError(
                f"nobody is available after {format_duration(world.env.now)} of simulated time, "
                "and nobody ever will be again",
                "look at `availability`: longer or repeated windows, or an `always` group",
            )
        yield world.env.any_of(wait_for)
    return candidates


def merge(
    world: World,
    visits: Sequence[Visit],
    version: int,
    weight: Callable[[int], float],
    divisor: int | None = None,
) -> None:
    """One server step by `visits`, each weighted by its staleness over their number or `divisor`.

    In the order in which they began, so that what is learned depends on who took part alone.
    """
    visits = sorted(visits, key=lambda visit: visit.number)
    ages = [version - visit.version for visit in visits]
    uploads = [visit.upload for visit in visits if visit.upload is not None]
    assert len(uploads) == len(visits)
    parts = divisor or len(visits)
    world.trainer.aggregate(uploads, [weight(age) / parts for age in ages])
    for visit, age in zip(visits, ages, strict=True):
        world.journal.judge(visit.places, "used", age)


def discard(world: World, visits: Sequence[Visit], outcome: str) -> None:
    """Updates that arrived and will not be merged."""
    for visit in visits:
        world.journal.judge(visit.places, outcome)
    forget(world, list(visits))
