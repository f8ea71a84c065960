"""Over-selection: more clients are selected than needed (Bonawitz et al. 2019)."""

from itertools import repeat
from typing import Literal

from typing_extensions import override

from emulator.simulation.policies.base import PolicySettings
from emulator.simulation.rounds.client_task import Process
from emulator.simulation.rounds.context import SimulationContext
from emulator.simulation.rounds.round_loop import RoundRule, run_rounds
from emulator.simulation.rounds.staleness import LATE_IN_WORDS, Constant, Late, Staleness
from flasc.common.settings import PositiveInt


class Overselection(PolicySettings):
    """Selects `select` clients; the `first` updates (default: training.cohort) end the round."""

    kind: Literal["overselection"]
    select: PositiveInt
    """clients asked per round"""
    first: PositiveInt | None = None
    """number of updates that ends the round; none: `training.cohort`"""
    late: Late = "drop"
    """late clients are stopped, or their updates count in the round in which they arrive"""
    staleness: Staleness = Constant()
    """weight of an update by its staleness s, the number of server steps since its download"""

    @override
    def max_concurrency(self, cohort: int) -> int:
        return self.select

    @override
    def updates_per_round(self, cohort: int) -> int:
        return self.first or cohort

    @override
    def describe(self, cohort: int) -> list[str]:
        first = f"first {self.updates_per_round(cohort)} of {self.select}"
        return [first, *LATE_IN_WORDS[self.late]]

    @override
    def process(self, context: SimulationContext) -> Process:
        return run_rounds(context, repeat(self.rule(context)))

    def rule(self, context: SimulationContext) -> RoundRule:
        """The rule of each round."""
        first, weight = self.updates_per_round(context.training.cohort), self.staleness.weight
        return RoundRule(self.select, first, late=self.late, weight=weight)
