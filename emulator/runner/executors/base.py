"""The seam between a study and where its trainings run: what every engine does."""

from collections.abc import Callable, Generator, Sequence
from typing import Protocol

from emulator.runner.training_job import Options, Progress, TrainingResult
from emulator.scenario.study import TrainingJob
from flasc.common.errors import UserError

Result = TrainingResult | UserError
Results = Generator[tuple[int, Result], None, None]
Notify = Callable[[int, Progress], None]


class Engine(Protocol):
    """Carries trainings out; nothing about it shows in a result."""

    @property
    def workers(self) -> int:
        """How many trainings go on at once, at most."""

    def run_all(
        self, trainings: Sequence[TrainingJob], options: Options, notify: Notify
    ) -> Results:
        """Yield (index, result) of each training as it ends; an error of one leaves others be.

        `notify` is told how far a training, by its index, has got. What was trained is recorded in
        `options.recordings` of this machine, whatever becomes of who trained it. Closing the
        iterator ends all workers.
        """
