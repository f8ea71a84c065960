"""A deadline that goes by how many updates the last round brought."""

from collections.abc import Iterator

from emulator.simulation.records import Round
from emulator.simulation.registry import Process, Rule, World, cohorts
from flasc_own.settings import Patient


def patient(world: World, policy: Patient) -> Process:
    """Rounds of a cohort each, each by a rule of its own."""
    return cohorts(world, _rules(world, policy))


def _rules(world: World, policy: Patient) -> Iterator[Rule]:
    cohort, deadline_s = world.training.cohort, policy.deadline
    while True:
        yield Rule(select=cohort, first=cohort, deadline_s=deadline_s)
        last = next(row for row in reversed(world.journal.rows) if isinstance(row, Round))
        few = last.used < policy.enough * last.cohort
        deadline_s *= policy.step if few else 1 / policy.step
