"""Engines: where trainings run. One file an engine."""

from emulator.engines.local import carry_out_all
from emulator.engines.task import Done, Options, Progress, carry_out

__all__ = ["Done", "Options", "Progress", "carry_out", "carry_out_all"]
