"""A deadline that is adapted to the number of updates in the last round."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import override

from emulator.common.distributions import PositiveDuration
from emulator.common.units import format_duration
from emulator.simulation.policies.base import PolicySettings
from emulator.simulation.records import Round
from emulator.simulation.rounds.client_task import Process
from emulator.simulation.rounds.context import SimulationContext
from emulator.simulation.rounds.round_loop import RoundRule, run_rounds
from flasc.common.settings import Density


class Patient(PolicySettings):
    """A deadline that grows by `step` if fewer than `enough` arrived, and shrinks otherwise."""

    kind: Literal["patient"]
    deadline: PositiveDuration
    enough: Density = 0.8
    step: Annotated[float, Field(gt=1, le=10)] = 1.5

    @override
    def describe(self, cohort: int) -> list[str]:
        return [f"a deadline of {format_duration(self.deadline)} at first, for {self.enough:.0%}"]

    @override
    def process(self, context: SimulationContext) -> Process:
        return run_rounds(context, self._rules(context))

    def _rules(self, context: SimulationContext) -> Iterator[RoundRule]:
        cohort, deadline_s = context.training.cohort, self.deadline
        while True:
            yield RoundRule(select=cohort, first=cohort, deadline_s=deadline_s)
            last = next(row for row in reversed(context.log.rows) if isinstance(row, Round))
            few = last.used < self.enough * last.cohort
            deadline_s *= self.step if few else 1 / self.step
