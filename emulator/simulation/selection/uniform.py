"""Uniform sampling without replacement, and Poisson sampling for differential privacy."""

from typing import Literal

from typing_extensions import override

from emulator.common.rng import stream
from emulator.simulation.selection.base import Clients, SelectionSettings, Selector


class Uniform(SelectionSettings):
    """Selects each available client with equal probability (McMahan et al. 2017)."""

    kind: Literal["uniform"] = "uniform"

    @override
    def selector(self, seed: int) -> Selector:
        return UniformSelector(seed)


class UniformSelector(Selector):
    """Samples uniformly without replacement; each draw uses its own random stream."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    @override
    def select(self, number: int, candidates: Clients, count: int) -> Clients:
        rng = stream(self._seed, "cohort", number)
        return candidates[rng.choice(len(candidates), count, replace=False)]


class PoissonSelector(UniformSelector):
    """Samples each candidate independently: `count` on average, possibly none.

    Used with `training.dp.sampling: poisson` (McMahan et al. 2018).
    """

    @override
    def select(self, number: int, candidates: Clients, count: int) -> Clients:
        draws = stream(self._seed, "cohort", number).random(len(candidates))
        return candidates[draws < count / len(candidates)]
