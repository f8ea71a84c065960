"""What a person sees while a run goes on: a live view, or plain lines without a terminal."""

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bars
from typing_extensions import Self

from emulator.engines import Progress
from emulator.study import Training
from emulator.units import format_duration

PLAIN_EVERY_WALL_S = 10.0


class Display:
    """Shows each training's round, accuracy and simulated clock, and the wall time left.

    Time left assumes that rounds to come take as long as rounds trained so far, and that every
    training goes to its last round: early stops make it an upper bound.
    """

    def __init__(self, console: Console, trainings: int, rounds: int, workers: int) -> None:
        self.console = console
        self._total = trainings * rounds
        self._rounds = rounds
        self._workers = max(1, min(workers, trainings))
        self._began_wall_s = time.monotonic()
        self._at: dict[tuple[str, int], Progress] = {}
        self._over: set[tuple[str, int]] = set()
        self._said_wall_s: dict[tuple[str, int], float] = {}
        self._bars: Bars | None = None
        self._tasks: dict[tuple[str, int], TaskID] = {}
        if console.is_terminal:
            self._bars = Bars(
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=16),
                TextColumn("{task.fields[status]}", markup=False),
                console=console,
                transient=True,
            )

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

    def show(self, progress: Progress) -> None:
        """Take note of how far a training is."""
        key = (progress.method, progress.seed)
        if not progress.note:
            self._at[key] = progress
        if self._bars:
            task = self._tasks.get(key)
            if task is None:
                name = progress.method if len(progress.method) < 28 else progress.method[:27] + "…"
                task = self._bars.add_task(name, total=self._rounds, status="")
                self._tasks[key] = task
            self._bars.update(task, completed=progress.round, status=self._status(progress))
        elif progress.note:
            self.console.print(f"{progress.method}: {progress.note}", highlight=False, markup=False)
        elif self._is_due(key, progress):
            line = f"{progress.method}, seed {progress.seed}: {self._status(progress)}"
            self.console.print(line, highlight=False, markup=False, soft_wrap=True)

    def end(self, training: Training) -> None:
        """A training is over."""
        key = (training.method, training.seed)
        self._over.add(key)
        if self._bars and key in self._tasks:
            self._bars.remove_task(self._tasks.pop(key))

    def _is_due(self, key: tuple[str, int], progress: Progress) -> bool:
        """Plain lines come at most every few seconds a training, and only while one is computed."""
        now = time.monotonic()
        if not progress.trained or now - self._said_wall_s.get(key, -1e9) < PLAIN_EVERY_WALL_S:
            return False
        self._said_wall_s[key] = now
        return True

    def _status(self, progress: Progress) -> str:
        if progress.note:
            return progress.note
        accuracy = "" if progress.accuracy is None else f", accuracy {progress.accuracy:.3f}"
        return (
            f"round {progress.round}/{progress.rounds}{accuracy}, "
            f"simulated {format_duration(progress.clock_s)}{self._left()}"
        )

    def _left(self) -> str:
        trained = sum(at.trained for at in self._at.values())
        if not trained:
            return ""
        over = len(self._over) * self._rounds
        active = sum(at.round for key, at in self._at.items() if key not in self._over)
        wall_s = time.monotonic() - self._began_wall_s
        left_s = wall_s / trained * max(0, self._total - over - active)
        return f", at most {format_duration(left_s)} left"
