"""Base class of client selections, and the selector that a selection builds."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from flasc.common.plugins import Pluggable, implementation

Clients = NDArray[np.int64]


class Selector(Protocol):
    """Selects among candidates, and receives the results of the selected clients.

    A subclass that needs no results leaves `on_update` and `on_failure` out: they do nothing.
    """

    def select(self, number: int, candidates: Clients, count: int) -> Clients:
        """Returns `count` distinct ones of `candidates` (int64, ascending); the `number`-th draw.

        Sampling for privacy may return more or fewer.
        """

    # Without `return`, mypy takes a method of a protocol for abstract.
    def on_update(self, client: int, examples: int, seconds: float) -> None:  # noqa: ARG002
        """Called when an update of `client` arrives, `seconds` after its task started."""
        return

    def on_failure(self, client: int, seconds: float) -> None:  # noqa: ARG002
        """Called when a task of `client` ended without an update, `seconds` after it started."""
        return


class SelectionSettings(Pluggable):
    """Settings of a client selection."""

    plugin_group = "flasc_emu.selections"
    behaviour = "selector"

    kind: str

    def selector(self, seed: int) -> Selector:
        """Returns a selector for one simulation, which draws from streams of `seed`.

        A plug-in overrides this method, or names a class in `implementation`.
        """
        built: Selector = implementation(self)(self, seed)
        return built
