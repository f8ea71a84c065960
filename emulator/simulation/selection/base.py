"""What a client selection is: settings, and the selector that chooses among available clients."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from flasc.common.plugins import Pluggable, implementation

Clients = NDArray[np.int64]


class Selector(Protocol):
    """Chooses among candidates, and is told how the chosen clients fared."""

    def select(self, number: int, candidates: Clients, count: int) -> Clients:
        """`count` distinct ones of `candidates` (int64, ascending); the `number`-th draw.

        Sampling for privacy may take more or fewer.
        """

    def on_update(self, client: int, examples: int, seconds: float) -> None:
        """Called when an update of `client` arrives, `seconds` after it was asked."""

    def on_failure(self, client: int, seconds: float) -> None:
        """Called when a task of `client` ended without an update, `seconds` after it was asked."""


class SelectionSettings(Pluggable):
    """What every selection has: a kind."""

    plugin_group = "flasc_emu.selections"
    behaviour = "selector"

    kind: str

    def selector(self, seed: int) -> Selector:
        """A selector for one simulation, which draws from streams of `seed`.

        A plug-in may override this, or name a class in `implementation`.
        """
        built: Selector = implementation(self)(self, seed)
        return built
