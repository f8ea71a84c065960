"""A worker process as its parent sees it."""

import contextlib
import multiprocessing
import signal
from collections.abc import Callable, Iterator
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import Any

from emulator.engines.hands import Assist, Board, Finished, Piece, Ready
from emulator.engines.task import Options
from emulator.errors import EmulationError
from emulator.study import Training

# Long enough to stop a download and let go of the recording.
GRACE_WALL_S = 5.0


class Worker:
    """A process that trains or helps, and our end of the pipe to it.

    `index` is the training that it carries out, -1 for none, with its `board` of pieces offered;
    `helped` is the worker that it helps, and `busy` what it has not yet answered to.
    """

    def __init__(self, work: Callable[[Connection, Options], None], options: Options) -> None:
        """`work` is what the process does with its end of the pipe."""
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.stop_training()
        self.helped: Worker | None = None
        self.busy: Assist | Piece | None = None
        self._source: Board | None = None  # of the pieces that it has
        self._process = context.Process(target=work, args=(theirs, options), daemon=True)
        with signals_held_back():
            self._process.start()
        theirs.close()  # so that a dead worker is an end of file

    def give(self, index: int, training: Training) -> None:
        """A training to carry out, by its index."""
        self.index, self._settings = index, training.settings
        self._send(training)

    def stop_training(self) -> None:
        """Be without a training."""
        self.index, self.asks = -1, False
        self.board: Board | None = None

    def assist(self, other: "Worker") -> None:
        """Get ready to help `other`."""
        self.helped, self.busy, self._source = other, Assist(other._settings), None
        self._send(self.busy)

    def take_piece(self) -> None:
        """The next piece of whoever it helps, if it can do one now."""
        board = self.helped.board if self.helped else None
        if self.busy or board is None or (index := board.take()) is None:
            return
        self.busy = Piece(index, None if board is self._source else board.pieces)
        self._source = board
        self._send(self.busy)

    def hear(self, message: Ready | Finished) -> None:
        """It has done what it was busy with."""
        self.busy = None
        if isinstance(message, Finished) and self._source:
            self._source.finish(message)

    def put_back(self) -> None:
        """What it was busy with is for somebody else."""
        if isinstance(self.busy, Piece) and self._source:
            self._source.give_back(self.busy.index)

    def answer(self) -> None:
        """Tell it what to do next for its own training, once it asks and there is something."""
        if self.asks and self.board and (told := self.board.answer()):
            self.asks = False
            self._send(told)

    def _send(self, message: Training | Assist | Piece | Finished) -> None:
        with contextlib.suppress(OSError):  # dead already: `receive` finds out
            self.pipe.send(message)

    def receive(self) -> Any:
        """What the worker has to say; None where it has died."""
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            return None

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
