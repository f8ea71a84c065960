"""Base class of round policies.

A policy decides which clients take part, when a round ends and which updates are used. It decides
nothing about learning. Formulas: docs/howto/deadlines_churn_asynchrony.md.
"""

from emulator.simulation.rounds.client_task import Process
from emulator.simulation.rounds.context import SimulationContext
from flasc.common.plugins import Pluggable, implementation


class PolicySettings(Pluggable):
    """Settings of a round policy. `cohort` is training.cohort in all methods."""

    plugin_group = "flasc_emu.policies"
    behaviour = "process"

    kind: str

    def max_concurrency(self, cohort: int) -> int:
        """The largest number of clients that work at the same time."""
        return cohort

    def updates_per_round(self, _cohort: int) -> int | None:
        """The number of updates that ends a round; None if rounds end differently."""
        return None

    def describe(self, _cohort: int) -> list[str]:
        """Phrases that describe the policy for `check`, like ['first 10 of 13']."""
        return []

    def process(self, context: SimulationContext) -> Process:
        """Returns the SimPy process that simulates all rounds.

        The process gets messages from the trainer, sends them over the network and logs rows. A
        plug-in overrides this method, or names a function in `implementation`. Raises StalledError
        if the rounds cannot continue.
        """
        process: Process = implementation(self)(context, self)
        return process
