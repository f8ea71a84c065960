"""Client selection: which available clients are asked. One file per selection, one line here.

Packages add more in the entry point group `flasc_emu.selections`.
"""

from emulator.simulation.selection.base import SelectionSettings as SelectionSettings
from emulator.simulation.selection.oort import Oort
from emulator.simulation.selection.uniform import Uniform

SELECTIONS: list[type[SelectionSettings]] = [Uniform, Oort]
