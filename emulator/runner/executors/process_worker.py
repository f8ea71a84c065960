"""A worker process as its parent sees it."""

import contextlib
import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import Any

from emulator.common.errors import EmulationError
from emulator.runner.executors.pool import WorkerHandle
from emulator.runner.training_job import Options

# Long enough to stop a download and let go of the recording.
GRACE_WALL_S = 5.0


class Worker(WorkerHandle):
    """A process that trains or helps, and our end of the pipe to it."""

    def __init__(self, work: Callable[[Connection, Options], None], options: Options) -> None:
        """`work` is what the process does with its end of the pipe."""
        super().__init__()
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=work, args=(theirs, options), daemon=True)
        with signals_held_back():
            self._process.start()
        theirs.close()  # so that a dead worker is an end of file

    def send(self, message: Any) -> None:
        """Say something to it; where it is dead `receive` finds out."""
        with contextlib.suppress(OSError):
            self.pipe.send(message)

    def receive(self) -> list[Any]:
        """What the worker has to say; None where it has died."""
        try:
            return [self.pipe.recv()]
        except (EOFError, OSError):
            return [None]

    def terminate(self) -> None:
        """Ask it to end."""
        self._process.terminate()

    def end(self) -> None:
        """End it, and wait until it is gone."""
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
def signals_held_back() -> Iterator[None]:
    """What asks us to stop waits until a worker is whole: half started, it ends in a traceback.

    The mask is inherited: the parent alone decides what Ctrl-C ends. It is not enough for us, as
    another thread (the progress display's) may take the signal, which interrupts this one. Handlers
    run in the main thread, which alone may set them: where we are another, none interrupts us.
    """
    resource_tracker.ensure_running()  # its own start would let signals through
    held: list[int] = []
    asked = [
        number
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) not in (signal.SIG_IGN, None)
    ]
    if threading.current_thread() is not threading.main_thread():
        asked = []
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
