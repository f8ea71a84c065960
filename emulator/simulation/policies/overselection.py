"""More clients are asked than are needed; the first updates count (Bonawitz et al. 2019)."""

from itertools import repeat

from emulator.simulation.policies.base import Overselection
from emulator.simulation.rounds.client_task import Process
from emulator.simulation.rounds.context import World
from emulator.simulation.rounds.round_loop import Rule, cohorts


def overselection(world: World, policy: Overselection) -> Process:
    """Each round ends with the `first` updates of the `select` clients that were asked."""
    first = policy.enough(world.training.cohort)
    rule = Rule(policy.select, first, late=policy.late, weight=policy.staleness.weight)
    return cohorts(world, repeat(rule))
