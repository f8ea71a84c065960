"""Selection by utility and speed, after Oort (Lai et al., OSDI 2021).

Oort's statistical utility of a client is |B| sqrt(mean squared loss). The trainer does not report
losses per client, so it is |B| here: the client's number of examples. The rest is algorithm 1: the
square root of 0.1 ln(R) / last for clients that were selected long ago, the factor (T / t)^alpha
for clients slower than the preferred T (here the median of the known times), and a share of draws
for clients that were never selected.
"""

import math
import statistics
from typing import Literal

import numpy as np
from typing_extensions import override

from emulator.common.rng import stream
from emulator.simulation.selection.base import Clients, SelectionSettings, Selector

ALPHA = 2.0
EXPLORED, DECAY, MIN_EXPLORED = 0.9, 0.98, 0.2  # share of a draw for clients never selected


class Oort(SelectionSettings):
    """Selects by utility and speed (Oort, Lai et al. 2021)."""

    kind: Literal["oort"]

    @override
    def selector(self, seed: int) -> Selector:
        return OortSelector(seed)


class OortSelector(Selector):
    """Draws by utility among clients selected before, and uniformly among the others."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._examples: dict[int, int] = {}
        self._seconds: dict[int, float] = {}
        self._last: dict[int, int] = {}
        self._number = 1

    @override
    def on_update(self, client: int, examples: int, seconds: float) -> None:
        self._examples[client], self._seconds[client] = examples, seconds
        self._last[client] = self._number

    @override
    def on_failure(self, client: int, seconds: float) -> None:
        self._seconds[client], self._last[client] = seconds, self._number
        self._examples.setdefault(client, 0)  # utility 0 unless it sent an update before

    def utility(self, client: int, number: int) -> float:
        """Utility at the `number`-th draw of a client that was selected before."""
        last, seconds = self._last[client], self._seconds[client]
        value = self._examples[client] + math.sqrt(0.1 * math.log(max(number, 1)) / last)
        preferred_s = statistics.median(self._seconds.values())
        return value * (preferred_s / seconds) ** ALPHA if seconds > preferred_s else value

    @override
    def select(self, number: int, candidates: Clients, count: int) -> Clients:
        self._number = number
        rng = stream(self._seed, "cohort", number)
        tried = [c for c in candidates.tolist() if c in self._last]
        fresh = [c for c in candidates.tolist() if c not in self._last]
        explored = round(count * max(MIN_EXPLORED, EXPLORED * DECAY ** (number - 1)))
        explored = max(min(explored, len(fresh)), count - len(tried))
        found = rng.choice(fresh, explored, replace=False).tolist() if explored else []
        if rest := count - explored:
            # Add a small weight: clients of weight zero could never fill up a draw.
            weights = np.array([self.utility(c, number) for c in tried]) + 1e-9
            found += rng.choice(tried, rest, replace=False, p=weights / weights.sum()).tolist()
        return np.array(found, np.int64)
