"""Progress display of a run: a live view, plain lines, or JSON lines."""

import json
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Column
from typing_extensions import Self, override

from emulator.common.text import counted
from emulator.common.units import format_duration, format_score, format_size
from emulator.runner.events import Note, Simulated, TrainingProgress
from emulator.runner.printed_progress import SimulationPace
from emulator.scenario.document import printable
from emulator.scenario.study import TrainingJob, titles

How = Literal["auto", "live", "plain", "json", "none"]
PLAIN_EVERY_WALL_S = 10.0
NAME_WIDTH = 22
Lines = Callable[[], Sequence[str]]  # called only if they are shown: they take time to compute
_COLUMNS = "{:>9} {:>8} {:>12} {:>7} {:>7}"  # with a name and a bar of 8, 80 characters


class Display:
    """Shows nothing; estimates the remaining wall time.

    The estimate assumes that the remaining rounds take as long as those trained so far, that no
    training stops early and that none of the rounds is recorded.
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
        self._replayed = 0
        self._first: tuple[float, int] | None = None
        self._pace = SimulationPace(sum(each.count for each in trainings))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Close the display."""

    def say(self, line: str) -> None:
        """Print a line that stays."""

    def show(self, event: TrainingProgress | Note | Simulated) -> None:
        """Show a note, the progress of a training, or a number of simulations."""
        if isinstance(event, Simulated):
            self._pace.add(event.count)
            self._show_pace()
        elif isinstance(event, TrainingProgress):
            index = event.training
            to_do = self._rounds[index] - event.round
            self._to_do[index] = min(self._to_do[index], to_do)  # replayed for other variants
            self._trained[index] = event.trained
            self._show(index, event)
        elif event.training is None:
            self.say(event.text)
        else:
            self._note(event.training, event.text)

    def _show(self, index: int, progress: TrainingProgress) -> None:
        """Show the progress of a training."""

    def _show_pace(self) -> None:
        """Show how many simulations have ended."""

    def _note(self, index: int, text: str) -> None:
        """Show a note about a training."""

    def end(self, index: int, lines: Lines = tuple, replayed: bool = False) -> None:
        """End a training; `lines` are its result for a person, who sees none of a replay."""
        self._to_do[index] = 0
        self._replayed += replayed
        for line in () if replayed else lines():
            self.say(line)

    def fail(self, index: int, lines: Lines = tuple) -> None:
        """End a training that failed; `lines` are its error for a person."""
        self.end(index, lines)

    def _left_s(self) -> float | None:
        """Estimated wall seconds left; None until two rounds have shown how long one takes.

        The longest training alone is a lower bound.
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
    """Prints a line every few seconds for each training that is computed."""

    def __init__(self, console: Console, trainings: Sequence[TrainingJob], workers: int) -> None:
        super().__init__(console, trainings, workers)
        self._said_wall_s: dict[int, float] = {}

    @override
    def __exit__(self, *error: object) -> None:
        if self._replayed:
            whole = counted(len(self._titles), "training")
            self.say(f"replayed from recordings: {self._replayed} of {whole}")

    @override
    def say(self, line: str) -> None:
        self.console.print(printable(line), highlight=False, markup=False, soft_wrap=True)

    @override
    def _show(self, index: int, progress: TrainingProgress) -> None:
        now = time.monotonic()
        if progress.split == "test":  # as if it were the score on validation
            return
        if not progress.trained or now - self._said_wall_s.get(index, -1e9) < PLAIN_EVERY_WALL_S:
            return
        self._said_wall_s[index] = now
        number, _, clock, down, up = _values(progress)
        scored = _scored(progress, self._metrics[index])
        left_s = self._left_s()
        left = "" if left_s is None else f", about {format_duration(left_s)} left"
        text = f"round {number}{scored}, simulated {clock}, {down} down, {up} up{left}"
        self._note(index, text)

    @override
    def _show_pace(self) -> None:
        if self._pace.is_due(PLAIN_EVERY_WALL_S):
            self.say(self._pace.text())

    @override
    def _note(self, index: int, text: str) -> None:
        self.say(f"{self._titles[index]}: {text}")


class Live(Plain):
    """A table that is redrawn: a row with a bar for each training in progress."""

    def __init__(self, console: Console, trainings: Sequence[TrainingJob], workers: int) -> None:
        super().__init__(console, trainings, workers)
        one_line = Column(no_wrap=True, overflow="ellipsis")
        self._bars = Progress(
            TextColumn("{task.description}", markup=False, table_column=one_line),
            BarColumn(bar_width=8),
            TextColumn("{task.fields[status]}", markup=False, table_column=one_line),
            console=console,
            transient=True,
        )
        metric = "accuracy" if set(self._metrics) <= {"accuracy"} else "score"
        header = _COLUMNS.format("round", metric, "simulated", "down", "up")
        whole = sum(self._rounds.values())
        self._whole = self._bars.add_task(_padded("all"), total=whole, status=header)
        self._tasks: dict[int, TaskID] = {}
        self._simulations: TaskID | None = None

    @override
    def __enter__(self) -> Self:
        self._bars.start()
        return self

    @override
    def __exit__(self, *error: object) -> None:
        self._bars.stop()
        super().__exit__(*error)

    @override
    def end(self, index: int, lines: Lines = tuple, replayed: bool = False) -> None:
        if index in self._tasks:
            self._bars.remove_task(self._tasks.pop(index))
        super().end(index, lines, replayed)

    @override
    def _note(self, index: int, text: str) -> None:
        self._update(index, 0, printable(text))

    @override
    def _show(self, index: int, progress: TrainingProgress) -> None:
        if progress.split != "test":
            self._update(index, progress.round, _COLUMNS.format(*_values(progress)))

    @override
    def _show_pace(self) -> None:
        if self._simulations is None:
            self._bars.update(self._whole, visible=False)  # it is of rounds
            self._simulations = self._bars.add_task(
                _padded("simulations"), total=self._pace.whole, status=""
            )
        self._bars.update(self._simulations, completed=self._pace.done, status=self._pace.text())

    def _update(self, index: int, completed: int, status: str) -> None:
        if index not in self._tasks:
            name, rounds = _padded(self._titles[index]), self._rounds[index]
            self._tasks[index] = self._bars.add_task(name, total=rounds, status="")
        self._bars.update(self._tasks[index], completed=completed, status=status)
        left_s, done = self._left_s(), sum(self._rounds.values()) - sum(self._to_do.values())
        left = "" if left_s is None else f", {format_duration(left_s)} left"
        self._bars.update(self._whole, completed=done, description=_padded(f"all{left}"))


class Json(Display):
    """One JSON object per line and event; fields: docs/reference/progress_events.md."""

    @override
    def say(self, line: str) -> None:
        self._emit("note", text=line)

    @override
    def end(self, index: int, lines: Lines = tuple, replayed: bool = False) -> None:
        super().end(index)
        self._emit("done", index, text="\n".join(lines()))

    @override
    def fail(self, index: int, lines: Lines = tuple) -> None:
        super().end(index)
        self._emit("failed", index, text="\n".join(lines()))

    @override
    def _note(self, index: int, text: str) -> None:
        self._emit("note", index, text=text)

    @override
    def _show(self, index: int, progress: TrainingProgress) -> None:
        left_s = self._left_s()
        self._emit(
            "score" if progress.split else "round",
            index,
            variant=progress.variant,
            round=progress.round,
            rounds=progress.rounds,
            metric=self._metrics[index],
            accuracy=progress.accuracy,
            scored_round=progress.scored_round,
            split=progress.split or None,
            simulated_s=progress.clock_s,
            bytes_down=progress.bytes_down,
            bytes_up=progress.bytes_up,
            trained=progress.trained,
            left_s=None if left_s is None else round(left_s, 3),
        )

    @override
    def _show_pace(self) -> None:
        left_s = self._pace.left_s()
        self._emit(
            "simulations",
            done=self._pace.done,
            whole=self._pace.whole,
            per_s=round(self._pace.per_s(), 3),
            left_s=None if left_s is None else round(left_s, 3),
        )

    def _emit(self, event: str, index: int | None = None, **fields: Any) -> None:
        if index is not None:
            training = self._trainings[index]
            fields = {"training": index, "method": training.method, "seed": training.seed} | fields
        self.console.file.write(json.dumps({"event": event} | fields) + "\n")
        self.console.file.flush()


def display(how: How, trainings: Sequence[TrainingJob], workers: int) -> Display:
    """A display on stderr (results go to stdout); `auto`: live on a terminal, else plain."""
    console = Console(stderr=True, force_terminal=True if how == "live" else None)
    kinds: dict[How, Callable[[Console, Sequence[TrainingJob], int], Display]] = {
        "auto": Live if console.is_terminal else Plain,
        "live": Live,
        "plain": Plain,
        "json": Json,
        "none": Display,
    }
    return kinds[how](console, trainings, workers)


def _values(progress: TrainingProgress) -> tuple[str, str, str, str, str]:
    """Round, accuracy, simulated time, bytes down and up, as text.

    The accuracy of an earlier round is in parentheses.
    """
    score = "" if progress.accuracy is None else format_score(progress.accuracy)
    return (
        f"{progress.round}/{progress.rounds}",
        f"({score})" if score and progress.scored_round != progress.round else score,
        format_duration(progress.clock_s),
        format_size(progress.bytes_down),
        format_size(progress.bytes_up),
    )


def _scored(progress: TrainingProgress, metric: str) -> str:
    """Return ', accuracy 0.512', and the round of the score if it is an earlier one."""
    if progress.accuracy is None:
        return ""
    earlier = progress.scored_round != progress.round
    of_round = f" after round {progress.scored_round}" if earlier else ""
    return f", {metric} {format_score(progress.accuracy)}{of_round}"


def _padded(title: str) -> str:
    short = title if len(title) <= NAME_WIDTH else f"{title[: NAME_WIDTH - 1]}…"
    return short.ljust(NAME_WIDTH)
