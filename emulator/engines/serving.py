"""A worker's life, on any engine: trainings or pieces in, results out."""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from emulator.engines.engine import Result
from emulator.engines.hands import Colleagues, Helper
from emulator.engines.task import Options, Progress, carry_out, prepare
from emulator.errors import EmulatorError
from emulator.recording import Recording
from emulator.recording.away import Pipe
from emulator.study import Training
from flasc.errors import FlascError
from flasc.workshop import Workshop

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
