"""What trainings in one process share: data and pretrained model, loaded once; other hands.

A worker owns one and hands it to each of its trainings. Importing this module does not import
torch, so that a worker which only replays never does.
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
KEPT = 2  # of each kind, the latest used: a study goes through one setting before the next


class Helpers(Protocol):
    """Whoever helps with a training's pieces. Who did which never shows in a result."""

    def carry_out(self, pieces: Sequence[T], here: Callable[[T], Any]) -> list[Any]:
        """The result of each piece, in order: `here`'s own, or that of an equal trainer's `work`.

        Pieces and results can be pickled. The first ones are begun first.
        """


class SharedModels:
    """Keeps what was loaded, by the settings that decide it.

    A task is handed out as it is, as nothing writes to it. A model is handed out as a copy with
    parameters of its own; see `pretrained`.
    """

    def __init__(self, helpers: Helpers | None = None) -> None:
        """`helpers`: whoever may help with pieces; None: nobody."""
        self.helpers = helpers
        self._tasks: OrderedDict[Hashable, Task] = OrderedDict()
        self._models: OrderedDict[Hashable, nn.Module] = OrderedDict()

    def task(
        self, settings: config.Task, seed: int, cache: Path | None, notify: Callable[[str], None]
    ) -> Task:
        """The task of these settings, its clients dealt with `seed`. Raises what loading raises."""
        key = (settings.model_dump_json(), seed, cache)
        return _kept(self._tasks, key, lambda: settings.load(seed, cache, notify))

    def pretrained(
        self, folder: Path, head: Head, classes: int, key: int, problem: str | None, *, frozen: bool
    ) -> nn.Module:
        """The model in `folder` with a head drawn by `key`, as `model.pretrained` gives it.

        Where it is `frozen` the copy shares the weights' memory and the caller must not write to
        it; else the memory is copied too. Modules and the parameters' flags are the caller's own
        either way: PEFT replaces modules and turns gradients off. Raises ModelError.
        """
        from flasc.models import pretrained as model

        asked = (folder, head, classes, key, problem)
        return copied(_kept(self._models, asked, lambda: model.pretrained(*asked)), share=frozen)


def copied(model: nn.Module, *, share: bool) -> nn.Module:
    """A copy of `model`; with `share`, its parameters look at the same memory."""
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
