"""Trainings spread over processes of this machine, one torch thread each.

Two threads in one process are slower than two processes with one thread, and one thread is what
makes sums independent of the number of cores.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable, Generator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from emulator.engines.task import Done, Options, Progress, carry_out
from emulator.errors import EmulationError, EmulatorError
from emulator.study import Training
from flasc.errors import FlascError


def carry_out_all(
    trainings: Sequence[Training],
    options: Options,
    workers: int,
    notify: Callable[[Progress], None],
) -> Generator[tuple[int, Done | EmulatorError | FlascError], None, None]:
    """Yield (index, result) of each training as it ends; an error of one leaves the others be.

    One worker means this process. A worker that dies is an EmulationError for its training; what
    it had trained is recorded. Closing the iterator ends all workers.
    """
    if workers == 1:
        for index, training in enumerate(trainings):
            yield index, _guarded(training, options, notify)
        return
    waiting = list(enumerate(trainings))[::-1]
    running: dict[Connection, tuple[BaseProcess, int]] = {}
    context = multiprocessing.get_context("spawn")
    try:
        for _ in range(min(workers, len(trainings))):
            ours, theirs = context.Pipe()
            process: BaseProcess = context.Process(
                target=_work, args=(theirs, options), daemon=True
            )
            process.start()
            theirs.close()  # so that a dead worker is an end of file
            index, training = waiting.pop()
            ours.send(training)
            running[ours] = process, index
        while running:
            for ready in wait(list(running)):
                assert isinstance(ready, Connection)
                process, index = running[ready]
                message = _receive(ready, process)
                if isinstance(message, Progress):
                    notify(message)
                    continue
                died = not process.is_alive() and isinstance(message, EmulationError)
                if waiting and not died:
                    index_next, training = waiting.pop()
                    ready.send(training)
                    running[ready] = process, index_next
                else:
                    del running[ready]
                    ready.close()
                yield index, message
        for index, _ in waiting:
            yield index, EmulationError("no worker was left for it", "run the command again")
    finally:
        for process, _ in running.values():
            process.terminate()
            process.join()


def _receive(connection: Connection, process: BaseProcess) -> Any:
    try:
        return connection.recv()
    except (EOFError, ConnectionResetError):
        process.join()
        return EmulationError(
            f"a worker process died (exit code {process.exitcode})",
            "if memory ran out, give --workers 1; run the command again to go on where it stopped",
        )


def _guarded(
    training: Training, options: Options, notify: Callable[[Progress], None]
) -> Done | EmulatorError | FlascError:
    try:
        return carry_out(training, options, notify)
    except (EmulatorError, FlascError) as error:
        return error


def _work(connection: Connection, options: Options) -> None:
    """A worker's life: trainings in, progress and results out, until the parent hangs up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C ends
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    while True:
        try:
            training = connection.recv()
        except EOFError:
            return
        connection.send(_guarded(training, options, connection.send))
