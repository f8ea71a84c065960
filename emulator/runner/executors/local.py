"""Trainings on processes of this machine, one torch thread each.

Two threads in one process are slower than two processes with one thread each, and with one thread
sums do not depend on the number of cores. When fewer trainings than workers are left, the idle
workers help with them (`emulator.runner.executors.work_sharing`).
"""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait

from emulator.runner.events import OnEvent
from emulator.runner.executors.base import Results
from emulator.runner.executors.pool import WorkerPool
from emulator.runner.executors.process_worker import Worker
from emulator.runner.executors.worker_loop import LastOpened, run_job, serve
from emulator.runner.recording import Recording
from emulator.runner.training_job import Options
from emulator.scenario.study import TrainingJob
from flasc.training.shared_models import SharedModels


@dataclass(frozen=True)
class Local:
    """The engine of one machine. With one worker, trainings run in this process.

    If a worker dies, its training ends with an EmulationError; what it trained is recorded.
    """

    workers: int

    def run_all(
        self, trainings: Sequence[TrainingJob], options: Options, on_event: OnEvent
    ) -> Results:
        """Yield (index, result) of each training as it ends; see `Engine`."""
        if self.workers > 1:
            pool = WorkerPool(trainings, self.workers, lambda: Worker(_work, options), _ready)
            yield from pool.results(on_event)
            return
        shared, opened = SharedModels(), LastOpened(Recording)
        for index, training in enumerate(trainings):
            yield index, run_job(index, training, options, on_event, shared, opened)


def _ready(workers: Sequence[Worker]) -> list[Worker]:
    """The workers that have sent a message or have died; waits for at least one."""
    ready = wait([worker.pipe for worker in workers])
    return [worker for worker in workers if worker.pipe in ready]


def _work(pipe: Connection, options: Options) -> None:
    """Main function of a worker process; it ends when the parent closes the pipe."""
    signal.signal(signal.SIGTERM, _stop)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        serve(pipe, options)
    except SystemExit:
        os._exit(1)  # nothing is left to clean up, and torch takes seconds to unload


def _stop(*_: object) -> None:
    """Raise SystemExit, so that a download that was begun removes its files.

    Where an exception cannot propagate (in a callback of the garbage collector, say), Python would
    print it and go on: there the process ends at once.
    """
    sys.unraisablehook = lambda _: os._exit(1)
    sys.exit()


def _end_with_parent() -> None:
    """End this process when its parent ends: a killed parent cannot close the pipe in order."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
