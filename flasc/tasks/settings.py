"""Settings of tasks: data, pretrained model, number of clients.

A key that was added after the first recordings is left out of the digest while it has its default,
so that old recordings are still found.
"""

from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field
from typing_extensions import override

from flasc.assets.packages import Notify
from flasc.common import rng
from flasc.common.errors import suggestion
from flasc.common.plugins import Pluggable, implementation
from flasc.common.settings import Fraction, PositiveInt, Settings, fraction_schema, newer
from flasc.data.partition import PARTITIONS, SMALLEST_ALPHA, Indices, natural
from flasc.models.resolve import known_models, missing_model
from flasc.models.settings import Head
from flasc.tasks.base import Task

SPLITS = {
    "dirichlet": "Skewed labels: a client's classes follow a Dirichlet; each example is used once.",
    "dirichlet_reference": "The same as in FLASC's code, which drops examples by rounding.",
    "iid": "Random: the labels of all clients have the same distribution.",
    "natural": "Each client is a user of the data.",
}


class Split(Settings):
    """How labelled training examples are distributed to clients.

    `dirichlet` uses every example once and leaves no client empty; `dirichlet_reference` is that of
    FLASC's code, which drops examples; `iid` distributes at random.
    """

    kind: Literal["dirichlet", "dirichlet_reference", "iid"] = "dirichlet"
    """skewed labels, each example used once; the reference code's version, which drops examples;
    random"""
    alpha: Annotated[float, Field(ge=SMALLEST_ALPHA, allow_inf_nan=False)] = 0.1
    """Dirichlet concentration; smaller values give a client fewer classes. `iid` ignores it"""

    def clients(self, labels: NDArray[np.integer], count: int, seed: int) -> list[Indices]:
        """The indices into `labels` (int [n]) of each of `count` clients."""
        stream = rng.stream(seed, "partition")
        return PARTITIONS[self.kind](labels, count, self.alpha, stream)


def _share(value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueError(f"found {value:g}; allowed: a share from 0 to 1, like 1/2")
    return value


Share = Annotated[
    Fraction, AfterValidator(_share), fraction_schema("a fraction from 0 to 1, like 1/2 or 50 %")
]


class UserSplit(Settings):
    """Each client is a user of the data; the share `pooled` of a user's examples is mixed."""

    kind: Literal["natural"] = "natural"
    pooled: Share = 0.0
    """share of each client's examples that is pooled, shuffled and distributed evenly: 1 is IID"""

    def clients(self, owners: NDArray[np.integer], count: int, seed: int) -> list[Indices]:
        """The indices into `owners` (int [n], a user per example) of each of `count` clients."""
        return natural(owners, count, self.pooled, rng.stream(seed, "partition"))


def _model(name: str) -> str:
    """Refuses a bare word that is not a known name; hub ids and local folders have a slash."""
    known = known_models()
    if "/" not in name and name not in known:
        near = suggestion(name.lower(), known)
        raise ValueError(
            f"found {name!r}; {near}{' ' if near else ''}allowed: {', '.join(known)}, "
            "a local folder (./model) or a hub id (owner/name)"
        )
    return name


Model = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_model)]
Tokens = Annotated[int, Field(ge=4, le=512)]
# A hub id (owner/name[@revision]) or a local folder.
Source = Annotated[str, Field(min_length=1, max_length=500)]
VIT = "google/vit-base-patch16-224-in21k"  # the pretrained model of the paper's image tasks


class TaskSettings(Pluggable):
    """What every task has: a model, a number of clients, and the name of its metric.

    `head` is that of the loaded task; None if only loading tells, as for most plug-ins.
    """

    plugin_group = "flasc_emu.tasks"
    plugin_tag = "name"
    behaviour = "load"
    metric: ClassVar[str] = "accuracy"
    head: ClassVar[Head | None] = None

    name: str
    model: Model
    """a name from `flasc-emu list models`, a local folder (./model, relative to this scenario's
    folder), or a hub id (owner/name)"""
    clients: PositiveInt = 350
    """number of clients that hold the training examples; at most 9,034 for `20newsgroups`
    (all-terms), 27,000 for `fashion_mnist` and `fashion_scenes`, 676 for `friends`"""

    @property
    def most_clients(self) -> int | None:
        """The largest number of clients that the data suffice for; None if only the data tell."""
        return None

    @property
    def falls(self) -> bool:
        """Whether lower values of the metric are better."""
        return False

    def missing_data(self) -> str:
        """Why a file of the user's own cannot be read; '' if it may be."""
        return ""

    def data_at_hand(self) -> str:
        """The identity of the user's own files, which their names do not tell; '' without any."""
        return ""

    def missing_model(self) -> str:
        """Why the model cannot exist, such as a missing folder; '' if it may exist."""
        return missing_model(self.model)

    def load(self, seed: int, cache: Path | None, notify: Notify) -> Task:
        """The task with these settings, its examples distributed to clients by `seed`.

        A plug-in overrides this, or names a function in `implementation`. `notify` is called before
        a download starts. Raises AssetError and ModelError.
        """
        loaded: Task = implementation(self)(self, seed, cache, notify)
        return loaded


class LanguageSettings(TaskSettings):
    """A task of a causal language model, which predicts the next token."""

    head: ClassVar[Head | None] = "causal"
    scored_by: Literal["next-token accuracy", "perplexity", "exact match"] = newer(
        "next-token accuracy"
    )
    """the metric: share of the predicted tokens that are right; exponential of the mean loss of a
    token; share of the texts of which every predicted token is right, as greedy generation gives
    them"""

    @property
    def metric(self) -> str:  # type: ignore[override]  # other tasks have one metric per class
        """The name of the metric."""
        return self.scored_by

    @property
    @override
    def falls(self) -> bool:
        return self.scored_by == "perplexity"
