"""Data and pretrained models that the trainings of one process share.

A worker owns a `SharedModels` and passes it to each of its trainings. Importing this module does
not import torch, so a worker that only replays recordings never does.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from flasc.training import settings as config

if TYPE_CHECKING:
    from torch import nn

    from flasc.models.settings import Head
    from flasc.tasks.base import Task

T = TypeVar("T")
KEPT = 2  # latest used tasks and models: a study trains one setting after another


class Helpers(Protocol):
    """Other processes that compute pieces of a training. Results do not depend on them."""

    def carry_out(self, pieces: Sequence[T], here: Callable[[T], Any]) -> list[Any]:
        """The result of each piece, in order, by `here` or by the `work` of an equal trainer.

        Pieces and results can be pickled. Pieces are started in order.
        """


class SharedModels:
    """Keeps loaded tasks and models by the settings that decide them.

    A task is shared, because no training writes to it. A model is copied; see `pretrained`.
    """

    def __init__(self, helpers: Helpers | None = None) -> None:
        """`helpers` may compute pieces of a training; None means no other process does."""
        self.helpers = helpers
        self._tasks: OrderedDict[Hashable, Task] = OrderedDict()
        self._models: OrderedDict[Hashable, nn.Module] = OrderedDict()

    def task(
        self, settings: config.Task, seed: int, cache: Path | None, notify: Callable[[str], None]
    ) -> Task:
        """The task of these settings, clients distributed with `seed`. Raises as loading does."""
        key = (settings.model_dump_json(), settings.data_at_hand(), seed, cache)
        return _kept(self._tasks, key, lambda: settings.load(seed, cache, notify))

    def pretrained(
        self, folder: Path, head: Head, classes: int, key: int, problem: str | None, *, frozen: bool
    ) -> nn.Module:
        """A copy of the model in `folder` with a head drawn by `key` (`flasc.models.pretrained`).

        If it is `frozen`, the copy shares the memory of the weights and the caller must not write
        to them. Modules and the parameters' flags are always copied, because PEFT replaces modules
        and turns gradients off. Raises ModelError.
        """
        from flasc.models import pretrained as model

        asked = (folder, head, classes, key, problem)
        return copied(_kept(self._models, asked, lambda: model.pretrained(*asked)), share=frozen)


def copied(model: nn.Module, *, share: bool) -> nn.Module:
    """A copy of `model`; with `share`, its parameters use the same memory."""
    import copy

    from torch import nn

    memo: dict[int, Any] = {}
    if share:
        memo = {id(p): nn.Parameter(p.detach(), p.requires_grad) for p in model.parameters()}
    return copy.deepcopy(model, memo)


def _kept(store: OrderedDict[Hashable, T], key: Hashable, load: Callable[[], T]) -> T:
    if key not in store:
        store[key] = load()
    store.move_to_end(key)
    while len(store) > KEPT:
        store.popitem(last=False)
    return store[key]
