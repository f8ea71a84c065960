"""Round policies: who takes part, when, and whose update counts. One file a policy.

A policy is a SimPy process. It asks the trainer for messages, lets the network carry them and
notes what happened; it decides who takes part, and nothing about learning.
"""

from collections.abc import Callable
from typing import Any

from emulator import policies
from emulator.policies import PolicySettings
from emulator.rounds.buffered import buffered
from emulator.rounds.cohorts import Rule, cohorts
from emulator.rounds.deadline import deadline
from emulator.rounds.oort import Oort
from emulator.rounds.overselection import overselection
from emulator.rounds.selection import Clients, Poisson, Selector, Uniform
from emulator.rounds.synchronous import synchronous
from emulator.rounds.visit import Process
from emulator.rounds.world import Journal, World
from emulator.scenario import Training
from emulator.selections import SelectionSettings
from flasc import plugins

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
    policies.Synchronous: synchronous,
    policies.Overselection: overselection,
    policies.Deadline: deadline,
    policies.Buffered: buffered,
    policies.Asynchronous: buffered,
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
