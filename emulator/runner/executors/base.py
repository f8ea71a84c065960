"""The interface between a run and the workers that compute its trainings."""

from collections.abc import Generator, Sequence
from typing import Protocol

from emulator.runner.events import OnEvent, TrainingResult
from emulator.runner.training_job import Options
from emulator.scenario.study import TrainingJob
from flasc.common.errors import UserError

Result = TrainingResult | UserError
Results = Generator[tuple[int, Result], None, None]


class Engine(Protocol):
    """Runs trainings; results do not depend on the engine."""

    @property
    def workers(self) -> int:
        """The largest number of trainings that run at the same time."""

    def run_all(
        self, trainings: Sequence[TrainingJob], options: Options, on_event: OnEvent
    ) -> Results:
        """Yield (index, result) of each training as it ends; an error of one affects no other.

        What was trained is recorded in `options.recordings` of this machine, even if its worker
        dies. Closing the iterator ends all workers.
        """
