"""Deadlines: a round ends after a fixed time (Bonawitz et al. 2019)."""

from itertools import repeat
from typing import Annotated, Literal

from pydantic import WithJsonSchema
from typing_extensions import override

from emulator.common.distributions import Duration, only
from emulator.common.units import POSITIVE_DURATION_SCHEMA, format_duration
from emulator.simulation.policies.base import PolicySettings
from emulator.simulation.rounds.client_task import Process
from emulator.simulation.rounds.context import SimulationContext
from emulator.simulation.rounds.round_loop import RoundRule, run_rounds
from emulator.simulation.rounds.staleness import LATE_IN_WORDS, Constant, Late, Staleness
from flasc.common.settings import PositiveInt


class Deadline(PolicySettings):
    """A round ends after `deadline`, or when the `first` updates (default: all) have arrived.

    `select` clients are selected (default: training.cohort). Source: Bonawitz et al. 2019.
    """

    kind: Literal["deadline"]
    deadline: Annotated[
        Duration,
        only(lambda x: x > 0, "a deadline above 0, like 30 s", " s"),
        WithJsonSchema(POSITIVE_DURATION_SCHEMA),
    ]
    """time from the start of the round"""
    select: PositiveInt | None = None
    """clients asked per round; none: `training.cohort`"""
    first: PositiveInt | None = None
    """number of updates that ends the round before its deadline; none: all clients that were asked
    """
    late: Late = "drop"
    """late clients are stopped, or their updates count in the round in which they arrive"""
    staleness: Staleness = Constant()
    """weight of an update by its staleness s, the number of server steps since its download"""

    @override
    def max_concurrency(self, cohort: int) -> int:
        return self.select or cohort

    @override
    def updates_per_round(self, cohort: int) -> int:
        return self.first or self.max_concurrency(cohort)

    @override
    def describe(self, cohort: int) -> list[str]:
        first = [f"first {self.first}"] if self.first else []
        asked = f"{self.max_concurrency(cohort)} asked"
        deadline = f"deadline {format_duration(self.deadline)}"
        return [deadline, asked, *first, *LATE_IN_WORDS[self.late]]

    @override
    def process(self, context: SimulationContext) -> Process:
        return run_rounds(context, repeat(self.rule(context)))

    def rule(self, context: SimulationContext) -> RoundRule:
        """The rule of each round."""
        cohort = context.training.cohort
        return RoundRule(
            self.max_concurrency(cohort),
            self.updates_per_round(cohort),
            self.deadline,
            self.late,
            self.staleness.weight,
        )
