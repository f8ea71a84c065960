"""Typed settings of everything that decides what is learned. Torch-free.

Strict and frozen: an unknown key is an error, and a component owns the settings of its name. Who
takes part, for how long and over which network is not decided here but by the emulator.
"""

import contextlib
import math
import re
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from flasc.assets import ASSETS

_RATIO = re.compile(r"\s*(\d+)\s*/\s*(\d+)\s*")
_PERCENT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*")


def parse_fraction(text: object) -> float:
    """A number from '1/16', '25 %' or 0.25. Raises ValueError for anything else."""
    value = math.nan
    with contextlib.suppress(OverflowError):  # too large for a float
        if isinstance(text, (int, float)) and not isinstance(text, bool):
            value = float(text)
        elif isinstance(text, str):
            if (ratio := _RATIO.fullmatch(text)) and int(ratio[2]):
                value = int(ratio[1]) / int(ratio[2])
            elif percent := _PERCENT.fullmatch(text):
                # Exact, so that 33.3 % is 0.333 and the same training has the same digest.
                value = float(Fraction(percent[1]) / 100)
    if not math.isfinite(value):
        raise ValueError(f"found {text!r}; allowed: a fraction, like 1/16, 25 % or 0.25")
    return value


def _density(value: float) -> float:
    if not 0 < value <= 1:
        raise ValueError(f"found {value:g}; allowed: a density above 0 and at most 1, like 1/16")
    return value


Density = Annotated[float, BeforeValidator(parse_fraction), AfterValidator(_density)]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegativeFloat = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Momentum = Annotated[float, Field(ge=0, lt=1)]
PositiveInt = Annotated[int, Field(gt=0, le=2**31 - 1)]
Targets = Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]


class Settings(BaseModel):
    """Base of all settings: strict, frozen, no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


SMALLEST_ALPHA = 1e-6  # of a Dirichlet split: clients of one class are the rule from 1e-3 down


class Split(Settings):
    """How training examples are dealt to clients.

    `dirichlet` uses every example once and leaves no client empty; `dirichlet_reference` is the
    reference code's, which drops examples; `iid` deals at random.
    """

    kind: Literal["dirichlet", "dirichlet_reference", "iid"] = "dirichlet"
    alpha: Annotated[float, Field(ge=SMALLEST_ALPHA, allow_inf_nan=False)] = 0.1


def _model(name: str) -> str:
    """A bare word must be a name that we know: hub ids and local folders have a slash."""
    known = [asset.name for asset in ASSETS.values() if asset.kind == "model"]
    if "/" not in name and name not in known:
        raise ValueError(
            f"found {name!r}; allowed: {', '.join(known)}, a local folder (./model) "
            "or a hub id (owner/name)"
        )
    return name


class Task(Settings):
    """Data, pretrained model and clients.

    `model` is a name that `flasc-emu assets` lists, a local folder, or a hub id (`owner/name`).
    `tokens` is the length that texts are cut and padded to.
    """

    name: Literal["20newsgroups"]
    model: Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_model)] = "minilm"
    clients: PositiveInt = 350
    tokens: Annotated[int, Field(ge=4, le=512)] = 128
    split: Split = Split()


class Lora(Settings):
    """LoRA as PEFT builds it. `alpha` stays when the rank changes: the scale is alpha / rank."""

    rank: Annotated[int, Field(ge=1, le=1024)] = 16
    alpha: PositiveFloat = 16.0
    dropout: Momentum = 0.1
    targets: Targets | None = None  # None: the paper's for this architecture


class Client(Settings):
    """Local training: SGD, fresh each round, at a constant rate.

    `base_dropout` false is the reference code's quirk: the base model stays in evaluation mode,
    only LoRA's own dropout is on.
    """

    lr: PositiveFloat = 0.1
    momentum: Momentum = 0.9
    batch: PositiveInt = 16
    epochs: PositiveInt = 1
    base_dropout: bool = False


class AdamW(Settings):
    """The reference code's server: torch's AdamW, bias-corrected, with weight decay."""

    kind: Literal["adamw"] = "adamw"
    lr: PositiveFloat = 1e-2
    beta1: Momentum = 0.9
    beta2: Momentum = 0.999
    eps: PositiveFloat = 1e-8
    weight_decay: NonNegativeFloat = 0.01


class FedAdam(Settings):
    """Reddi et al. 2021, algorithm 2: no bias correction, no decay, adaptivity tau."""

    kind: Literal["fedadam"]
    lr: PositiveFloat = 1e-2
    beta1: Momentum = 0.9
    beta2: Momentum = 0.99
    tau: PositiveFloat = 1e-3


class FedAvg(Settings):
    """The mean update itself, times `lr` (1: McMahan et al. 2017)."""

    kind: Literal["fedavg"]
    lr: PositiveFloat = 1.0


def _server_kind(value: object) -> str:
    """A server that names no kind is the reference code's."""
    if isinstance(value, dict):
        return str(value.get("kind", "adamw"))
    return str(getattr(value, "kind", "adamw"))


Server = Annotated[
    Annotated[AdamW, Tag("adamw")]
    | Annotated[FedAdam, Tag("fedadam")]
    | Annotated[FedAvg, Tag("fedavg")],
    Discriminator(_server_kind),
]


# The reference is plain and slow; the cohort is held against it, and falls back on it.
Engine = Literal["cohort", "reference"]
# tf32 is a GPU's; auto is fp32 on a CPU and bf16 on a GPU, with masters in fp32.
Precision = Literal["auto", "fp32", "tf32", "bf16"]


class Wire(Settings):
    """How a message is encoded. `auto` takes the smallest format, message by message."""

    format: Literal["auto", "dense", "bitmask", "coo", "rice"] = "auto"
    values: Literal["fp32", "fp16"] = "fp32"


class MethodSettings(Settings):
    """What every method may set for itself instead of the training section's value."""

    rank: Annotated[int, Field(ge=1, le=1024)] | None = None
    client_lr: PositiveFloat | None = None
    server_lr: PositiveFloat | None = None


class Full(MethodSettings):
    """Full fine-tuning: every weight is trained and sent."""

    kind: Literal["full"]


class Head(MethodSettings):
    """Linear probe: only the classifier is trained and sent."""

    kind: Literal["head"]


class DenseLora(MethodSettings):
    """LoRA, every entry sent both ways."""

    kind: Literal["lora"]


class Flasc(MethodSettings):
    """FLASC: dense local training; the largest entries go down and the largest deltas up."""

    kind: Literal["flasc"]
    down: Density
    up: Density


class SparseAdapter(MethodSettings):
    """One dense round, then one magnitude mask for good; clients train only inside it."""

    kind: Literal["sparse_adapter"]
    density: Density


Method = Annotated[Full | Head | DenseLora | Flasc | SparseAdapter, Field(discriminator="kind")]


class TrainingSettings(Settings):
    """All that decides what one training learns, given who takes part in which order."""

    seed: Annotated[int, Field(ge=0, le=2**63 - 1)]
    task: Task
    lora: Lora
    client: Client
    server: Server
    wire: Wire
    method: Method
    engine: Engine = "cohort"
    precision: Precision = "auto"
    evaluation_examples: PositiveInt | None  # the first so many of a split; None: all

    @model_validator(mode="before")
    @classmethod
    def _apply_method_overrides(cls, data: dict[str, object]) -> dict[str, object]:
        """A method's own rank and rates take the place of the training section's."""
        method = data.get("method")
        if not isinstance(method, MethodSettings):
            return data
        lora, client, server = data["lora"], data["client"], data["server"]
        assert isinstance(lora, Lora)
        assert isinstance(client, Client)
        assert isinstance(server, (AdamW, FedAdam, FedAvg))
        own = {"rank": method.rank} if method.rank else {}
        client_lr = {"lr": method.client_lr} if method.client_lr else {}
        server_lr = {"lr": method.server_lr} if method.server_lr else {}
        return data | {
            "lora": lora.model_copy(update=own),
            "client": client.model_copy(update=client_lr),
            "server": server.model_copy(update=server_lr),
            # What is applied is dropped, so that the same training has the same digest.
            "method": method.model_copy(
                update={"rank": None, "client_lr": None, "server_lr": None}
            ),
        }
