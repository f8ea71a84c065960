"""Round policies: which clients take part, which updates are used. One file each, one line here.

Packages add more in the entry point group `flasc_emu.policies`.
"""

from emulator.simulation.policies.base import PolicySettings as PolicySettings
from emulator.simulation.policies.buffered import Asynchronous, Buffered
from emulator.simulation.policies.deadline import Deadline
from emulator.simulation.policies.overselection import Overselection
from emulator.simulation.policies.synchronous import Synchronous

POLICIES: list[type[PolicySettings]] = [
    Synchronous,
    Overselection,
    Deadline,
    Buffered,
    Asynchronous,
]
