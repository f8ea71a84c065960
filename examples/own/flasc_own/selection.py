"""Clients that rest: those asked lately come last, and chance decides among the others."""

import numpy as np

from emulator.common.rng import stream
from emulator.simulation.selection.base import Clients
from flasc_own import settings


class Resting:
    """Remembers in which draw each client was asked last."""

    def __init__(self, of: settings.Resting, seed: int) -> None:
        self._rest, self._seed = of.rest, seed
        self._last: dict[int, int] = {}

    def select(self, number: int, candidates: Clients, count: int) -> Clients:
        """The least tired ones; a stream named by seed, purpose and number draws."""
        drawn = stream(self._seed, "cohort", number).permutation(candidates).tolist()
        chosen = sorted(drawn, key=lambda client: self._tired(client, number))[:count]
        self._last.update(dict.fromkeys(chosen, number))
        return np.array(chosen, np.int64)

    def _tired(self, client: int, number: int) -> int:
        """How many draws it has yet to rest."""
        return max(0, self._last.get(client, -self._rest) + self._rest + 1 - number)

    def on_update(self, client: int, examples: int, seconds: float) -> None:
        """Nothing is learned."""

    def on_failure(self, client: int, seconds: float) -> None:
        """Nothing is learned."""
