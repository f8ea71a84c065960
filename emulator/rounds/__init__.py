"""Round policies: who takes part, when, and whose update counts. One file a policy.

A policy is a SimPy process. It asks the trainer for messages, lets the network carry them and
notes what happened; it decides who takes part, and nothing about learning.
"""

from emulator.policies import Chosen, Deadline, Overselection, Policy, Synchronous
from emulator.rounds.buffered import buffered
from emulator.rounds.deadline import deadline
from emulator.rounds.oort import Oort
from emulator.rounds.overselection import overselection
from emulator.rounds.selection import Poisson, Selector, Uniform
from emulator.rounds.synchronous import synchronous
from emulator.rounds.visit import Process
from emulator.rounds.world import Journal, World
from emulator.scenario import Training

__all__ = ["Journal", "Process", "Selector", "World", "carry_out", "selector"]


def carry_out(world: World, policy: Policy) -> Process:
    """The process of `policy`."""
    match policy:
        case Synchronous():
            return synchronous(world)
        case Overselection():
            return overselection(world, policy)
        case Deadline():
            return deadline(world, policy)
        case _:
            return buffered(world, policy)


def selector(policy: Chosen, training: Training, seed: int) -> Selector:
    """Who chooses clients for `policy`."""
    if training.dp and training.dp.sampling == "poisson":
        return Poisson(seed)
    return Oort(seed) if policy.selection == "oort" else Uniform(seed)
