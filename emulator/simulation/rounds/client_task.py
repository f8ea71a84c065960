"""One client's part in a training: download, compute, upload, one after the other.

A policy may stop a visit ('late', 'unfinished') and its client may leave ('cut'): both interrupt
its process with the outcome as the cause. What has moved by then is charged.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import simpy

from emulator.simulation.records import Absence, Computation, Transfer
from emulator.simulation.rounds.context import World
from emulator.simulation.trainer import Download, Upload

Process = Generator[simpy.Event, Any, None]
PATIENCE = 100  # stays in a row too short for a single byte, before a transfer is given up


@dataclass(slots=True, eq=False)
class Visit:
    """`number` counts visits, `round` is the one that it began in, `version` the server's steps."""

    number: int
    round: int
    version: int
    client: int
    download: Download
    start_s: float
    upload: Upload | None = None
    arrived: bool = False
    places: list[int] = field(default_factory=list)  # of its rows, in the journal
    process: simpy.Process = field(init=False)


class Crowd:
    """The visits under way, in the order in which they began. `ended` is told of each that ends."""

    def __init__(self, world: World, ended: Callable[[Visit], None]) -> None:
        self.world = world
        self.flying: dict[int, Visit] = {}  # by client: nobody is asked twice at a time
        self._ended = ended
        self._begun = 0

    def start(self, round_: int, version: int, client: int) -> Visit:
        """Send `client` the current version and let it go about it."""
        download = self.world.trainer.download(client)
        self._begun += 1
        visit = Visit(self._begun, round_, version, client, download, self.world.env.now)
        self.flying[client] = visit
        visit.process = self.world.env.process(_life(self, visit))
        visit.process.callbacks.append(lambda _: self._end(visit))
        return visit

    def _end(self, visit: Visit) -> None:
        del self.flying[visit.client]
        seconds = self.world.env.now - visit.start_s
        if visit.arrived:
            assert visit.upload is not None
            self.world.selector.heard(visit.client, visit.upload.examples, seconds)
        else:
            self.world.selector.lost(visit.client, seconds)
            forget(self.world, [visit])
        self._ended(visit)

    def stop(self, outcome: str) -> None:
        """Break off all that are under way, as soon as the caller waits.

        One that has come to its end at this very instant ends then too, as if by itself.
        """
        for visit in self.flying.values():
            if visit.process.is_alive:
                visit.process.interrupt(outcome)

    def train(self) -> None:
        """Train everyone who has a download under way or done: as late, and as many, as can be."""
        due = [visit for visit in self.flying.values() if visit.upload is None]
        uploads = self.world.trainer.train([visit.download for visit in due])
        for visit, upload in zip(due, uploads, strict=True):
            visit.upload = upload


def forget(world: World, visits: list[Visit]) -> None:
    """Let go of what these visits will never need again."""
    messages = [m for v in visits for m in (v.download, v.upload) if m is not None]
    if messages:
        world.trainer.forget(messages)


def _life(crowd: Crowd, visit: Visit) -> Process:
    world = crowd.world
    try:
        _watch(world, visit)
        yield from _carry(world, visit, "down", world.charge(visit.download))
        if visit.upload is None:
            crowd.train()
        assert visit.upload is not None
        yield from _compute(world, visit, visit.upload)
        yield from _carry(world, visit, "up", world.charge(visit.upload))
        visit.arrived = True
    except simpy.Interrupt as stop:
        world.journal.judge(visit.places, str(stop.cause))


def _carry(world: World, visit: Visit, direction: str, nbytes: int) -> Process:
    """Move `nbytes`, in as many pieces as the client is away in between."""
    env, client = world.env, visit.client
    send = world.network.download if direction == "down" else world.network.upload
    in_vain = 0
    while True:
        start_s, stop, moved = env.now, None, nbytes
        arrival = send(client, nbytes)
        try:
            yield arrival
        except simpy.Interrupt as interrupt:
            stop = interrupt
            moved = min(round(world.network.cancel(arrival)), nbytes)
        row = Transfer(visit.round, client, direction, moved, start_s, env.now)
        visit.places.append(world.journal.add(row))
        if stop is None:
            return
        in_vain = 0 if moved else in_vain + 1
        if in_vain > PATIENCE:
            raise stop
        yield from _return(world, visit, stop)
        nbytes -= moved


def _compute(world: World, visit: Visit, upload: Upload) -> Process:
    """Take the fleet's time for the client's examples, in as many pieces."""
    whole_s = upload.examples * world.fleet.seconds_per_example.item(visit.client)
    left_s, examples, steps = whole_s, upload.examples, upload.steps
    while True:
        start_s, stop = world.env.now, None
        try:
            if left_s:
                yield world.env.timeout(left_s)
            done = (examples, steps)
        except simpy.Interrupt as interrupt:
            stop = interrupt
            passed_s = world.env.now - start_s
            left_s = max(left_s - passed_s, 0.0)
            share = passed_s / whole_s if whole_s else 0.0
            done = (
                min(round(share * upload.examples), examples),
                min(round(share * upload.steps), steps),
            )
        row = Computation(visit.round, visit.client, *done, start_s, world.env.now)
        visit.places.append(world.journal.add(row))
        if stop is None:
            return
        examples, steps = examples - done[0], steps - done[1]
        yield from _return(world, visit, stop)


def _watch(world: World, visit: Visit) -> None:
    """Interrupt the visit when its client leaves."""
    here, until_s = world.fleet.presence_of(visit.client, world.env.now)
    assert here, "who is away takes no part"
    if until_s < float("inf"):
        timer = world.env.timeout(until_s - world.env.now)
        timer.callbacks.append(lambda _: _leave(world, visit))


def _leave(world: World, visit: Visit) -> None:
    if not visit.process.is_alive:
        return
    if world.fleet.presence_of(visit.client, world.env.now)[0]:
        _watch(world, visit)  # the clock was rounded to before it leaves
    else:
        visit.process.interrupt("cut")


def _return(world: World, visit: Visit, stop: simpy.Interrupt) -> Process:
    """Wait until the client is back; the interrupt again where its work is lost."""
    presence = partial(world.fleet.presence_of, visit.client)
    if stop.cause != "cut" or not world.fleet.resumes[visit.client]:
        raise stop
    start_s = world.env.now
    try:
        while not (found := presence(world.env.now))[0]:
            if found[1] == float("inf"):
                raise stop  # it never comes back
            yield world.env.timeout(found[1] - world.env.now)
    finally:
        row = Absence(visit.round, visit.client, start_s, world.env.now)
        visit.places.append(world.journal.add(row))
    _watch(world, visit)
