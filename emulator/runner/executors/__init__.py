"""Engines: where trainings run. One file an engine."""

from emulator.runner.executors.base import Engine
from emulator.runner.executors.local import Local
from emulator.runner.training_job import Options, Progress, TrainingResult, run_training

__all__ = ["Engine", "Local", "Options", "Progress", "TrainingResult", "run_training"]
