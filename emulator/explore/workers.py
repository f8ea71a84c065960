"""Worker processes that hold the recordings in memory and simulate what the page asks for."""

import asyncio
import contextlib
import functools
import multiprocessing
import queue
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from emulator.common.errors import EmulationError
from emulator.explore.form import Explored
from emulator.explore.replays import MANY, Replays, Run
from emulator.results.summary_file import Measured
from emulator.runner.executors import Options
from emulator.runner.executors.process_worker import delayed_signals
from emulator.scenario.scenario import Scenario
from emulator.scenario.study import Study
from flasc.common.errors import UserError

Result = Measured | UserError
SLOTS = 4096  # drawings of pages whose simulations may be stopped
KEPT = 5_000  # results: 5 kB each
Stops = Any  # a shared array of SLOTS bytes; a drawing whose byte is 1 is not wanted any more


class _StoppedError(Exception):
    """Raised in a simulation whose result is not wanted any more."""


@dataclass(frozen=True)
class _Job:
    """One simulation for the drawing with a slot."""

    scenario: Scenario
    run: Run
    slot: int
    simulations: int


def _serve(pipe: Connection, study: Study, options: Options, stops: Stops) -> None:
    """Main function of a worker process; it ends when the parent closes the pipe."""
    replays: Replays | UserError
    try:
        replays = Replays(study, options)
    except UserError as error:
        replays = error
    with contextlib.suppress(EOFError, BrokenPipeError, KeyboardInterrupt):
        while True:
            job: _Job = pipe.recv()
            pipe.send(replays if isinstance(replays, UserError) else _answer(replays, job, stops))


def _answer(replays: Replays, job: _Job, stops: Stops) -> Result | None:
    """The result of a job; None if it was stopped."""

    def check(_: object) -> None:
        if stops[job.slot]:
            raise _StoppedError

    try:
        check(None)
        return replays.measured(job.scenario, job.run, check, job.simulations)
    except UserError as error:
        return error
    except _StoppedError:
        return None


class _Process:
    """A worker process and the parent's end of the pipe to it."""

    def __init__(self, study: Study, options: Options, stops: Stops) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, study, options, stops), daemon=True
        )
        with delayed_signals():
            self._process.start()
        theirs.close()

    def ask(self, job: _Job) -> Result | None:
        """The result of a job. Raises OSError or EOFError if the process has ended."""
        self._pipe.send(job)
        found: Result | None = self._pipe.recv()
        return found

    def kill(self) -> None:
        """Let the process end; `ask` then raises in the thread that waits for a result."""
        self._process.kill()

    def end(self) -> None:
        """End the process. No thread may wait for a result."""
        self._process.kill()
        self._process.join()
        self._pipe.close()


class Workers:
    """`count` processes for a study; results are cached. Close it at the end.

    The compiled network takes a second to load, and much longer where it was never compiled. So
    one process prepares it while the others simulate with the reference.
    """

    def __init__(self, study: Study, options: Options, count: int) -> None:
        self._stops = multiprocessing.get_context("spawn").RawArray("b", SLOTS)
        self._start = functools.partial(_Process, study, options, self._stops)
        self._idle: queue.Queue[_Process] = queue.Queue()
        self._processes: set[_Process] = set()
        self._threads = ThreadPoolExecutor(count)  # one waits for each process
        self._tasks: set[asyncio.Task[Result | None]] = set()
        self._kept: OrderedDict[tuple[str, Run], Result] = OrderedDict()
        self._slot, self._is_compiled, self._is_closed = 0, False, False
        for _ in range(count):
            self._add()
        first = next(iter(study.variants.values()))
        run = Run(study.methods[0], first.training.seeds[0], first.draws[0])
        self._threads.submit(self._prepare, _Job(first, run, 0, MANY))

    def _add(self) -> None:
        process = self._start()
        self._processes.add(process)
        self._idle.put(process)

    def _prepare(self, job: _Job) -> None:
        """Let one process compile, or load what was compiled before."""
        self._ask(job)
        self._is_compiled = True

    def close(self) -> None:
        """End all processes.

        A thread closes the pipe to a process that ended, so the threads have to end first.
        """
        self._is_closed = True
        for process in tuple(self._processes):
            process.kill()
        self._threads.shutdown(cancel_futures=True)
        for process in self._processes:
            process.end()

    def drawing(self) -> "Drawing":
        """A drawing of the page, whose simulations can be stopped together."""
        self._slot = self._slot % (SLOTS - 1) + 1  # 0 is that of the preparation
        self._stops[self._slot] = 0
        return Drawing(self, self._slot)

    def stop(self, slot: int) -> None:
        """Stop the simulations of a drawing."""
        self._stops[slot] = 1

    def stop_all(self) -> None:
        """Cancel all drawings, as the server ends."""
        for task in tuple(self._tasks):
            task.cancel()

    def start(self, explored: Explored, run: Run, slot: int) -> "asyncio.Task[Result | None]":
        """Start a simulation for the drawing with a slot."""
        task = asyncio.get_running_loop().create_task(self._result(explored, run, slot))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _ask(self, job: _Job) -> Result | None:
        """The result of a job by the next idle process; a process that ended is replaced."""
        process = self._idle.get()
        try:
            found = process.ask(job)
        except (OSError, EOFError):
            self._processes.discard(process)
            process.end()
            if not self._is_closed:
                self._add()
            return EmulationError("its worker process ended unexpectedly")
        self._idle.put(process)
        return found

    async def _result(self, explored: Explored, run: Run, slot: int) -> Result | None:
        """The result of one simulation; None if it was stopped."""
        key = explored.key, run
        if key not in self._kept:
            job = _Job(explored.simulated, run, slot, MANY if self._is_compiled else 1)
            found = await asyncio.get_running_loop().run_in_executor(self._threads, self._ask, job)
            if found is None or isinstance(found, EmulationError):
                return found
            self._kept[key] = found
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]


@dataclass(frozen=True)
class Drawing:
    """The simulations of one drawing of the page."""

    workers: Workers
    slot: int

    def ask(self, wanted: Sequence[tuple[Explored, Run]]) -> list["asyncio.Task[Result | None]"]:
        """Start simulations; they run in this order."""
        return [self.workers.start(*each, self.slot) for each in wanted]

    def stop(self, tasks: Sequence["asyncio.Task[Result | None]"]) -> None:
        """Stop those that have not ended."""
        self.workers.stop(self.slot)
        for task in tasks:
            task.cancel()
