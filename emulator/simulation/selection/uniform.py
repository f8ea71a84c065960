"""Uniform sampling without replacement, and Poisson sampling for differential privacy."""

from typing import Literal

from typing_extensions import override

from emulator.common.rng import stream
from emulator.simulation.selection.base import Clients, SelectionSettings, Selector


class Uniform(SelectionSettings):
    """Any available client, each as likely (McMahan et al. 2017)."""

    kind: Literal["uniform"] = "uniform"

    @override
    def selector(self, seed: int) -> Selector:
        return UniformSelector(seed)


class UniformSelector:
    """Every candidate as likely, without replacement; each draw from a stream of its own."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def select(self, number: int, candidates: Clients, count: int) -> Clients:
        """See `Selector.select`."""
        rng = stream(self._seed, "cohort", number)
        return candidates[rng.choice(len(candidates), count, replace=False)]

    def on_update(self, client: int, examples: int, seconds: float) -> None:
        """Nothing is remembered."""

    def on_failure(self, client: int, seconds: float) -> None:
        """Nothing is remembered."""


class PoissonSelector(UniformSelector):
    """Each candidate by itself, `count` in the mean, possibly none (McMahan et al. 2018).

    A scenario asks for it by `training.dp.sampling`.
    """

    @override
    def select(self, number: int, candidates: Clients, count: int) -> Clients:
        draws = stream(self._seed, "cohort", number).random(len(candidates))
        return candidates[draws < count / len(candidates)]
