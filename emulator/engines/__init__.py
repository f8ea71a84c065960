"""Engines: where trainings run. One file an engine."""

from emulator.engines.engine import Engine
from emulator.engines.local import Local
from emulator.engines.task import Done, Options, Progress, carry_out

__all__ = ["Done", "Engine", "Local", "Options", "Progress", "carry_out"]
