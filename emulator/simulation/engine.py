"""Which engine simulates: the compiled network, or the reference, which can do everything."""

from typing import Literal, TypeGuard

from emulator.network import compiled
from emulator.simulation.policies.base import PolicySettings
from emulator.simulation.policies.buffered import Asynchronous, Buffered
from emulator.simulation.policies.deadline import Deadline
from emulator.simulation.policies.overselection import Overselection
from emulator.simulation.policies.synchronous import Synchronous
from emulator.simulation.settings import RoundPlan
from flasc.common.settings import Settings

# Messages of all simulations of a study from which on the compiled network is used: the reference
# simulates 20,000 a second, and loading the other takes one (docs/background/performance.md).
WORTHWHILE = 100_000


class EngineSettings(Settings):
    """`auto`: the compiled network where it can do what is asked, and where it saves time."""

    engine: Literal["auto", "compiled", "reference"] = "auto"
    """`auto`: compiled where it can simulate the scenario and a study sends at least 100,000
    messages"""

    def wants_compiled(self, training: RoundPlan, simulations: int) -> bool:
        """Whether to compile, if that is possible, in a study with so many simulations."""
        if self.engine == "auto":
            return 2 * training.rounds * training.cohort * simulations >= WORTHWHILE
        return self.engine == "compiled"


OWN = (Synchronous, Overselection, Deadline, Buffered, Asynchronous)
Rounds = Synchronous | Overselection | Deadline


def has_rounds(policy: PolicySettings) -> TypeGuard[Rounds]:
    """Whether all tasks of a round end with it."""
    if type(policy) is Overselection or type(policy) is Deadline:
        return policy.late == "drop"
    return type(policy) is Synchronous


def why_reference(policy: PolicySettings) -> str:
    """Why the compiled network cannot simulate a policy; '' if it can do it."""
    cannot = {
        "numba is not installed": not compiled.AVAILABLE,
        "a policy that is a plug-in": type(policy) not in OWN,
    }
    return next((reason for reason, holds in cannot.items() if holds), "")
