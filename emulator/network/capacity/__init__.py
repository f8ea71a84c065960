"""Capacity models: rates that change in time. One file per model, one line here.

Packages add more in the entry point group `flasc_emu.capacities`.
"""

from emulator.network.capacity.base import CapacityModel as CapacityModel
from emulator.network.capacity.diurnal import Diurnal
from emulator.network.capacity.markov import Markov
from emulator.network.capacity.trace import Trace

CAPACITIES: list[type[CapacityModel]] = [Trace, Markov, Diurnal]
