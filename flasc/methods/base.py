"""What a method decides, and the defaults: everything goes down, trains and goes up."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from flasc.methods.top_k import count, top_k
from flasc.models.adapter import Scope, Span

Mask = Tensor | None  # bool [n]; None stands for every entry
Penalty = Callable[[Tensor], Tensor]
# What a client is asked for: its update, or of the loss where it starts the gradient or H g.
Task = Literal["update", "gradient", "curvature"]


@dataclass(frozen=True)
class Layout:
    """What a method knows of its training: which entry is what, LoRA's rank, who there is."""

    spans: Sequence[Span]
    rank: int
    seed: int
    clients: int

    def pairs(self, vector: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Views of each LoRA layer's A [rank, in] and B [out, rank] in a vector [n]."""
        spans = {span.name: span for span in self.spans}
        for a in self.spans:
            if a.part == "lora_A":
                b = spans[a.name.replace(".lora_A.", ".lora_B.")]
                yield (
                    vector[a.start : a.stop].view(self.rank, -1),
                    vector[b.start : b.stop].view(-1, self.rank),
                )

    def head(self, device: torch.device) -> Tensor:
        """Mask of what is not LoRA's: bool [n]."""
        mask = torch.ones(self.spans[-1].stop, dtype=torch.bool, device=device)
        for span in self.spans:
            if span.part in ("lora_A", "lora_B"):
                mask[span.start : span.stop] = False
        return mask

    def ranks(self, params: Tensor, keep: Callable[[Tensor], Tensor]) -> Tensor:
        """Mask of the head, and of each layer's rows of A and columns of B that `keep` names.

        `keep` gets A, or B transposed, float32 [rank, width], and gives bool [rank].
        """
        mask = self.head(params.device)
        for values, kept in zip(self.pairs(params), self.pairs(mask), strict=True):
            (a, b), (kept_a, kept_b) = values, kept
            kept_a |= keep(a)[:, None]
            kept_b |= keep(b.T)
        return mask


@dataclass(frozen=True)
class Got:
    """What a client starts from: float32 [n], the entries of it that came down, when, to whom."""

    start: Tensor
    down: Mask
    version: int
    tier: int


class Method:
    """One way to train and to communicate. Subclasses override what differs from dense.

    Clients of one tier get the same download; a tier is any integer.
    """

    scope: ClassVar[Scope] = "adapter"
    # Whether the client knows a download's support from its tier alone, and the server an upload's
    # from what it sent, so that no index goes with the values.
    download_support_known: bool = False
    upload_support_known: bool = False
    shown: int = 0  # the tier through whose mask the model is scored
    examples: int = 0  # of each client, for what it is asked for in place of an update

    def __init__(self, settings: Any, layout: Layout) -> None:
        self.settings, self.layout = settings, layout

    def tier(self, client: int) -> int:
        """The tier that a client is in now."""
        return 0

    def asks(self, version: int) -> Task:
        """What the clients that download this version are asked for."""
        return "update"

    def down(self, params: Tensor, version: int, tier: int) -> Mask:
        """Entries of the server's float32 [n] vector that a tier gets; the rest start at zero."""
        return None

    def trains(self, got: Got) -> Mask:
        """Entries that a client may move."""
        return None

    def penalty(self, got: Got) -> Penalty | None:
        """What a client's loss has beside its data, as a gradient at a float32 [n] vector."""
        return None

    def up(self, delta: Tensor, got: Got) -> Mask:
        """Entries of a client's float32 [n] delta that it sends."""
        return None

    def weigh(
        self, weights: Sequence[float], got: Sequence[Got], deltas: Sequence[Tensor]
    ) -> Sequence[float]:
        """The weights of the updates in their sum, given those of the round policy.

        `got` is empty unless `upload_support_known`.
        """
        return weights

    def received(self, client: int, support: Mask) -> None:
        """Told of the support of each update before it is merged."""

    def measured(self, params: Tensor, mean: Tensor) -> None:
        """Told of the mean of what was asked for, where that is no update: float32 [n]."""

    def renewed(self, params: Tensor, version: int) -> None:
        """Told of the server's vector at the start and after each step."""

    def state(self) -> dict[str, Tensor]:
        """What it must remember, for `restore`."""
        return {}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take up a remembered state."""


def largest(values: Tensor, density: float) -> Mask:
    """Exact top-k of |values| over all entries; None where that is every entry."""
    k = count(values.numel(), density)
    return None if k == values.numel() else top_k(values, k)


def scheduled(density: float, gamma: float, every: int, version: int) -> float:
    """density * gamma^(t // every) (the reference code's schedule)."""
    return density * gamma ** (version // every)
