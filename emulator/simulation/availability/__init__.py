"""Availability models: when clients can take part. One file per model, one line here.

Packages add more in the entry point group `flasc_emu.availabilities`.
"""

from emulator.simulation.availability.always import AlwaysThere
from emulator.simulation.availability.base import AvailabilitySettings as AvailabilitySettings
from emulator.simulation.availability.diurnal import Diurnal
from emulator.simulation.availability.on_off import OnOff
from emulator.simulation.availability.trace import Traced

AVAILABILITIES: list[type[AvailabilitySettings]] = [AlwaysThere, OnOff, Diurnal, Traced]
