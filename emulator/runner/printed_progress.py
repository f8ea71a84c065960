"""Progress of a run as lines on stderr, for Python programs."""

import sys
import time
from collections.abc import Sequence

from emulator.common.text import printable
from emulator.common.units import format_duration
from emulator.runner.events import Event, Note, Simulated, TrainingFinished, TrainingProgress
from emulator.scenario.study import TrainingJob, titles

EVERY_WALL_S = 10.0


def seen_by_a_person() -> bool:
    """Whether stderr is a terminal, or the output of a notebook (IPython's kernel)."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules


class SimulationPace:
    """How many simulations of a run have ended, and how many do per second of wall time."""

    def __init__(self, whole: int) -> None:
        self.whole, self.done = whole, 0
        self._start_wall_s: float | None = None
        self._counted = 0  # before the clock started: workers had to start first
        self._said_wall_s = time.monotonic()

    def add(self, count: int) -> None:
        """Note that `count` more have ended."""
        self.done += count
        if self._start_wall_s is None:
            self._start_wall_s, self._counted = time.monotonic(), self.done

    def per_s(self) -> float:
        """Simulations per second since the first ones ended; 0 until then."""
        if self._start_wall_s is None:
            return 0.0
        passed_s = time.monotonic() - self._start_wall_s
        return (self.done - self._counted) / passed_s if passed_s > 0 else 0.0

    def left_s(self) -> float | None:
        """Estimated wall seconds left; None while it is unknown."""
        rate = self.per_s()
        return (self.whole - self.done) / rate if rate else None

    def is_due(self, every_wall_s: float) -> bool:
        """Whether a line was said `every_wall_s` ago; the next one is due after that again."""
        now_s = time.monotonic()
        if due := now_s - self._said_wall_s >= every_wall_s:
            self._said_wall_s = now_s
        return due

    def text(self) -> str:
        """The numbers for a person."""
        text = f"{self.done:,} of {self.whole:,} simulations"
        if (left_s := self.left_s()) is None:
            return text
        return f"{text}, {self.per_s():,.0f} per second, about {format_duration(left_s)} left"


class PrintedProgress:
    """Prints what is trained: notes, a line every few seconds and the end.

    Of a replay it prints the number of simulations, if there are many.
    """

    def __init__(self, trainings: Sequence[TrainingJob]) -> None:
        self._titles = titles(trainings)
        self._printed_wall_s: dict[int, float] = {}
        self._pace = SimulationPace(sum(each.count for each in trainings))

    def __call__(self, event: Event) -> None:
        """Print an event, if it is worth a line."""
        match event:
            case Note(training, text):
                self._print(training, text)
            case Simulated(_, count):
                self._pace.add(count)
                if self._pace.is_due(EVERY_WALL_S):
                    self._print(None, self._pace.text())
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
