"""Selection by utility and speed, after Oort (Lai et al., OSDI 2021): an example of a `Selector`.

Oort's statistical utility of a client is |B| sqrt(mean squared loss); losses do not cross this
seam, so it is |B| here, its examples. The rest is algorithm 1's: the square root of
0.1 ln(R) / last for clients long not heard, the factor (T / t)^alpha for those slower than the
preferred T (here the median of what was heard), and a share of draws for clients never tried.
"""

import math
import statistics

import numpy as np

from emulator.simulation.clients.fleet import stream
from emulator.simulation.selection.uniform import Clients

ALPHA = 2.0
EXPLORED, DECAY, LEAST = 0.9, 0.98, 0.2  # share of a draw that goes to clients never tried


class Oort:
    """Draws by utility among clients tried before, and uniformly among the others."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._examples: dict[int, int] = {}
        self._seconds: dict[int, float] = {}
        self._last: dict[int, int] = {}
        self._number = 1

    def heard(self, client: int, examples: int, seconds: float) -> None:
        """Remember what it holds and how long it took."""
        self._examples[client], self._seconds[client] = examples, seconds
        self._last[client] = self._number

    def lost(self, client: int, seconds: float) -> None:
        """Remember that it was tried: as one of no use, until the others are used up."""
        self._seconds[client], self._last[client] = seconds, self._number
        self._examples.setdefault(client, 0)

    def utility(self, client: int, number: int) -> float:
        """At the `number`-th draw, of a client that was tried."""
        last, seconds = self._last[client], self._seconds[client]
        value = self._examples[client] + math.sqrt(0.1 * math.log(max(number, 1)) / last)
        preferred_s = statistics.median(self._seconds.values())
        return value * (preferred_s / seconds) ** ALPHA if seconds > preferred_s else value

    def choose(self, number: int, candidates: Clients, count: int) -> Clients:
        """Explore with a share that decays, exploit with the rest; each fills up the other."""
        self._number = number
        rng = stream(self._seed, "cohort", number)
        tried = [c for c in candidates.tolist() if c in self._last]
        fresh = [c for c in candidates.tolist() if c not in self._last]
        explored = round(count * max(LEAST, EXPLORED * DECAY ** (number - 1)))
        explored = max(min(explored, len(fresh)), count - len(tried))
        found = rng.choice(fresh, explored, replace=False).tolist() if explored else []
        if rest := count - explored:
            # A little for everyone: a weight of zero could never be drawn to fill up.
            weights = np.array([self.utility(c, number) for c in tried]) + 1e-9
            found += rng.choice(tried, rest, replace=False, p=weights / weights.sum()).tolist()
        return np.array(found, np.int64)
