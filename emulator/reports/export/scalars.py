"""Curves by round that experiment trackers show: metric, loss, bytes, duration of rounds."""

from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import NamedTuple

from emulator.results.metadata import ACCURACY
from emulator.results.metrics import bytes_by_round
from emulator.simulation.records import UNKNOWN, Evaluation, Round, Row


class Scalar(NamedTuple):
    """One point of a curve; `time_s` is simulated."""

    tag: str
    round: int
    time_s: float
    value: float


def scores(row: Evaluation, metric: str) -> Iterator[tuple[str, float]]:
    """Yield the name and the value of each score of an evaluation that is known."""
    yield metric, row.accuracy
    if row.loss != UNKNOWN:
        yield "loss", row.loss


def scalars(rows: Iterable[Row], metric: str = ACCURACY) -> Iterator[Scalar]:
    """Yield the curves: `metric` and loss by split, seconds per round, cumulative bytes."""
    rows = list(rows)
    for row in rows:
        if isinstance(row, Evaluation):
            for name, value in scores(row, metric):
                yield Scalar(f"{row.split}/{name}", row.round, row.time_s, value)
    rounds = sorted((r for r in rows if isinstance(r, Round)), key=lambda row: row.round)
    for row in rounds:
        yield Scalar("round/seconds", row.round, row.finish_s, row.finish_s - row.start_s)
    for way in ("down", "up"):
        spent = bytes_by_round(rows, way)
        until = accumulate(spent.get(row.round, 0) for row in rounds)
        for row, nbytes in zip(rounds, until, strict=True):
            yield Scalar(f"bytes/{way}", row.round, row.finish_s, nbytes)
