"""How the time of rounds divides into downloads, computing, uploads and waiting."""

import itertools
import math
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from emulator.results.arrays import exact_sum, spans
from emulator.simulation.event_table import Columns, EventTable
from emulator.simulation.records import Computation, Round, Row, Transfer

ROUNDING = 1e-12  # relative rounding error of a sum of seconds


class TimeSpent(NamedTuple):
    """Seconds of an average client of the cohort, summed over rounds."""

    download_s: float
    compute_s: float
    upload_s: float
    waiting_s: float


def time_spent(rows: Iterable[Row], last_round: float = math.inf) -> TimeSpent:
    """Return the time of rounds 1 to `last_round` by activity; the sum is their durations.

    Work that spans several rounds is split among them by time.
    """
    rows = EventTable.of(rows)
    sent, computed, rounds = (rows.columns(each) for each in (Transfer, Computation, Round))
    rounds = rounds.take(rounds["round"] <= last_round)
    rounds = rounds.take(np.argsort(rounds["round"], kind="stable"))
    is_moved = sent["round"] <= last_round
    download_s, upload_s = (
        _mean_s(sent, is_moved & sent.having("direction", way), rounds) for way in ("down", "up")
    )
    compute_s = _mean_s(computed, computed["round"] <= last_round, rounds)
    total_s = exact_sum(rounds["finish_s"] - rounds["start_s"])
    waiting_s = total_s - (download_s + compute_s + upload_s)
    if abs(waiting_s) < ROUNDING * total_s:
        waiting_s = 0.0  # such as -7e-15 s
    return TimeSpent(download_s, compute_s, upload_s, waiting_s)


def _mean_s(work: Columns[Any], chosen: NDArray[np.bool_], rounds: Columns[Any]) -> float:
    """Return the seconds of chosen work within `rounds`, per client of each round's cohort."""
    begun_s, ended_s = rounds["start_s"], rounds["finish_s"]
    cohort = np.maximum(rounds["cohort"], 1)
    start_s, finish_s = work["start_s"][chosen], work["finish_s"][chosen]
    first = np.maximum(np.searchsorted(begun_s, start_s, side="right") - 1, 0)
    count = np.maximum(np.searchsorted(begun_s, finish_s, side="left") - first, 0)

    def parts() -> Iterator[list[float]]:
        """Yield the seconds per client of each round that each row overlaps."""
        for row, place in spans(first, count):
            inside_s = np.minimum(finish_s[row], ended_s[place])
            inside_s -= np.maximum(start_s[row], begun_s[place])
            yield (np.maximum(inside_s, 0.0) / cohort[place]).tolist()

    return math.fsum(itertools.chain.from_iterable(parts()))
