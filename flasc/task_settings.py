"""Typed settings of tasks: which data, which pretrained model, how many clients. Torch-free.

A union told apart by `name`: each task owns its settings. A key that came after the first release
is left out of the digest while it has its default, so that old recordings keep their name.
"""

import difflib
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from typing_extensions import Self

from flasc.assets.catalogue import known_models, missing_model
from flasc.common.plugins import Pluggable
from flasc.common.settings import PositiveInt, Settings, parse_fraction

SMALLEST_ALPHA = 1e-6  # of a Dirichlet split: clients of one class are the rule from 1e-3 down


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
_VIT = "google/vit-base-patch16-224-in21k"


class TaskSettings(Pluggable):
    """What every task has: a model, clients that its examples are dealt to, its metric's name."""

    plugin_group = "flasc_emu.tasks"
    plugin_tag = "name"
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


class Newsgroups(TaskSettings):
    """20 Newsgroups: 20 classes of text. `edition` raw keeps headers, as the paper has it."""

    name: Literal["20newsgroups"]
    edition: Annotated[
        Literal["all-terms", "raw"], Field(exclude_if=lambda edition: edition == "all-terms")
    ] = "all-terms"
    data: Annotated[Source | None, Field(exclude_if=lambda data: data is None)] = None
    model: Model = "minilm"
    clients: PositiveInt = 350
    tokens: Tokens = 128
    split: Split = Split()

    @property
    def most_clients(self) -> int | None:
        """Examples to train on, of the edition whose files are known by their hash."""
        return 9_034 if self.edition == "all-terms" else None

    @model_validator(mode="after")
    def _data_is_the_raw_editions(self) -> Self:
        if self.data is not None and self.edition != "raw":
            raise ValueError(
                f"found data with edition {self.edition}; allowed: data with edition raw"
            )
        return self


class Cifar10(TaskSettings):
    """CIFAR-10: 10 classes of pictures, the paper's."""

    name: Literal["cifar10"]
    data: Source = "uoft-cs/cifar10"
    model: Model = _VIT
    clients: PositiveInt = 500
    split: Split = Split()


class Flair(TaskSettings):
    """FLAIR: 17 labels, several a picture, the paper's. `data` is where its script put it."""

    metric: ClassVar[str] = "micro F1"
    name: Literal["flair"]
    data: Source
    model: Model = _VIT
    clients: PositiveInt = 350
    split: UserSplit = UserSplit()


class Reddit(TaskSettings):
    """Reddit comments: the next token, the paper's. `data` has an author and a body a comment."""

    metric: ClassVar[str] = "next-token accuracy"
    name: Literal["reddit"]
    data: Source = "webis/tldr-17@refs/convert/parquet"
    model: Model = "openai-community/gpt2"
    clients: PositiveInt = 350
    tokens: Tokens = 128
    split: UserSplit = UserSplit()


class FashionMnist(TaskSettings):
    """Fashion-MNIST, a stand-in for CIFAR-10: 10 classes of small pictures."""

    name: Literal["fashion_mnist"]
    model: Model = "fashion-vit"
    clients: PositiveInt = 350
    split: Split = Split()

    @property
    def most_clients(self) -> int | None:
        """Garments to train on."""
        return 27_000


class FashionScenes(TaskSettings):
    """Several garments a picture, a stand-in for FLAIR: 10 labels, several at once."""

    metric: ClassVar[str] = "micro F1"
    name: Literal["fashion_scenes"]
    model: Model = "scenes-vit"
    clients: PositiveInt = 350
    split: Split = Split()

    @property
    def most_clients(self) -> int | None:
        """Garments to train on."""
        return 27_000


class Friends(TaskSettings):
    """Lines of a television series, a stand-in for Reddit: the next token; speakers as clients."""

    metric: ClassVar[str] = "next-token accuracy"
    name: Literal["friends"]
    model: Model = "friends-gpt2"
    clients: PositiveInt = 350
    tokens: Tokens = 32
    split: UserSplit = UserSplit()

    @property
    def most_clients(self) -> int | None:
        """Speakers who train."""
        return 676


Task = Annotated[
    Newsgroups | Cifar10 | Flair | Reddit | FashionMnist | FashionScenes | Friends,
    Field(discriminator="name"),
]
