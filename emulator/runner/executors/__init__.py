"""Engines: where trainings run. One file per engine."""

from emulator.runner.executors.base import Engine
from emulator.runner.executors.local import Local
from emulator.runner.training_job import Options

__all__ = ["Engine", "Local", "Options"]
