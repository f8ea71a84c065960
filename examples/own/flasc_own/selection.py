"""A selection that lets clients rest: recently selected clients come last."""

from typing import Literal

import numpy as np
from typing_extensions import override

from emulator.common.rng import stream
from emulator.simulation.selection.base import Clients, SelectionSettings, Selector
from flasc.common.settings import PositiveInt


class Resting(SelectionSettings):
    """A selected client rests for the next `rest` draws, as long as there are other clients."""

    kind: Literal["resting"]
    rest: PositiveInt = 1

    @override
    def selector(self, seed: int) -> Selector:
        return RestingSelector(self.rest, seed)


class RestingSelector(Selector):
    """Remembers the last draw in which each client was selected."""

    def __init__(self, rest: int, seed: int) -> None:
        self._rest, self._seed = rest, seed
        self._last: dict[int, int] = {}

    @override
    def select(self, number: int, candidates: Clients, count: int) -> Clients:
        drawn = stream(self._seed, "cohort", number).permutation(candidates).tolist()
        chosen = sorted(drawn, key=lambda client: self._draws_to_rest(client, number))[:count]
        self._last.update(dict.fromkeys(chosen, number))
        return np.array(chosen, np.int64)

    def _draws_to_rest(self, client: int, number: int) -> int:
        return max(0, self._last.get(client, -self._rest) + self._rest + 1 - number)
