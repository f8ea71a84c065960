"""Main loop of a worker on any engine: receives trainings or pieces, sends results."""

import functools
import os

from emulator.runner.events import OnEvent
from emulator.runner.executors.base import Result
from emulator.runner.executors.work_sharing import Helper, RemoteHelpers, Train
from emulator.runner.recording import Recording
from emulator.runner.recording.remote import Pipe
from emulator.runner.training_job import OpenRecording, Options, prepare, run_training
from emulator.scenario.study import TrainingJob
from flasc.common.errors import UserError
from flasc.training.shared_models import SharedModels


def serve(pipe: Pipe, options: Options, open_recording: OpenRecording = Recording) -> None:
    """Handle the messages of the pool until it closes the pipe.

    A helper that meets an error ends: the training that it helps meets the same error and reports
    it.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    shared = SharedModels(RemoteHelpers(pipe))
    helper = Helper(pipe, functools.partial(prepare, options=options, shared=shared))
    try:
        while True:
            message = pipe.recv()
            if isinstance(message, Train):
                index, job = message.index, message.training
                pipe.send(run_job(index, job, options, pipe.send, shared, open_recording))
            else:
                helper.handle(message)
    except (EOFError, UserError):
        return


def run_job(
    index: int,
    training: TrainingJob,
    options: Options,
    on_event: OnEvent,
    shared: SharedModels,
    open_recording: OpenRecording = Recording,
) -> Result:
    """The result of a training, or the error that it failed with."""
    try:
        return run_training(index, training, options, on_event, shared, open_recording)
    except UserError as error:
        return error
