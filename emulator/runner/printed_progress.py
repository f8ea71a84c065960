"""Progress of a run as lines on stderr, for Python programs."""

import sys
import time
from collections.abc import Sequence

from emulator.common.text import printable
from emulator.runner.events import Event, Note, TrainingFinished, TrainingProgress
from emulator.scenario.study import TrainingJob, titles

EVERY_WALL_S = 10.0


def seen_by_a_person() -> bool:
    """Whether stderr is a terminal, or the output of a notebook (IPython's kernel)."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules


class PrintedProgress:
    """Prints what is trained: notes, a line every few seconds and the end. Silent in a replay."""

    def __init__(self, trainings: Sequence[TrainingJob]) -> None:
        self._titles = titles(trainings)
        self._printed_wall_s: dict[int, float] = {}

    def __call__(self, event: Event) -> None:
        """Print an event, if it is worth a line."""
        match event:
            case Note(training, text):
                self._print(training, text)
            case TrainingProgress(training, trained=trained) if trained and self._is_due(training):
                self._print(training, f"round {event.round}/{event.rounds}")
            case TrainingFinished(training) if training in self._printed_wall_s:
                self._print(training, "done")

    def _is_due(self, training: int) -> bool:
        now_s, last_s = time.monotonic(), self._printed_wall_s.get(training, -EVERY_WALL_S)
        if due := now_s - last_s >= EVERY_WALL_S:
            self._printed_wall_s[training] = now_s
        return due

    def _print(self, training: int | None, text: str) -> None:
        name = "" if training is None else f"{self._titles[training]}: "
        print(printable(f"{name}{text}"), file=sys.stderr, flush=True)
