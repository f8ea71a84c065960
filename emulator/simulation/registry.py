"""Round policies: who takes part, when, and whose update counts. One file a policy.

A policy is a SimPy process. It asks the trainer for messages, lets the network carry them and
notes what happened; it decides who takes part, and nothing about learning.
"""

from collections.abc import Callable
from typing import Any

from emulator.scenario.scenario import Training
from emulator.simulation.policies import base
from emulator.simulation.policies.base import PolicySettings
from emulator.simulation.policies.buffered import buffered
from emulator.simulation.policies.deadline import deadline
from emulator.simulation.policies.overselection import overselection
from emulator.simulation.policies.synchronous import synchronous
from emulator.simulation.rounds.client_task import Process
from emulator.simulation.rounds.context import Journal, World
from emulator.simulation.rounds.round_loop import Rule, cohorts
from emulator.simulation.selection.base import SelectionSettings
from emulator.simulation.selection.oort import Oort
from emulator.simulation.selection.uniform import Clients, Poisson, Selector, Uniform
from flasc.common import plugins

__all__ = [
    "Clients",
    "Journal",
    "Process",
    "Rule",
    "Selector",
    "Uniform",
    "World",
    "carry_out",
    "cohorts",
    "selector",
]

POLICIES: dict[type[PolicySettings], Callable[[World, Any], Process]] = {
    base.Synchronous: synchronous,
    base.Overselection: overselection,
    base.Deadline: deadline,
    base.Buffered: buffered,
    base.Asynchronous: buffered,
}


def carry_out(world: World, policy: PolicySettings) -> Process:
    """The process of `policy`: of one of ours, or of another package's."""
    process: Process = (POLICIES.get(type(policy)) or plugins.implementation(policy))(world, policy)
    return process


def selector(selection: SelectionSettings, training: Training, seed: int) -> Selector:
    """Who chooses clients by `selection`: one of ours, or of another package."""
    if training.dp and training.dp.sampling == "poisson":
        return Poisson(seed)
    match selection.kind:
        case "uniform":
            return Uniform(seed)
        case "oort":
            return Oort(seed)
    found: Selector = plugins.implementation(selection)(selection, seed)
    return found
