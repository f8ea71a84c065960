"""Synchronous rounds: the server waits for the whole cohort (McMahan et al. 2017)."""

from itertools import repeat

from emulator.simulation.policies.base import Synchronous
from emulator.simulation.rounds.client_task import Process
from emulator.simulation.rounds.context import World
from emulator.simulation.rounds.round_loop import Rule, cohorts


def synchronous(world: World, policy: Synchronous) -> Process:
    """Each round: a cohort downloads, computes and uploads; the last upload ends the round."""
    cohort = world.training.cohort
    if world.training.dp:  # how many came is private, and may be more
        rule = Rule(select=cohort, first=len(world.fleet), divisor=cohort)
    else:
        rule = Rule(select=cohort, first=cohort)
    return cohorts(world, repeat(rule))
