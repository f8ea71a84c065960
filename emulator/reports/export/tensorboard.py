"""Scalars for TensorBoard by round: metric, loss, bytes, duration of rounds.

Event files as TensorBoard itself writes them; tensorboard is an extra. Wall time is simulated
time, so that TensorBoard's 'Relative' axis shows simulated seconds.
"""

from collections.abc import Iterable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from emulator.common.files import storage
from emulator.reports.export.tables import missing
from emulator.results.metadata import ACCURACY
from emulator.results.metrics import bytes_by_round
from emulator.simulation.records import Evaluation, Round, Row


class Scalar(NamedTuple):
    """One point of a curve; `time_s` is simulated."""

    tag: str
    round: int
    time_s: float
    value: float


def scalars(rows: Iterable[Row], metric: str = ACCURACY) -> Iterator[Scalar]:
    """Yield the curves: `metric` and loss by split, seconds per round, cumulative bytes."""
    rows = list(rows)
    for row in rows:
        if isinstance(row, Evaluation):
            for name, value in ((metric, row.accuracy), ("loss", row.loss)):
                yield Scalar(f"{row.split}/{name}", row.round, row.time_s, value)
    rounds = sorted((r for r in rows if isinstance(r, Round)), key=lambda row: row.round)
    for row in rounds:
        yield Scalar("round/seconds", row.round, row.finish_s, row.finish_s - row.start_s)
    for way in ("down", "up"):
        spent = bytes_by_round(rows, way)
        until = accumulate(spent.get(row.round, 0) for row in rounds)
        for row, nbytes in zip(rounds, until, strict=True):
            yield Scalar(f"bytes/{way}", row.round, row.finish_s, nbytes)


def write(folder: Path, rows: Iterable[Row], metric: str = ACCURACY) -> None:
    """Write an event file into `folder`, and delete older ones.

    Raises SupportError if tensorboard is missing, and StorageError.
    """
    try:
        from tensorboard.summary import Writer
    except ImportError:
        raise missing("tensorboard") from None
    with storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("events.out.tfevents.*"):
            old.unlink()
        writer = Writer(str(folder))
        for tag, step, time_s, value in scalars(rows, metric):
            writer.add_scalar(tag, value, step, wall_time=time_s)
        writer.close()
