"""What a person sees while a run goes on: a live view, or plain lines without a terminal."""

import time
from collections import Counter
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bars
from rich.table import Column
from typing_extensions import Self

from emulator.document import printable
from emulator.engines import Progress
from emulator.study import Training
from emulator.units import format_duration

PLAIN_EVERY_WALL_S = 10.0
NAME_WIDTH = 24


def titles(trainings: Sequence[Training]) -> list[str]:
    """What to call each training: its method, with seed and variant where only they tell."""
    seeds = {training.seed for training in trainings}
    count = Counter((training.method, training.seed) for training in trainings)
    found = []
    for training in trainings:
        parts = [training.method]
        if len(seeds) > 1:
            parts.append(f"seed {training.seed}")
        if count[training.method, training.seed] > 1:
            parts.append(next(iter(training.variants)))
        found.append(printable(", ".join(parts)))
    return found


class Display:
    """Shows each training's round, accuracy and simulated clock, and the wall time left.

    Time left assumes that rounds to come take as long as rounds trained so far, that every
    training goes to its last round (early stops make it less) and that nothing is recorded yet.
    """

    def __init__(self, console: Console, trainings: Sequence[Training], workers: int) -> None:
        self.console = console
        self._titles = titles(trainings)
        self._to_do = {
            index: max(variant.training.rounds for variant in training.variants.values())
            for index, training in enumerate(trainings)
        }
        self._rounds = dict(self._to_do)
        self._workers = max(1, min(workers, len(trainings)))
        self._trained: dict[int, int] = {}
        self._first: tuple[float, int] | None = None
        self._said_wall_s: dict[int, float] = {}
        self._tasks: dict[int, TaskID] = {}
        self._bars: Bars | None = None
        if console.is_terminal:
            one_line = Column(no_wrap=True, overflow="ellipsis")
            self._bars = Bars(
                TextColumn("{task.description}", markup=False, table_column=one_line),
                BarColumn(bar_width=8),
                TextColumn("{task.fields[status]}", markup=False, table_column=one_line),
                console=console,
                transient=True,
            )
            self._whole = self._bars.add_task("all", total=sum(self._rounds.values()), status="")

    def __enter__(self) -> Self:
        if self._bars:
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bars:
            self._bars.stop()

    def say(self, line: str) -> None:
        """One line that stays, above the live view if there is one."""
        self.console.print(printable(line), highlight=False, markup=False, soft_wrap=True)

    def show(self, index: int, progress: Progress) -> None:
        """Take note of how far a training, by its index, is."""
        if not progress.note:
            to_do = self._rounds[index] - progress.round
            self._to_do[index] = min(self._to_do[index], to_do)  # replayed for other variants
            self._trained[index] = progress.trained
        if self._bars:
            self._update(self._bars, index, progress)
        elif progress.note:
            self.say(f"{self._titles[index]}: {progress.note}")
        elif self._is_due(index, progress):
            left_s = self._left_s()
            left = "" if left_s is None else f", about {format_duration(left_s)} left"
            self.say(f"{self._titles[index]}: {_status(progress, 'round ')}{left}")

    def end(self, index: int) -> None:
        """A training is over."""
        self._to_do[index] = 0
        if self._bars and index in self._tasks:
            self._bars.remove_task(self._tasks.pop(index))

    def _update(self, bars: Bars, index: int, progress: Progress) -> None:
        if index not in self._tasks:
            title = self._titles[index]
            name = title if len(title) <= NAME_WIDTH else f"{title[: NAME_WIDTH - 1]}…"
            self._tasks[index] = bars.add_task(name, total=self._rounds[index], status="")
        status = printable(progress.note) or _status(progress)
        bars.update(self._tasks[index], completed=progress.round, status=status)
        left_s = self._left_s()
        bars.update(
            self._whole,
            completed=sum(self._rounds.values()) - sum(self._to_do.values()),
            status="" if left_s is None else f"about {format_duration(left_s)} left",
        )

    def _is_due(self, index: int, progress: Progress) -> bool:
        """Plain lines come at most every few seconds a training, and only while one is computed."""
        now = time.monotonic()
        if not progress.trained or now - self._said_wall_s.get(index, -1e9) < PLAIN_EVERY_WALL_S:
            return False
        self._said_wall_s[index] = now
        return True

    def _left_s(self) -> float | None:
        """Wall seconds left, once a pace is known: two rounds are needed to see one's length.

        No worker can help another with its training: the longest one alone is a lower bound.
        """
        now, trained = time.monotonic(), sum(self._trained.values())
        if self._first is None and trained:
            self._first = now, trained
        if self._first is None or trained == self._first[1]:
            return None
        round_s = (now - self._first[0]) * self._workers / (trained - self._first[1])
        if not (whole := sum(self._to_do.values())):
            return None
        return round_s * max(whole / self._workers, *self._to_do.values())


def _status(progress: Progress, before: str = "") -> str:
    accuracy = "" if progress.accuracy is None else f", accuracy {progress.accuracy:.3f}"
    clock = format_duration(progress.clock_s)
    return f"{before}{progress.round}/{progress.rounds}{accuracy}, simulated {clock}"
