"""Main loop of a worker on any engine: receives trainings or pieces, sends results."""

import functools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emulator.runner.events import OnEvent
from emulator.runner.executors.base import Result
from emulator.runner.executors.work_sharing import Helper, RemoteHelpers, Train
from emulator.runner.recording import Recording
from emulator.runner.recording.remote import Pipe
from emulator.runner.training_job import OpenRecording, Options, prepare, run_training
from emulator.scenario.study import TrainingJob
from flasc.common.errors import UserError
from flasc.training.shared_models import SharedModels


class LastOpened:
    """Opens recordings, and keeps the last one for the next part of the same training."""

    def __init__(self, open_recording: OpenRecording) -> None:
        self._open = open_recording
        self._key: tuple[Path, Mapping[str, Any], str] | None = None
        self._last: Recording | None = None

    def __call__(self, store: Path, settings: Mapping[str, Any], *, weights: str = "") -> Recording:
        """The recording with what was added to it since."""
        key = (store, settings, weights)
        if self._last is None or key != self._key:
            self._key, self._last = None, None  # free it first
            self._last = self._open(store, settings, weights=weights)
            self._key = key
        else:
            self._last.refresh()
        return self._last


def serve(pipe: Pipe, options: Options, open_recording: OpenRecording = Recording) -> None:
    """Handle the messages of the pool until it closes the pipe.

    A helper that meets an error ends: the training that it helps meets the same error and reports
    it.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    shared = SharedModels(RemoteHelpers(pipe))
    opened = LastOpened(Recording) if open_recording is Recording else open_recording
    helper = Helper(pipe, functools.partial(prepare, options=options, shared=shared))
    try:
        while True:
            message = pipe.recv()
            if isinstance(message, Train):
                index, job = message.index, message.training
                pipe.send(run_job(index, job, options, pipe.send, shared, opened))
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
