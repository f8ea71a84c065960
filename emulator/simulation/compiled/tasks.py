"""Client tasks over the compiled network, for policies that decide whenever one ends.

The network runs ahead to the next end of a task, or to SimPy's next event, which may be a decision.
Clients that leave and return on the way interrupt it, but not SimPy.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import NamedTuple

import simpy
from typing_extensions import override

from emulator.network.compiled import layout
from emulator.network.network import never_up
from emulator.simulation.compiled.network import CompiledNetwork
from emulator.simulation.compiled.plan import Interrupted, Work
from emulator.simulation.records import Absence, Computation, TaskRow, Transfer
from emulator.simulation.rounds.client_task import (
    PATIENCE,
    ActiveTasks,
    ClientTask,
    compute_s,
    has_failed,
)
from emulator.simulation.rounds.context import LAST, SimulationContext
from flasc.common.messages import MessageInfo

ALL = 1 << 40  # more tasks than there are
FIRST = 0  # a priority before that of most events of SimPy


class _Row(NamedTuple):
    """A row that is not in the log yet; after the last one of its task, the task `ends`."""

    task: ClientTask
    row: TaskRow
    ends: bool = False
    lost: bool = False  # since the client left


@dataclass(slots=True)
class _Rest:
    """What is left of an activity that its client interrupted by leaving.

    `kind` is that of its row, `seconds` are those of a computation; `failures` counts attempts in a
    row that moved no byte.
    """

    kind: int
    work: Work
    seconds: float
    failures: int = 0
    since_s: float = 0.0  # when the client left
    is_away: bool = True


class CompiledTasks(ActiveTasks):
    """The active tasks, as `ActiveTasks`."""

    def __init__(
        self,
        context: SimulationContext,
        ended: Callable[[ClientTask], None],
        network: CompiledNetwork,
    ) -> None:
        super().__init__(context, ended)
        self._network, self._env = network, context.env
        self._free = list(range(network.slots))[::-1]
        self._slots: dict[int, int] = {}  # by number of the task
        self._tasks: dict[int, ClientTask] = {}  # by its number
        self._rests: dict[int, _Rest] = {}  # of activities that were interrupted, by number
        self._changes: list[tuple[float, int]] = []  # when clients leave or return, and tasks
        self._rows: list[_Row] = []
        self._timer: simpy.Event | None = None

    @override
    def start(self, round_: int, version: int, client: int) -> ClientTask:
        download = self.context.trainer.download(client)
        self._begun += 1
        task = ClientTask(self._begun, round_, version, client, download, self._env.now)
        task.over = self._env.event()
        self.active[client] = self._tasks[task.number] = task
        slot = self._slots[task.number] = self._free.pop()
        nbytes = self.context.billed_bytes(download)
        self._network.begin(slot, task.number, client, nbytes, self._env.now)
        available, until_s = self.context.fleet.availability_at(client, self._env.now)
        assert available, "a task runs on an available client"
        self._watch(task, until_s)
        self._wake_at(self._env.now)
        return task

    @override
    def stop(self, outcome: str) -> None:
        if self.active:
            event = self._env.event()
            event.callbacks.append(lambda _: self._interrupt(outcome))
            event.succeed()

    @override
    def train(self) -> None:
        due = {task.number: task for task in self.active.values() if task.upload is None}
        super().train()
        # Those whose download has arrived go on in the order of their arrivals.
        arrived = [each.task.number for each in self._rows if each.task.number in due]
        for number in dict.fromkeys([*arrived, *due]):
            task = due[number]
            assert task.upload is not None
            nbytes = layout.NO_UPLOAD
            if _is_sent(task.upload):
                nbytes = self.context.billed_bytes(task.upload)
            seconds = compute_s(self.context, task.upload)
            self._network.trained(self._slots[task.number], nbytes, seconds)

    def _wake_at(self, time_s: float, first: bool = False) -> None:
        """Wakes after all other events of a time, or before them; earlier calls do not count."""
        self._timer = timer = self._env.event()
        timer._ok, timer._value = True, None
        timer.callbacks.append(lambda event: self._wake(first) if event is self._timer else None)
        delay_s = max(0.0, time_s - self._env.now)
        # SimPy accepts any whole number as a priority.
        priority = FIRST if first else LAST
        self._env.schedule(timer, priority=priority, delay=delay_s)  # type: ignore[arg-type]

    def _wake(self, first: bool) -> None:
        """Ends the tasks that have ended by now, and runs ahead.

        Before the other events of a time, it ends those that were lost then: a policy that waits
        for another client sees that they are over.
        """
        self._timer = None
        if self._env.now < self._network.now_s:  # the clock was rounded down
            self._wake_at(self._network.now_s, first)
            return
        if first:
            self._end_all()
            self._wake_at(self._env.now)
            return
        self._run(self._env.now, ALL)
        # After ends, and before other events of this time, nothing is known of what comes next.
        if self._end_all() or self._env.peek() <= self._env.now:
            self._wake_at(self._env.now)
        elif self.active:
            then_s = self._run(self._env.peek(), 1)
            self._wake_at(then_s, first=any(each.lost for each in self._rows))

    def _run(self, limit_s: float, ends: int) -> float:
        """Runs until so many tasks have ended, or until a time; returns the time reached."""
        resumes = False
        while True:
            until_s, change_s = limit_s, self._next_change_s()
            is_change = change_s <= limit_s and change_s < math.inf
            if is_change:  # a client that leaves does so before its message arrives
                until_s = max(math.nextafter(change_s, -math.inf), self._network.now_s)
            why = self._network.advance(
                until_s, ends, resumes, lambda number: self._tasks[number].client
            )
            resumes = True
            self._take_rows()
            match why:
                case layout.TRAIN:
                    self.train()
                case layout.FULL:
                    pass
                case layout.STALLED:
                    raise never_up(self._network.now_s)
                case layout.LIMIT if is_change:
                    if self._change(change_s) >= ends:
                        return change_s
                case _:
                    return self._network.now_s

    def _take_rows(self) -> None:
        """Takes the rows that the network has made."""
        for kind, number, *times in self._network.taken_rows():
            task, rest = self._tasks[number], self._rests.pop(number, None)
            left = rest.work if rest else self._whole(task)
            last = layout.COMPUTE_ROW
            if task.upload is None or _is_sent(task.upload):
                last = layout.UPLOAD_ROW
            row = _row(task, kind, *left.of(kind), *times)
            self._rows.append(_Row(task, row, ends=kind == last))

    def _end_all(self) -> int:
        """Logs all rows, and ends the tasks that have their last one. Returns their number."""
        rows, self._rows, ends = self._rows, [], 0
        for task, row, is_last, lost in rows:
            task.row_numbers.append(self.context.log.add(row))
            if is_last:
                ends += 1
                task.arrived = not lost and task.upload is not None and not has_failed(task.upload)
                if not task.arrived:
                    self.context.log.set_outcome(task.row_numbers, "cut")
                self._close(task)
        return ends

    def _interrupt(self, outcome: str) -> None:
        """Ends all tasks that have not come to their end by now."""
        now_s = self._env.now
        self._run(now_s, ALL)
        self._end_all()
        for task in list(self.active.values()):
            rest = self._rests.get(task.number)
            row: TaskRow | None = None
            if rest and rest.is_away:
                row = Absence(task.round, task.client, rest.since_s, now_s)
            elif cut := self._cut(task, now_s):
                row = _row(task, cut.kind, cut.done, cut.steps, cut.start_s, now_s)
            if row:
                task.row_numbers.append(self.context.log.add(row))
            self.context.log.set_outcome(task.row_numbers, outcome)
            self._close(task)

    def _close(self, task: ClientTask) -> None:
        self._free.append(self._slots.pop(task.number))
        del self._tasks[task.number]
        self._rests.pop(task.number, None)
        self._end(task)
        task.over.succeed()

    # -- clients that leave and return

    def _watch(self, task: ClientTask, until_s: float) -> None:
        """Changes a task when its client leaves or returns."""
        if until_s < math.inf:
            heappush(self._changes, (until_s, task.number))

    def _next_change_s(self) -> float:
        """When the next client of an active task leaves or returns, seconds; inf: never."""
        while self._changes and self._changes[0][1] not in self._tasks:
            heappop(self._changes)
        return self._changes[0][0] if self._changes else math.inf

    def _change(self, now_s: float) -> int:
        """Lets clients leave and return. Returns the number of tasks that are lost."""
        before = len(self._rows)
        while self._next_change_s() <= now_s:
            task = self._tasks[heappop(self._changes)[1]]
            rest = self._rests.get(task.number)
            available, until_s = self.context.fleet.availability_at(task.client, now_s)
            if rest and rest.is_away:
                self._return(task, rest, available, until_s, now_s)
            elif available:
                self._watch(task, until_s)
            else:
                self._leave(task, until_s, now_s)
        return sum(each.lost for each in self._rows[before:])

    def _leave(self, task: ClientTask, until_s: float, now_s: float) -> None:
        """Interrupts a task whose client leaves, if it is not over."""
        whole, rest = self._whole(task), self._rests.get(task.number)
        cut = self._cut(task, now_s)
        if cut is None:
            return
        if rest is None:
            seconds = compute_s(self.context, task.upload) if task.upload else 0.0
            rest = self._rests[task.number] = _Rest(cut.kind, whole, seconds)
        rest.work = rest.work.without(cut)
        rest.seconds = max(rest.seconds - (now_s - cut.start_s), 0.0)
        is_failure = cut.kind != layout.COMPUTE_ROW and not cut.done
        rest.failures = rest.failures + 1 if is_failure else 0
        rest.since_s, rest.is_away = now_s, True
        row = _row(task, cut.kind, cut.done, cut.steps, cut.start_s, now_s)
        lost = not self.context.fleet.resumes[task.client] or rest.failures > PATIENCE
        self._rows.append(_Row(task, row, lost, lost))
        if not lost:
            self._return(task, rest, False, until_s, now_s)

    def _return(
        self, task: ClientTask, rest: _Rest, available: bool, until_s: float, now_s: float
    ) -> None:
        """Continues a task if its client is back; waits for it, or loses it, if not."""
        if available or until_s == math.inf:
            row = Absence(task.round, task.client, rest.since_s, now_s)
            self._rows.append(_Row(task, row, not available, not available))
        if available:
            rest.is_away = False
            slot = self._slots[task.number]
            self._network.resume(slot, rest.kind, rest.work, rest.seconds, now_s)
        self._watch(task, until_s)

    def _whole(self, task: ClientTask) -> Work:
        """The work of a task, as far as it is known."""
        upload = task.upload or MessageInfo(task.client, 0, 0)
        down_B, up_B = map(self.context.billed_bytes, (task.download, upload))
        return Work(down_B, up_B, upload.examples, upload.steps)

    def _cut(self, task: ClientTask, now_s: float) -> Interrupted | None:
        """Stops the activity of a task now; None if it is over."""
        whole, rest = self._whole(task), self._rests.get(task.number)
        left = rest.work if rest else whole
        return self._network.interrupt(self._slots[task.number], task.client, whole, left, now_s)


def _row(
    task: ClientTask, kind: int, done: int, steps: int, start_s: float, finish_s: float
) -> TaskRow:
    """A row of a task: `done` bytes, or examples and steps."""
    if kind == layout.COMPUTE_ROW:
        return Computation(task.round, task.client, done, steps, start_s, finish_s)
    way = "up" if kind == layout.UPLOAD_ROW else "down"
    return Transfer(task.round, task.client, way, done, start_s, finish_s)


def _is_sent(upload: MessageInfo) -> bool:
    """Whether a client begins to send it; one that failed may not."""
    return bool(upload.nbytes) or not has_failed(upload)
