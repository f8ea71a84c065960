"""A worker's life, on any engine: trainings or pieces in, results out."""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from emulator.runner.executors.base import Result
from emulator.runner.executors.work_sharing import Helper, RemoteHelpers
from emulator.runner.recording import Recording
from emulator.runner.recording.remote import Pipe
from emulator.runner.training_job import Options, Progress, prepare, run_training
from emulator.scenario.study import TrainingJob
from flasc.common.errors import UserError
from flasc.training.shared_models import SharedModels

Recorded = Callable[[Path, Mapping[str, Any]], Recording]


def serve(pipe: Pipe, options: Options, recorded: Recorded = Recording) -> None:
    """Do what the other end of the pipe says until it hangs up.

    `recorded` opens a recording. A helper that cannot help goes: who asked for it will meet the
    same, and say so.
    """
    workshop = SharedModels(RemoteHelpers(pipe))
    helper = Helper(pipe, functools.partial(prepare, options=options, workshop=workshop))
    try:
        while True:
            told = pipe.recv()
            if isinstance(told, TrainingJob):
                pipe.send(run_job(told, options, pipe.send, workshop, recorded))
            else:
                helper.obey(told)
    except (EOFError, UserError):
        return


def run_job(
    training: TrainingJob,
    options: Options,
    notify: Callable[[Progress], None],
    workshop: SharedModels,
    recorded: Recorded = Recording,
) -> Result:
    """A training carried out, or the error that it met."""
    try:
        return run_training(training, options, notify, workshop, recorded)
    except UserError as error:
        return error
