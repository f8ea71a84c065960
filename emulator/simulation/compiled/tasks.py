"""Client tasks over the compiled network, for policies that decide whenever one ends.

The network runs ahead to the next end of a task, or to SimPy's next event, which may be a decision.
"""

from collections.abc import Callable

import simpy
from typing_extensions import override

from emulator.network.compiled import layout
from emulator.network.network import never_up
from emulator.simulation.compiled.network import CompiledNetwork
from emulator.simulation.compiled.plan import Interrupted
from emulator.simulation.records import Computation, Transfer
from emulator.simulation.rounds.client_task import ActiveTasks, ClientTask, compute_s, has_failed
from emulator.simulation.rounds.context import LAST, SimulationContext
from flasc.common.messages import MessageInfo

ALL = 1 << 40  # more tasks than there are
Row = tuple[int, int, float, float]  # kind as in `layout`, task, start and end in seconds


class CompiledTasks(ActiveTasks):
    """The active tasks, as `ActiveTasks`; without absences."""

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
        self._rows: list[Row] = []  # that are not in the log yet
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
        arrived = [number for _, number, *_ in self._rows if number in due]
        for number in dict.fromkeys([*arrived, *due]):
            task = due[number]
            assert task.upload is not None
            nbytes = layout.NO_UPLOAD
            if _is_sent(task.upload):
                nbytes = self.context.billed_bytes(task.upload)
            seconds = compute_s(self.context, task.upload)
            self._network.trained(self._slots[task.number], nbytes, seconds)

    def _wake_at(self, time_s: float) -> None:
        """Wakes after all other events of a time; earlier calls do not count any more."""
        self._timer = timer = self._env.event()
        timer._ok, timer._value = True, None
        timer.callbacks.append(lambda event: self._wake() if event is self._timer else None)
        delay_s = max(0.0, time_s - self._env.now)
        # SimPy accepts any whole number as a priority.
        self._env.schedule(timer, priority=LAST, delay=delay_s)  # type: ignore[arg-type]

    def _wake(self) -> None:
        """Ends the tasks that have ended by now, and runs ahead."""
        self._timer = None
        if self._env.peek() <= self._env.now:
            self._wake_at(self._env.now)
            return
        self._run(self._env.now, ALL)
        if self._end_all():
            self._wake_at(self._env.now)  # after the reactions to these ends
        elif self.active:
            self._wake_at(self._run(self._env.peek(), 1))

    def _run(self, limit_s: float, ends: int) -> float:
        """Runs until so many tasks have ended, or until a time; returns the time reached."""
        resumes = False
        while True:
            why = self._network.advance(
                limit_s, ends, resumes, lambda number: self._tasks[number].client
            )
            resumes = True
            self._rows += self._network.taken_rows()
            match why:
                case layout.TRAIN:
                    self.train()
                case layout.FULL:
                    pass
                case layout.STALLED:
                    raise never_up(self._network.now_s)
                case _:
                    return self._network.now_s

    def _end_all(self) -> int:
        """Logs all rows, and ends the tasks that have their last one. Returns their number."""
        rows, self._rows, ends = self._rows, [], 0
        for kind, number, start_s, finish_s in rows:
            task = self._tasks[number]
            self._add(task, kind, start_s, finish_s, None)
            last = layout.COMPUTE_ROW
            if task.upload is None or _is_sent(task.upload):
                last = layout.UPLOAD_ROW
            if kind == last:
                assert task.upload is not None
                task.arrived, ends = not has_failed(task.upload), ends + 1
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
            upload = task.upload or MessageInfo(task.client, 0, 0)
            cut = self._network.interrupt(
                self._slots[task.number],
                task.client,
                self.context.billed_bytes(task.download),
                self.context.billed_bytes(upload),
                upload.examples,
                upload.steps,
            )
            if cut is not None:
                self._add(task, cut.kind, cut.start_s, now_s, cut)
            self.context.log.set_outcome(task.row_numbers, outcome)
            self._close(task)

    def _add(
        self, task: ClientTask, kind: int, start_s: float, finish_s: float, cut: Interrupted | None
    ) -> None:
        """Logs a row of a task, whole or cut."""
        times = start_s, finish_s
        if kind == layout.COMPUTE_ROW:
            assert task.upload is not None
            done = (cut.done, cut.steps) if cut else (task.upload.examples, task.upload.steps)
            row: Computation | Transfer = Computation(task.round, task.client, *done, *times)
        else:
            is_up = kind == layout.UPLOAD_ROW
            way, message = ("up", task.upload) if is_up else ("down", task.download)
            assert message is not None
            nbytes = cut.done if cut else self.context.billed_bytes(message)
            row = Transfer(task.round, task.client, way, nbytes, *times)
        task.row_numbers.append(self.context.log.add(row))

    def _close(self, task: ClientTask) -> None:
        self._free.append(self._slots.pop(task.number))
        del self._tasks[task.number]
        self._end(task)
        task.over.succeed()


def _is_sent(upload: MessageInfo) -> bool:
    """Whether a client begins to send it; one that failed may not."""
    return bool(upload.nbytes) or not has_failed(upload)
