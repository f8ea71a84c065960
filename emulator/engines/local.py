"""Trainings spread over processes of this machine, one torch thread each.

Two threads in one process are slower than two processes with one thread, and one thread is what
makes sums independent of the number of cores. Once fewer trainings than workers are left, the idle
ones help with theirs (`emulator.engines.hands`).
"""

import functools
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any

from emulator.engines.hands import Board, Colleagues, Finished, Helper, Offer, Ready, Take
from emulator.engines.task import Done, Options, Progress, carry_out, prepare
from emulator.engines.worker import Worker
from emulator.errors import EmulationError, EmulatorError
from emulator.study import Training
from flasc.errors import FlascError
from flasc.workshop import Workshop

Result = Done | EmulatorError | FlascError


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
    crew = _Crew(trainings, options, workers)
    try:
        crew.start()
        for worker, message in crew.messages():
            if isinstance(message, Progress):
                notify(worker.index, message)
            elif isinstance(message, Offer | Take | Ready | Finished):
                crew.hand_out(worker, message)
            elif (index := worker.index) >= 0:
                crew.go_on(worker, alive=message is not None)
                yield index, message or worker.died()
            else:
                crew.lose(worker)
        for index, _ in crew.waiting:
            yield index, EmulationError("no worker was left for it", "run the same command again")
    finally:
        crew.end()


class _Crew:
    """The workers: each has a training, helps another's, or is idle."""

    def __init__(self, trainings: Sequence[Training], options: Options, workers: int) -> None:
        self._options, self._most, self._started = options, workers, 0
        self._workers: dict[Connection, Worker] = {}
        self.waiting = deque(enumerate(trainings))

    def start(self) -> None:
        """Every worker, or as many as there are trainings: the others once they can help."""
        while self.waiting and self._started < self._most:
            self._start().give(*self.waiting.popleft())

    def _start(self) -> "Worker":
        worker = Worker(_work, self._options)
        self._workers[worker.pipe] = worker
        self._started += 1
        return worker

    def messages(self) -> Iterator[tuple["Worker", Any]]:
        """What each has to say (None: it has died), until no training is left with anyone."""
        while any(worker.index >= 0 for worker in self._workers.values()):
            for ready in wait(list(self._workers)):
                assert isinstance(ready, Connection)
                if ready in self._workers:
                    yield self._workers[ready], self._workers[ready].receive()

    def go_on(self, worker: "Worker", *, alive: bool) -> None:
        """The worker's training has ended: the next one, or its help to others."""
        for other in self._workers.values():
            if other.helped is worker:
                other.helped = None
        worker.stop_training()
        if not alive:
            self.lose(worker)
        elif self.waiting:
            worker.give(*self.waiting.popleft())
        self._share()

    def hand_out(self, worker: "Worker", message: Offer | Take | Ready | Finished) -> None:
        """Pieces to those who offer them, and to those who help."""
        if isinstance(message, Offer):
            worker.board = Board(message)
            while not self.waiting and self._started < self._most:
                self._start()
        elif isinstance(message, Take):
            worker.asks = True
        else:
            worker.hear(message)
        self._share()

    def _share(self) -> None:
        """Idle ones to whoever has the fewest helpers; pieces to whoever can do one now."""
        helpers = [w for w in self._workers.values() if w.index < 0]
        for helper in helpers:
            helped = [other.helped for other in helpers]
            offering = [w for w in self._workers.values() if w.board is not None]
            if helper.helped is None and not helper.busy and offering:
                helper.assist(min(offering, key=helped.count))
            helper.take_piece()
        for worker in self._workers.values():
            worker.answer()

    def lose(self, worker: "Worker") -> None:
        """A worker that is dead; what it did for another is done again."""
        del self._workers[worker.pipe]
        worker.put_back()
        worker.end()
        self._share()

    def end(self) -> None:
        """End them all at once: each may take a moment."""
        for worker in self._workers.values():
            worker.terminate()
        for worker in self._workers.values():
            worker.end()


def _guarded(
    training: Training, options: Options, notify: Callable[[Progress], None], workshop: Workshop
) -> Result:
    try:
        return carry_out(training, options, notify, workshop)
    except (EmulatorError, FlascError) as error:
        return error


def _work(pipe: Connection, options: Options) -> None:
    """A worker's life: trainings or pieces in, results out, until the parent hangs up."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # an exception stops a download as well
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    workshop = Workshop(Colleagues(pipe))
    helper = Helper(pipe, functools.partial(prepare, options=options, workshop=workshop))
    try:
        while True:
            told = pipe.recv()
            if isinstance(told, Training):
                pipe.send(_guarded(told, options, pipe.send, workshop))
            else:
                helper.obey(told)
    except (EOFError, EmulatorError, FlascError):
        return  # a helper that cannot help goes: who asked for it will meet the same, and say so
    except SystemExit:
        os._exit(1)  # nothing is left to tidy up, and torch takes seconds to take itself apart


def _end_with_parent() -> None:
    """A parent that was killed cannot say goodbye, and nobody waits for what is trained now."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
