"""One client task: download, compute, upload, in this order.

A policy may stop a task ('late', 'unfinished') and its client may leave ('cut'): both interrupt its
process with the outcome as the cause. Bytes that were transferred by then are counted.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

import simpy

from emulator.simulation.event_table import RowNumber
from emulator.simulation.records import Absence, Computation, Transfer
from emulator.simulation.rounds.context import SimulationContext
from emulator.simulation.trainer import LoggedUpload
from flasc.common.messages import MessageInfo

Process = Generator[simpy.Event, Any, None]
PATIENCE = 100  # attempts in a row that moved no byte, after which a transfer fails


@dataclass(slots=True, eq=False)
class ClientTask:
    """`number` counts tasks; `round` and `version` (server steps) are those at its start."""

    number: int
    round: int
    version: int
    client: int
    download: MessageInfo
    start_s: float
    upload: MessageInfo | None = None
    arrived: bool = False
    row_numbers: list[RowNumber] = field(default_factory=list)  # of its rows in the log
    over: simpy.Event = field(init=False)  # occurs at its end
    process: simpy.Process = field(init=False)  # of the reference


class ActiveTasks:
    """The active tasks, in the order of their start; `ended` is called with each at its end."""

    def __init__(self, context: SimulationContext, ended: Callable[[ClientTask], None]) -> None:
        self.context = context
        self.active: dict[int, ClientTask] = {}  # by client: one task at a time
        self._ended = ended
        self._begun = 0

    def start(self, round_: int, version: int, client: int) -> ClientTask:
        """Starts a task of `client` with the current version."""
        download = self.context.trainer.download(client)
        self._begun += 1
        task = ClientTask(self._begun, round_, version, client, download, self.context.env.now)
        self.active[client] = task
        task.process = self.context.env.process(_life(self, task))
        task.over = task.process
        task.process.callbacks.append(lambda _: self._end(task))
        return task

    def _end(self, task: ClientTask) -> None:
        del self.active[task.client]
        seconds = self.context.env.now - task.start_s
        if task.arrived:
            assert task.upload is not None
            self.context.selector.on_update(task.client, task.upload.examples, seconds)
        else:
            self.context.selector.on_failure(task.client, seconds)
            release(self.context, [task])
        self._ended(task)

    def stop(self, outcome: str) -> None:
        """Interrupts all active tasks as soon as the caller waits.

        A task that completes at this very instant still completes.
        """
        for task in self.active.values():
            if task.process.is_alive:
                task.process.interrupt(outcome)

    def train(self) -> None:
        """Trains all tasks without an upload in one call: as late, and as many, as possible."""
        due = [task for task in self.active.values() if task.upload is None]
        uploads = self.context.trainer.train([task.download for task in due])
        for task, upload in zip(due, uploads, strict=True):
            task.upload = upload


def active_tasks(context: SimulationContext, ended: Callable[[ClientTask], None]) -> ActiveTasks:
    """No active tasks yet, of the engine of this simulation."""
    make = context.compiled_tasks or ActiveTasks
    return make(context, ended)


def release(context: SimulationContext, client_tasks: list[ClientTask]) -> None:
    """Releases the messages of tasks that are over."""
    messages = [m for v in client_tasks for m in (v.download, v.upload) if m is not None]
    if messages:
        context.trainer.release(messages)


def _life(tasks: ActiveTasks, task: ClientTask) -> Process:
    context = tasks.context
    try:
        _watch(context, task)
        yield from _carry(context, task, "down", context.billed_bytes(task.download))
        if task.upload is None:
            tasks.train()
        assert task.upload is not None
        yield from _compute(context, task, task.upload)
        failed = has_failed(task.upload)
        if not failed or task.upload.nbytes:
            yield from _carry(context, task, "up", context.billed_bytes(task.upload))
        if failed:
            context.log.set_outcome(task.row_numbers, "cut")
        task.arrived = not failed
    except simpy.Interrupt as stop:
        context.log.set_outcome(task.row_numbers, str(stop.cause))


def _carry(context: SimulationContext, task: ClientTask, direction: str, nbytes: int) -> Process:
    """Transfers `nbytes`; each absence of the client splits the transfer into another row."""
    env, client = context.env, task.client
    send = context.network.download if direction == "down" else context.network.upload
    failures = 0
    while True:
        start_s, stop, moved = env.now, None, nbytes
        arrival = send(client, nbytes)
        try:
            yield arrival
        except simpy.Interrupt as interrupt:
            stop = interrupt
            moved = min(round(context.network.cancel(arrival)), nbytes)
        row = Transfer(task.round, client, direction, moved, start_s, env.now)
        task.row_numbers.append(context.log.add(row))
        if stop is None:
            return
        failures = 0 if moved else failures + 1
        if failures > PATIENCE:
            raise stop
        yield from _return(context, task, stop)
        nbytes -= moved


def _compute(context: SimulationContext, task: ClientTask, upload: MessageInfo) -> Process:
    """Waits for the compute time of the client's examples; each absence adds another row."""
    whole_s = compute_s(context, upload)
    left_s, examples, steps = whole_s, upload.examples, upload.steps
    while True:
        start_s, stop = context.env.now, None
        try:
            if left_s:
                yield context.env.timeout(left_s)
            done = (examples, steps)
        except simpy.Interrupt as interrupt:
            stop = interrupt
            passed_s = context.env.now - start_s
            left_s = max(left_s - passed_s, 0.0)
            share = passed_s / whole_s if whole_s else 0.0
            done = (
                min(round(share * upload.examples), examples),
                min(round(share * upload.steps), steps),
            )
        row = Computation(task.round, task.client, *done, start_s, context.env.now)
        task.row_numbers.append(context.log.add(row))
        if stop is None:
            return
        examples, steps = examples - done[0], steps - done[1]
        yield from _return(context, task, stop)


def has_failed(upload: MessageInfo) -> bool:
    """Whether it has no update: the client failed, as a message log says."""
    return isinstance(upload, LoggedUpload) and upload.failed


def compute_s(context: SimulationContext, upload: MessageInfo) -> float:
    """The compute time behind an upload: as logged, or by the compute model of its client."""
    if isinstance(upload, LoggedUpload) and upload.seconds is not None:
        return upload.seconds
    return float(upload.examples * context.fleet.seconds_per_example.item(upload.client))


def _watch(context: SimulationContext, task: ClientTask) -> None:
    """Interrupts the task when its client leaves."""
    available, until_s = context.fleet.availability_at(task.client, context.env.now)
    assert available, "a task runs on an available client"
    if until_s < float("inf"):
        timer = context.env.timeout(until_s - context.env.now)
        timer.callbacks.append(lambda _: _leave(context, task))


def _leave(context: SimulationContext, task: ClientTask) -> None:
    if not task.process.is_alive:
        return
    if context.fleet.availability_at(task.client, context.env.now)[0]:
        _watch(context, task)  # the clock was rounded down to before the client leaves
    else:
        task.process.interrupt("cut")


def _return(context: SimulationContext, task: ClientTask, stop: simpy.Interrupt) -> Process:
    """Waits until the client returns; raises the interrupt again if its work is lost."""
    if stop.cause != "cut" or not context.fleet.resumes[task.client]:
        raise stop
    start_s, availability_at = context.env.now, context.fleet.availability_at
    try:
        while not (found := availability_at(task.client, context.env.now))[0]:
            if found[1] == float("inf"):
                raise stop  # the client never returns
            yield context.env.timeout(found[1] - context.env.now)
    finally:
        row = Absence(task.round, task.client, start_s, context.env.now)
        task.row_numbers.append(context.log.add(row))
    _watch(context, task)
