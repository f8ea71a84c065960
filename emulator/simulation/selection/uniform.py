"""Who is asked: the clients that are there, and a choice among them."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from emulator.simulation.clients.fleet import stream

Clients = NDArray[np.int64]


class Selector(Protocol):
    """Chooses among candidates, and hears what became of those whom it chose."""

    def choose(self, number: int, candidates: Clients, count: int) -> Clients:
        """`count` distinct ones of `candidates` (int64, ascending); the `number`-th draw.

        Sampling for privacy may take more or fewer.
        """

    def heard(self, client: int, examples: int, seconds: float) -> None:
        """An update of `client` arrived, `seconds` after it was asked."""

    def lost(self, client: int, seconds: float) -> None:
        """What `client` was asked for came to nothing within `seconds`."""


class Uniform:
    """Every candidate as likely, without replacement (McMahan et al. 2017)."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def choose(self, number: int, candidates: Clients, count: int) -> Clients:
        """From a stream of its own for each draw."""
        rng = stream(self._seed, "cohort", number)
        return candidates[rng.choice(len(candidates), count, replace=False)]

    def heard(self, client: int, examples: int, seconds: float) -> None:
        """Nothing is learned."""

    def lost(self, client: int, seconds: float) -> None:
        """Nothing is learned."""


class Poisson(Uniform):
    """Each candidate by itself, `count` in the mean: perhaps nobody (McMahan et al. 2018)."""

    def choose(self, number: int, candidates: Clients, count: int) -> Clients:
        """From a stream of its own for each draw."""
        draws = stream(self._seed, "cohort", number).random(len(candidates))
        return candidates[draws < count / len(candidates)]
