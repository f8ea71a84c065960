"""A round ends at its deadline, whoever is done by then (Bonawitz et al. 2019)."""

from itertools import repeat

from emulator.simulation.policies.base import Deadline
from emulator.simulation.rounds.client_task import Process
from emulator.simulation.rounds.context import World
from emulator.simulation.rounds.round_loop import Rule, cohorts


def deadline(world: World, policy: Deadline) -> Process:
    """Each round ends at its deadline, or sooner once the `first` updates have arrived."""
    cohort = world.training.cohort
    rule = Rule(
        policy.at_work(cohort),
        policy.enough(cohort),
        policy.deadline,
        policy.late,
        policy.staleness.weight,
    )
    return cohorts(world, repeat(rule))
