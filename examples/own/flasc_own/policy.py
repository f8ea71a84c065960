"""A deadline that goes by how many updates the last round brought."""

from collections.abc import Iterator

from emulator.simulation.records import Round
from emulator.simulation.rounds.client_task import Process
from emulator.simulation.rounds.context import SimulationContext
from emulator.simulation.rounds.round_loop import RoundRule, run_rounds
from flasc_own.settings import Patient


def patient(context: SimulationContext, policy: Patient) -> Process:
    """Rounds of one cohort each, each by a rule of its own."""
    return run_rounds(context, _rules(context, policy))


def _rules(context: SimulationContext, policy: Patient) -> Iterator[RoundRule]:
    cohort, deadline_s = context.training.cohort, policy.deadline
    while True:
        yield RoundRule(select=cohort, first=cohort, deadline_s=deadline_s)
        last = next(row for row in reversed(context.log.rows) if isinstance(row, Round))
        few = last.used < policy.enough * last.cohort
        deadline_s *= policy.step if few else 1 / policy.step
