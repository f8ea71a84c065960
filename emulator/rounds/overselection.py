"""More clients are asked than are needed; the first updates count (Bonawitz et al. 2019)."""

from itertools import repeat

from emulator.policies import Overselection
from emulator.rounds.cohorts import Rule, cohorts
from emulator.rounds.visit import Process
from emulator.rounds.world import World


def overselection(world: World, policy: Overselection) -> Process:
    """Each round ends with the `first` updates of the `select` clients that were asked."""
    first = policy.enough(world.training.cohort)
    rule = Rule(policy.select, first, late=policy.late, weight=policy.staleness.weight)
    return cohorts(world, repeat(rule))
