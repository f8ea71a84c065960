"""A round ends at its deadline, whoever is done by then (Bonawitz et al. 2019)."""

from emulator.policies import Deadline, at_work, enough
from emulator.rounds.cohorts import Rule, cohorts
from emulator.rounds.visit import Process
from emulator.rounds.world import World


def deadline(world: World, policy: Deadline) -> Process:
    """Each round ends at its deadline, or sooner once the `first` updates have arrived."""
    cohort = world.training.cohort
    rule = Rule(
        at_work(policy, cohort),
        enough(policy, cohort),
        policy.deadline,
        policy.late,
        policy.staleness.weight,
    )
    return cohorts(world, rule)
