"""Buffered asynchronous aggregation: FedBuff (Nguyen et al., AISTATS 2022)."""

import simpy

from emulator.common.errors import StalledError
from emulator.simulation.policies.base import Asynchronous, Buffered
from emulator.simulation.records import Round
from emulator.simulation.rounds.aggregation import available, discard, merge, next_arrival, somebody
from emulator.simulation.rounds.client_task import Crowd, Process, Visit
from emulator.simulation.rounds.context import Settled, World
from emulator.simulation.rounds.evaluation import Examiner
from emulator.simulation.selection.uniform import Clients

PATIENCE = 100  # visits a client in a row that come to nothing, before the run is given up


def buffered(world: World, policy: Buffered | Asynchronous) -> Process:
    """`concurrency` clients at work; a step for every `buffer` updates, however old they are.

    What happens at one instant happens together: all updates that arrive count before the next
    clients are asked. A round is one server step; a visit belongs to the round in which it began.
    """
    env, examiner = world.env, Examiner(world)
    buffer = policy.buffer if isinstance(policy, Buffered) else 1
    arrived: list[Visit] = []
    fresh: set[int] = set()  # who has got the current version already
    begun_s, version, draws, lost = 0.0, 0, 0, 0
    change = env.event()

    def ended(visit: Visit) -> None:
        nonlocal lost
        lost = 0 if visit.arrived else lost + 1
        if visit.arrived:
            arrived.append(visit)
        if not change.triggered:
            change.succeed()

    crowd = Crowd(world, ended)
    while True:
        change = env.event()
        if not crowd.flying:
            yield from somebody(world, crowd)
        candidates = _others(available(world, crowd), fresh)
        if count := min(policy.concurrency - len(crowd.flying), len(candidates)):
            draws += 1
            for client in world.selector.choose(draws, candidates, count).tolist():
                crowd.start(version + 1, version, client)
                fresh.add(client)
        yield from _wait(world, crowd, change, len(crowd.flying) < policy.concurrency)
        while len(arrived) >= buffer:
            merge(world, arrived[:buffer], version, policy.staleness.weight)
            del arrived[:buffer]
            version += 1
            fresh.clear()
            world.journal.add(Round(version, policy.concurrency, begun_s, env.now, buffer))
            begun_s = env.now
            if examiner.ends_with(version):
                discard(world, arrived, "unfinished")
                crowd.stop("unfinished")
                yield Settled(env)
                return
        if lost > PATIENCE * len(world.fleet):
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


def _wait(world: World, crowd: Crowd, change: simpy.Event, idle: bool) -> Process:
    """Until a visit ends, or somebody comes to an `idle` place; and all else of that instant."""
    wait_for: list[simpy.Event] = [change]
    if idle and (then_s := next_arrival(world, crowd)) < float("inf"):
        wait_for.append(world.env.timeout(then_s - world.env.now))
    yield world.env.any_of(wait_for)
    yield Settled(world.env)
