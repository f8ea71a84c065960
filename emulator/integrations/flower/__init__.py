"""Writes a message log from Flower: `Recorder` for apps, `StrategyRecorder` for legacy strategies.

`timed` is a mod that tells the recorder the seconds of each client. Needs Flower
(`pip install 'flasc-emu[flower]'`); no other module of flasc-emu does.
"""

try:
    import flwr  # noqa: F401
except ImportError as error:
    raise ImportError(f"{error}: pip install 'flasc-emu[flower]'") from None

from emulator.integrations.flower.grid import Recorder
from emulator.integrations.flower.mod import timed
from emulator.integrations.flower.strategy import StrategyRecorder

__all__ = ["Recorder", "StrategyRecorder", "timed"]
