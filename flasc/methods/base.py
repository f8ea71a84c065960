"""Base classes of methods: settings from the scenario, and the decisions taken in training.

A method's settings and behaviour are in one file. Importing it does not import torch, because
`flasc-emu check` reads the settings of every method.
"""

# ruff: noqa: ARG002  (the defaults of `Method` need fewer arguments than its subclasses)
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeAlias

from pydantic import AfterValidator, Field

from flasc.common.messages import Request
from flasc.common.plugins import Pluggable, implementation
from flasc.common.schedules import Schedule
from flasc.common.settings import Fraction, PositiveFloat, WireForm, fraction_schema, newer
from flasc.methods.top_k import count, top_k
from flasc.models.settings import Scope

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from flasc.models.adapter import Span

Mask: TypeAlias = "Tensor | None"  # bool [n]; None stands for every entry
Penalty: TypeAlias = "Callable[[Tensor], Tensor]"

Rank = Annotated[int, Field(ge=1, le=1024)]


def _share(value: float) -> float:
    if not value > 0:
        raise ValueError(f"found {value:g}; allowed: a share above 0, like 1/3 or 70 %")
    return value


Share = Annotated[
    Fraction, AfterValidator(_share), fraction_schema("a fraction above 0, like 1/3 or 70 %")
]


class MethodSettings(Pluggable):
    """Settings that every method may set for itself instead of the training section's value.

    With `error_feedback`, a client keeps what its upload omits and adds it to its next upload.
    """

    plugin_group = "flasc_emu.methods"
    behaviour = "build"
    has_rank: ClassVar[bool] = True  # whether LoRA's rank affects the method
    scope: ClassVar[Scope] = "adapter"  # which weights are trained
    # Whether the server knows an upload's support from what it sent, so that it has no index.
    upload_support_known: ClassVar[bool] = False

    rank: Rank | None = None
    """replaces `training.lora.rank`; ignored by `full` and `head`"""
    client_lr: PositiveFloat | None = None
    """replaces `training.client.lr`"""
    server_lr: PositiveFloat | None = None
    """instead of `training.server.lr`"""
    server_schedule: Schedule | None = newer(None)
    """replaces the whole of `training.server.schedule`"""
    wire: WireForm | None = newer(None)
    """replaces the whole of `training.wire`"""
    error_feedback: bool = newer(False)
    """a client adds what an upload left out to its next upload"""

    @property
    def private(self) -> bool:
        """Whether the sum of the clients' updates is all that the server learns from them."""
        return True

    @property
    def densities(self) -> tuple[float, float] | None:
        """Share of the entries that is sent (down, up); None if it is not constant."""
        return None

    @property
    def download_support_known(self) -> bool:
        """Whether a client knows a download's support from its tier, so that no index is sent."""
        return False

    def build(self, layout: VectorLayout) -> Method:
        """The method with these settings, for one training.

        A plug-in overrides this, or names its method in `implementation`.
        """
        built: Method = implementation(self)(self, layout)
        return built


@dataclass(frozen=True)
class VectorLayout:
    """What a method knows of its training: the vector's spans, the LoRA rank, the clients."""

    spans: Sequence[Span]
    rank: int
    seed: int
    clients: int

    def pairs(self, vector: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Views of each LoRA layer's A [rank, in] and B [out, rank] in `vector` [n]."""
        parts = {span.name: vector[span.start : span.stop] for span in self.spans}
        for span in self.spans:
            if span.part == "lora_A":
                b = parts[span.name.replace(".lora_A.", ".lora_B.")]
                yield parts[span.name].view(self.rank, -1), b.view(-1, self.rank)

    def head(self, device: torch.device) -> Tensor:
        """Mask of the entries outside LoRA: bool [n]."""
        import torch

        mask = torch.ones(self.spans[-1].stop, dtype=torch.bool, device=device)
        for span in self.spans:
            if span.part in ("lora_A", "lora_B"):
                mask[span.start : span.stop] = False
        return mask

    def ranks(self, params: Tensor, keep: Callable[[Tensor], Tensor]) -> Tensor:
        """Mask of the head and of the rows of A and columns of B that `keep` selects in each layer.

        `keep` gets A, or B transposed, float32 [rank, width], and returns bool [rank].
        """
        mask = self.head(params.device)
        for values, kept in zip(self.pairs(params), self.pairs(mask), strict=True):
            (a, b), (kept_a, kept_b) = values, kept
            kept_a |= keep(a)[:, None]
            kept_b |= keep(b.T)
        return mask


@dataclass(frozen=True)
class ReceivedModel:
    """The model that a client starts from.

    `start` is float32 [n]; `down` masks the entries that were sent; `version` counts the server
    steps before it; `tier` is the client's tier; `client` is its number. Random masks are drawn
    from `flasc.common.rng.stream(layout.seed, "a purpose", version, client)`, so that they are the
    same in any process.
    """

    start: Tensor
    down: Mask
    version: int
    tier: int
    client: int = -1  # -1: not known, as in a method's own tests


class Method:
    """Selects the entries that are sent and trained. Dense, unless a subclass overrides it.

    All clients of a tier get the same download; a tier is any integer. A method knows no simulated
    time. `state` holds everything that it remembers between rounds, so a training can be restored.
    """

    evaluation_tier: int = 0  # the tier through whose download mask the model is evaluated
    examples: int = 0  # per client, for a request other than an update

    def __init__(self, settings: Any, layout: VectorLayout) -> None:
        self.settings, self.layout = settings, layout

    def tier(self, client: int) -> int:
        """The current tier of a client."""
        return 0

    def request(self, version: int) -> Request:
        """What the clients that download this version are asked for."""
        return "update"

    def download_mask(self, params: Tensor, version: int, tier: int) -> Mask:
        """Entries of the server's float32 [n] vector that a tier gets; the others start at zero."""
        return None

    def trainable_mask(self, received: ReceivedModel) -> Mask:
        """Entries that a client may change."""
        return None

    def penalty(self, received: ReceivedModel) -> Penalty | None:
        """The gradient, as a function of a float32 [n], that is added to the data's gradient."""
        return None

    def upload_mask(self, delta: Tensor, received: ReceivedModel) -> Mask:
        """Entries of a client's float32 [n] delta that are sent."""
        return None

    def weigh(
        self, weights: Sequence[float], received: Sequence[ReceivedModel], deltas: Sequence[Tensor]
    ) -> Sequence[float]:
        """The weights of the updates in their sum, given the weights of the round policy.

        `received` is empty unless `upload_support_known`.
        """
        return weights

    def on_upload(self, client: int, support: Mask) -> None:
        """Called with the support of each update before it is aggregated."""

    def on_measurement(self, params: Tensor, mean: Tensor) -> None:
        """Called with the mean, float32 [n], of what was requested instead of an update."""

    def on_new_version(self, params: Tensor, version: int) -> None:
        """Called with the server's vector at the start and after each step."""

    def state(self) -> dict[str, Tensor]:
        """What `restore` needs."""
        return {}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Restores a state."""


def largest(values: Tensor, density: float) -> Mask:
    """Exact top-k mask of |values| over all entries; None if every entry is kept."""
    k = count(values.numel(), density)
    return None if k == values.numel() else top_k(values, k)


def scheduled(density: float, gamma: float, every: int, version: int) -> float:
    """density * gamma^(t // every) (the reference code's schedule)."""
    return density * gamma ** (version // every)
