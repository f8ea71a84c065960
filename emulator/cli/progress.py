"""What a person or a program hears while a run goes on: a live view, plain lines, or JSON."""

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Literal

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bars
from rich.table import Column
from typing_extensions import Self

from emulator.common.units import format_duration, format_size
from emulator.runner.executors import Progress
from emulator.scenario.document import printable
from emulator.scenario.study import TrainingJob

How = Literal["auto", "live", "plain", "json", "none"]
PLAIN_EVERY_WALL_S = 10.0
NAME_WIDTH = 22
_COLUMNS = "{:>9} {:>8} {:>12} {:>7} {:>7}"  # with a name and a bar of 8, 80 characters


def titles(trainings: Sequence[TrainingJob]) -> list[str]:
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
    """Shows nothing, but knows the wall time left.

    Time left assumes that rounds to come take as long as rounds trained so far, that every
    training goes to its last round (early stops make it less) and that nothing is recorded yet.
    """

    def __init__(self, console: Console, trainings: Sequence[TrainingJob], workers: int) -> None:
        self.console, self._trainings = console, trainings
        self._titles = titles(trainings)
        self._metrics = [next(iter(each.variants.values())).task.metric for each in trainings]
        self._to_do = {
            index: max(variant.training.rounds for variant in training.variants.values())
            for index, training in enumerate(trainings)
        }
        self._rounds = dict(self._to_do)
        self._workers = max(1, min(workers, len(trainings)))
        self._trained: dict[int, int] = {}
        self._first: tuple[float, int] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing is open."""

    def say(self, line: str) -> None:
        """One line that stays."""

    def show(self, index: int, progress: Progress) -> None:
        """Take note of how far a training, by its index, is."""
        if not progress.note:
            to_do = self._rounds[index] - progress.round
            self._to_do[index] = min(self._to_do[index], to_do)  # replayed for other variants
            self._trained[index] = progress.trained
        self._show(index, progress)

    def _show(self, index: int, progress: Progress) -> None:
        """Show it."""

    def end(self, index: int, lines: Sequence[str] = (), failed: bool = False) -> None:
        """A training is over; `lines` are what came of it."""
        self._to_do[index] = 0
        for line in lines:
            self.say(line)

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


class Plain(Display):
    """A line every few seconds for each training that is computed."""

    def __init__(self, console: Console, trainings: Sequence[TrainingJob], workers: int) -> None:
        super().__init__(console, trainings, workers)
        self._said_wall_s: dict[int, float] = {}

    def say(self, line: str) -> None:
        """One line that stays, above the live view if there is one."""
        self.console.print(printable(line), highlight=False, markup=False, soft_wrap=True)

    def _show(self, index: int, progress: Progress) -> None:
        if progress.note:
            self.say(f"{self._titles[index]}: {progress.note}")
        elif self._is_due(index, progress):
            self.say(f"{self._titles[index]}: {', '.join(self._parts(index, progress))}")

    def _parts(self, index: int, progress: Progress) -> list[str]:
        number, accuracy, clock, down, up = _words(progress)
        moved = [f"{down} down", f"{up} up"]
        left_s = self._left_s()
        left = [] if left_s is None else [f"about {format_duration(left_s)} left"]
        scored = [f"{self._metrics[index]} {accuracy}"] if accuracy else []
        return [f"round {number}", *scored, f"simulated {clock}", *moved, *left]

    def _is_due(self, index: int, progress: Progress) -> bool:
        now = time.monotonic()
        if not progress.trained or now - self._said_wall_s.get(index, -1e9) < PLAIN_EVERY_WALL_S:
            return False
        self._said_wall_s[index] = now
        return True


class Live(Plain):
    """A table that is drawn over and over: a bar and a row for each training under way."""

    def __init__(self, console: Console, trainings: Sequence[TrainingJob], workers: int) -> None:
        super().__init__(console, trainings, workers)
        one_line = Column(no_wrap=True, overflow="ellipsis")
        self._bars = Bars(
            TextColumn("{task.description}", markup=False, table_column=one_line),
            BarColumn(bar_width=8),
            TextColumn("{task.fields[status]}", markup=False, table_column=one_line),
            console=console,
            transient=True,
        )
        metric = "accuracy" if set(self._metrics) <= {"accuracy"} else "score"
        header = _COLUMNS.format("round", metric, "simulated", "down", "up")
        whole = sum(self._rounds.values())
        self._whole = self._bars.add_task(_named("all"), total=whole, status=header)
        self._tasks: dict[int, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bars.stop()

    def end(self, index: int, lines: Sequence[str] = (), failed: bool = False) -> None:
        """Its row goes, `lines` stay."""
        if index in self._tasks:
            self._bars.remove_task(self._tasks.pop(index))
        super().end(index, lines, failed)

    def _show(self, index: int, progress: Progress) -> None:
        if index not in self._tasks:
            name, rounds = _named(self._titles[index]), self._rounds[index]
            self._tasks[index] = self._bars.add_task(name, total=rounds, status="")
        status = printable(progress.note) or _COLUMNS.format(*_words(progress))
        self._bars.update(self._tasks[index], completed=progress.round, status=status)
        left_s, done = self._left_s(), sum(self._rounds.values()) - sum(self._to_do.values())
        left = "" if left_s is None else f", {format_duration(left_s)} left"
        self._bars.update(self._whole, completed=done, description=_named(f"all{left}"))


class Json(Display):
    """One JSON object a line for each event: docs/reference/progress_events.md has the fields."""

    def say(self, line: str) -> None:
        """A note that is of no training."""
        self._emit({"event": "note", "text": line})

    def end(self, index: int, lines: Sequence[str] = (), failed: bool = False) -> None:
        """`done` or `failed`, with what came of it as text."""
        super().end(index)
        what = {"event": "failed" if failed else "done"}
        self._emit(what | self._whose(index) | {"text": "\n".join(lines)})

    def _show(self, index: int, progress: Progress) -> None:
        if progress.note:
            self._emit({"event": "note"} | self._whose(index) | {"text": progress.note})
            return
        left_s = self._left_s()
        self._emit(
            {"event": "score" if progress.split else "round"}
            | self._whose(index)
            | {
                "variant": progress.variant,
                "round": progress.round,
                "rounds": progress.rounds,
                "metric": self._metrics[index],
                "accuracy": progress.accuracy,
                "split": progress.split or None,
                "simulated_s": progress.clock_s,
                "bytes_down": progress.bytes_down,
                "bytes_up": progress.bytes_up,
                "trained": progress.trained,
                "left_s": None if left_s is None else round(left_s, 3),
            }
        )

    def _whose(self, index: int) -> dict[str, Any]:
        training = self._trainings[index]
        return {"training": index, "method": training.method, "seed": training.seed}

    def _emit(self, event: dict[str, Any]) -> None:
        self.console.file.write(json.dumps(event) + "\n")
        self.console.file.flush()


def display(how: How, trainings: Sequence[TrainingJob], workers: int) -> Display:
    """On stderr, as results go to stdout; `auto` is live on a terminal and plain elsewhere."""
    console = Console(stderr=True, force_terminal=True if how == "live" else None)
    kinds: dict[How, Callable[[Console, Sequence[TrainingJob], int], Display]] = {
        "auto": Live if console.is_terminal else Plain,
        "live": Live,
        "plain": Plain,
        "json": Json,
        "none": Display,
    }
    return kinds[how](console, trainings, workers)


def _words(progress: Progress) -> tuple[str, str, str, str, str]:
    """Round, accuracy, simulated clock, bytes down and up."""
    return (
        f"{progress.round}/{progress.rounds}",
        "" if progress.accuracy is None else f"{progress.accuracy:.3f}",
        format_duration(progress.clock_s),
        format_size(progress.bytes_down),
        format_size(progress.bytes_up),
    )


def _named(title: str) -> str:
    short = title if len(title) <= NAME_WIDTH else f"{title[: NAME_WIDTH - 1]}…"
    return short.ljust(NAME_WIDTH)
