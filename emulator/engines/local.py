"""Trainings spread over processes of this machine, one torch thread each.

Two threads in one process are slower than two processes with one thread, and one thread is what
makes sums independent of the number of cores.
"""

import contextlib
import functools
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait

from emulator.engines.task import Done, Options, Progress, carry_out
from emulator.errors import EmulationError, EmulatorError
from emulator.study import Training
from flasc.errors import FlascError
from flasc.workshop import Workshop

Result = Done | EmulatorError | FlascError

# Long enough to stop a download and let go of the recording.
GRACE_WALL_S = 5.0


def carry_out_all(
    trainings: Sequence[Training],
    options: Options,
    workers: int,
    notify: Callable[[int, Progress], None],
) -> Generator[tuple[int, Result], None, None]:
    """Yield (index, result) of each training as it ends; an error of one leaves the others be.

    `notify` is told how far a training, by its index, has got. One worker means this process. A
    worker that dies is an EmulationError for its training; what it had trained is recorded.
    Closing the iterator ends all workers.
    """
    if workers == 1:
        workshop = Workshop()
        for index, training in enumerate(trainings):
            yield index, _guarded(training, options, functools.partial(notify, index), workshop)
        return
    waiting = deque(enumerate(trainings))
    busy: dict[Connection, _Worker] = {}
    try:
        for _ in range(min(workers, len(trainings))):
            worker = _Worker(options)
            busy[worker.pipe] = worker
            worker.give(*waiting.popleft())
        while busy:
            for ready in wait(list(busy)):
                assert isinstance(ready, Connection)
                worker, index = busy[ready], busy[ready].index
                message = worker.receive()
                if isinstance(message, Progress):
                    notify(index, message)
                    continue
                if waiting and message:
                    worker.give(*waiting.popleft())
                else:
                    busy.pop(ready).end()
                yield index, message or worker.died()
        for index, _ in waiting:
            yield index, EmulationError("no worker was left for it", "run the same command again")
    finally:
        for worker in busy.values():
            worker.terminate()  # all at once: each may take a moment
        for worker in busy.values():
            worker.end()


class _Worker:
    """A process that trains, and our end of the pipe to it; `index` is what it is training."""

    def __init__(self, options: Options) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.index = -1
        self._process = context.Process(target=_work, args=(theirs, options), daemon=True)
        with _signals_held_back():
            self._process.start()
        theirs.close()  # so that a dead worker is an end of file

    def give(self, index: int, training: Training) -> None:
        self.index = index
        with contextlib.suppress(OSError):  # dead already: `receive` finds out
            self.pipe.send(training)

    def receive(self) -> Progress | Result | None:
        """What the worker has to say; None where it has died."""
        try:
            message: Progress | Result = self.pipe.recv()
            return message
        except (EOFError, OSError):
            return None

    def terminate(self) -> None:
        self._process.terminate()

    def end(self) -> None:
        self.terminate()
        self.pipe.close()
        self._process.join(GRACE_WALL_S)
        self._process.kill()
        self._process.join()

    def died(self) -> EmulationError:
        """What to say of a worker that fell silent; after `end`."""
        code = self._process.exitcode
        if code is not None and code < 0:
            return EmulationError(
                f"its worker process was killed (signal {-code})",
                "if memory ran out, give --workers 1; "
                "run the same command again to go on from where it stopped",
            )
        return EmulationError(
            f"its worker process ended unasked (exit code {code})",
            "what it said stands above; with --workers 1 the same error shows undisturbed",
        )


@contextlib.contextmanager
def _signals_held_back() -> Iterator[None]:
    """What asks us to stop waits until a worker is whole: half started, it ends in a traceback.

    The mask is inherited: the parent alone decides what Ctrl-C ends. It is not enough for us, as
    another thread (the progress display's) may take the signal, which interrupts this one.
    """
    resource_tracker.ensure_running()  # its own start would let signals through
    held: list[int] = []
    asked = [
        number
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) not in (signal.SIG_IGN, None)
    ]
    before = {number: signal.signal(number, lambda n, _: held.append(n)) for number in asked}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in before.items():
            signal.signal(number, handler)
        if held:
            signal.raise_signal(held[0])


def _guarded(
    training: Training, options: Options, notify: Callable[[Progress], None], workshop: Workshop
) -> Result:
    try:
        return carry_out(training, options, notify, workshop)
    except (EmulatorError, FlascError) as error:
        return error


def _work(pipe: Connection, options: Options) -> None:
    """A worker's life: trainings in, progress and results out, until the parent hangs up."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # an exception stops a download as well
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    workshop = Workshop()
    try:
        while True:
            training = pipe.recv()
            pipe.send(_guarded(training, options, pipe.send, workshop))
    except EOFError:
        return
    except SystemExit:
        os._exit(1)  # nothing is left to tidy up, and torch takes seconds to take itself apart


def _end_with_parent() -> None:
    """A parent that was killed cannot say goodbye, and nobody waits for what is trained now."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
