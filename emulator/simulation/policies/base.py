"""What a round policy is: settings, and the SimPy process that carries the rounds out.

A policy decides who takes part, when a round ends and which updates count, and nothing about
learning. Formulas: docs/howto/deadlines_churn_asynchrony.md.
"""

from emulator.simulation.rounds.client_task import Process
from emulator.simulation.rounds.context import SimulationContext
from flasc.common.plugins import Pluggable, implementation


class PolicySettings(Pluggable):
    """What every policy says of itself; `cohort` is training.cohort."""

    plugin_group = "flasc_emu.policies"
    behaviour = "process"

    kind: str

    def max_concurrency(self, cohort: int) -> int:
        """The largest number of clients that work at a time."""
        return cohort

    def updates_per_round(self, cohort: int) -> int | None:
        """How many updates end a round; None where a round does not end so."""
        return None

    def describe(self, cohort: int) -> list[str]:
        """What the policy asks of clients, in words, for `check`: ['first 10 of 13']."""
        return []

    def process(self, context: SimulationContext) -> Process:
        """The SimPy process that carries out all rounds.

        It asks the trainer for messages, lets the network carry them and logs what happened. A
        plug-in may override this, or name a function in `implementation`. Raises StalledError
        where the rounds cannot continue.
        """
        process: Process = implementation(self)(context, self)
        return process
