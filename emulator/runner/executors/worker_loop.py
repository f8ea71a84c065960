"""A worker's life, on any engine: trainings or pieces in, results out."""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from emulator.common.errors import EmulatorError
from emulator.runner.executors.base import Result
from emulator.runner.executors.work_sharing import Colleagues, Helper
from emulator.runner.recording import Recording
from emulator.runner.recording.remote import Pipe
from emulator.runner.training_job import Options, Progress, carry_out, prepare
from emulator.scenario.study import Training
from flasc.common.errors import FlascError
from flasc.training.shared_models import Workshop

Recorded = Callable[[Path, Mapping[str, Any]], Recording]


def serve(pipe: Pipe, options: Options, recorded: Recorded = Recording) -> None:
    """Do what the other end of the pipe says until it hangs up.

    `recorded` opens a recording. A helper that cannot help goes: who asked for it will meet the
    same, and say so.
    """
    workshop = Workshop(Colleagues(pipe))
    helper = Helper(pipe, functools.partial(prepare, options=options, workshop=workshop))
    try:
        while True:
            told = pipe.recv()
            if isinstance(told, Training):
                pipe.send(guarded(told, options, pipe.send, workshop, recorded))
            else:
                helper.obey(told)
    except (EOFError, EmulatorError, FlascError):
        return


def guarded(
    training: Training,
    options: Options,
    notify: Callable[[Progress], None],
    workshop: Workshop,
    recorded: Recorded = Recording,
) -> Result:
    """A training carried out, or the error that it met."""
    try:
        return carry_out(training, options, notify, workshop, recorded)
    except (EmulatorError, FlascError) as error:
        return error
