"""Handle of a worker process, used by its parent."""

import contextlib
import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import Any

from typing_extensions import override

from emulator.common.errors import EmulationError
from emulator.runner.executors.pool import WorkerHandle
from emulator.runner.training_job import Options

# Time to stop a download and release the recording.
GRACE_WALL_S = 5.0


class Worker(WorkerHandle):
    """A worker process and the parent's end of the pipe to it."""

    def __init__(self, work: Callable[[Connection, Options], None], options: Options) -> None:
        """Start a process that calls `work` with its end of the pipe."""
        super().__init__()
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=work, args=(theirs, options), daemon=True)
        with delayed_signals():
            self._process.start()
        theirs.close()  # so that the pipe ends when the worker dies

    @override
    def send(self, message: Any) -> None:
        with contextlib.suppress(OSError):
            self.pipe.send(message)

    @override
    def receive(self) -> list[Any]:
        try:
            return [self.pipe.recv()]
        except (EOFError, OSError):
            return [None]

    @override
    def terminate(self) -> None:
        self._process.terminate()

    @override
    def end(self) -> None:
        self.terminate()
        self.pipe.close()
        self._process.join(GRACE_WALL_S)
        self._process.kill()
        self._process.join()

    @override
    def died(self) -> EmulationError:
        code = self._process.exitcode
        if code is not None and code < 0:
            return EmulationError(
                f"its worker process was killed (signal {-code})",
                "run the same command again to resume; if memory ran out, add --workers 1",
            )
        return EmulationError(
            f"its worker process ended unexpectedly (exit code {code})",
            "see its output above; --workers 1 shows the same error alone",
        )


@contextlib.contextmanager
def delayed_signals() -> Iterator[None]:
    """Delay signals until a worker has started: one that has half started prints a traceback.

    The worker inherits the mask, so that Ctrl-C reaches the parent alone. For the parent a mask is
    not enough: another thread (the progress display's) may receive the signal, which interrupts
    the main thread. Only the main thread may set handlers, and they run in it alone: no other
    thread is interrupted.
    """
    resource_tracker.ensure_running()  # starting it later would unblock signals
    held: list[int] = []
    is_main = threading.current_thread() is threading.main_thread()
    before = {
        number: signal.signal(number, lambda n, _: held.append(n))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if is_main and signal.getsignal(number) not in (signal.SIG_IGN, None)
    }
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in before.items():
            signal.signal(number, handler)
        if held:
            signal.raise_signal(held[0])
