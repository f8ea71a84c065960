"""Trainings spread over processes of this machine, one torch thread each.

Two threads in one process are slower than two processes with one thread, and one thread is what
makes sums independent of the number of cores. Once fewer trainings than workers are left, the idle
ones help with theirs (`emulator.runner.executors.work_sharing`).
"""

import functools
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait

from emulator.runner.executors.base import Notify, Results
from emulator.runner.executors.pool import WorkerPool
from emulator.runner.executors.process_worker import Worker
from emulator.runner.executors.worker_loop import run_job, serve
from emulator.runner.training_job import Options
from emulator.scenario.study import TrainingJob
from flasc.training.shared_models import SharedModels


@dataclass(frozen=True)
class Local:
    """The engine of one machine. One worker means this process.

    A worker that dies is an EmulationError for its training; what it had trained is recorded.
    """

    workers: int

    def run_all(
        self, trainings: Sequence[TrainingJob], options: Options, notify: Notify
    ) -> Results:
        """Yield (index, result) of each training as it ends; see `Engine`."""
        if self.workers > 1:
            crew = WorkerPool(trainings, self.workers, lambda: Worker(_work, options), _ready)
            yield from crew.results(notify)
            return
        workshop = SharedModels()
        for index, training in enumerate(trainings):
            yield index, run_job(training, options, functools.partial(notify, index), workshop)


def _ready(workers: Sequence[Worker]) -> Iterator[Worker]:
    """Those who have something to say, or have died; waits for one."""
    by_pipe = {worker.pipe: worker for worker in workers}
    for pipe in wait(list(by_pipe)):
        assert isinstance(pipe, Connection)
        yield by_pipe[pipe]


def _work(pipe: Connection, options: Options) -> None:
    """A worker process, until the parent hangs up."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # an exception stops a download as well
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        serve(pipe, options)
    except SystemExit:
        os._exit(1)  # nothing is left to tidy up, and torch takes seconds to take itself apart


def _end_with_parent() -> None:
    """A parent that was killed cannot say goodbye, and nobody waits for what is trained now."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
