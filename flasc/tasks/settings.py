"""Typed settings of tasks: which data, which pretrained model, how many clients. Torch-free.

A union told apart by `name`: each task owns its settings. A key that came after the first release
is left out of the digest while it has its default, so that old recordings keep their name.
"""

import difflib
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from flasc.assets.packages import Notify
from flasc.common.plugins import Pluggable, implementation
from flasc.common.settings import PositiveInt, Settings, parse_fraction
from flasc.data.partition import SMALLEST_ALPHA
from flasc.models.resolve import known_models, missing_model
from flasc.tasks.base import Task


class Split(Settings):
    """How labelled training examples are dealt to clients.

    `dirichlet` uses every example once and leaves no client empty; `dirichlet_reference` is the
    reference code's, which drops examples; `iid` deals at random.
    """

    kind: Literal["dirichlet", "dirichlet_reference", "iid"] = "dirichlet"
    alpha: Annotated[float, Field(ge=SMALLEST_ALPHA, allow_inf_nan=False)] = 0.1


def _share(value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueError(f"found {value:g}; allowed: a share from 0 to 1, like 1/2")
    return value


class UserSplit(Settings):
    """Each client is a user of the data; of what each has, the share `pooled` is dealt anew."""

    kind: Literal["natural"] = "natural"
    pooled: Annotated[float, BeforeValidator(parse_fraction), AfterValidator(_share)] = 0.0


def _model(name: str) -> str:
    """A bare word must be a name that we know: hub ids and local folders have a slash."""
    known = known_models()
    if "/" not in name and name not in known:
        near = difflib.get_close_matches(name.lower(), known, n=1)
        raise ValueError(
            f"found {name!r}; {f'did you mean {near[0]!r}? ' if near else ''}"
            f"allowed: {', '.join(known)}, a local folder (./model) "
            "or a hub id (owner/name)"
        )
    return name


Model = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_model)]
Tokens = Annotated[int, Field(ge=4, le=512)]
# A hub id (owner/name[@revision]) or a local folder.
Source = Annotated[str, Field(min_length=1, max_length=500)]
VIT = "google/vit-base-patch16-224-in21k"  # the pretrained model of the paper's image tasks


class TaskSettings(Pluggable):
    """What every task has: a model, clients that its examples are dealt to, its metric's name."""

    plugin_group = "flasc_emu.tasks"
    plugin_tag = "name"
    behaviour = "load"
    metric: ClassVar[str] = "accuracy"

    name: str
    model: Model
    clients: PositiveInt = 350

    @property
    def most_clients(self) -> int | None:
        """As many as can hold something of the data; None where only the data say."""
        return None

    def missing_model(self) -> str:
        """What is found where the model should be, a folder that is not there; '' if it may be."""
        return missing_model(self.model)

    def load(self, seed: int, cache: Path | None, notify: Notify) -> Task:
        """The task that these settings describe, with its examples dealt to clients by `seed`.

        A plug-in may override this, or name a function in `implementation`. `notify` is told
        before a download starts. Raises AssetError and ModelError.
        """
        loaded: Task = implementation(self)(self, seed, cache, notify)
        return loaded
