"""Synchronous rounds: the server waits for the whole cohort (McMahan et al. 2017)."""

from itertools import repeat
from typing import Literal

from typing_extensions import override

from emulator.simulation.policies.base import PolicySettings
from emulator.simulation.rounds.client_task import Process
from emulator.simulation.rounds.context import SimulationContext
from emulator.simulation.rounds.round_loop import RoundRule, run_rounds


class Synchronous(PolicySettings):
    """The server waits for the whole cohort (McMahan et al. 2017)."""

    kind: Literal["synchronous"] = "synchronous"

    @override
    def process(self, context: SimulationContext) -> Process:
        return run_rounds(context, repeat(self.rule(context)))

    def rule(self, context: SimulationContext) -> RoundRule:
        """The rule of each round."""
        cohort = context.training.cohort
        if context.training.dp:  # the number of clients is private, and may be larger
            return RoundRule(select=cohort, first=len(context.fleet), divisor=cohort)
        return RoundRule(select=cohort, first=cohort)
