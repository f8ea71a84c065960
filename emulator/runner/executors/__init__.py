"""Engines: where trainings run. One file an engine."""

from emulator.runner.executors.base import Engine
from emulator.runner.executors.local import Local
from emulator.runner.training_job import Done, Options, Progress, carry_out

__all__ = ["Done", "Engine", "Local", "Options", "Progress", "carry_out"]
