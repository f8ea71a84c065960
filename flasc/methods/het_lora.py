"""HetLoRA (Cho et al., arXiv 2401.06432): truncated ranks, weights by norm, self-pruning."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field
from typing_extensions import override

from flasc.common.settings import Density, NonNegativeFloat
from flasc.methods.base import Mask, Method, MethodSettings, Penalty, ReceivedModel, VectorLayout
from flasc.methods.rank_tiers import RankTier, TruncatedMethod

if TYPE_CHECKING:
    from torch import Tensor


class HetLora(MethodSettings):
    """HetLoRA: ranks by tier, updates weighted by the adapter's norm (arXiv 2401.06432).

    `weighting` norm weights an update by ||B A|| of the client that made it. With `prune` below 1,
    a client reduces its rank to that share if the norms of the last ranks shrank during training.
    `penalty` times the product of those norms is added to the local loss.
    """

    upload_support_known = True
    kind: Literal["het_lora"]
    tiers: Annotated[list[RankTier], Field(min_length=1)]
    """tiers of clients"""
    weighting: Literal["uniform", "norm"] = "norm"
    """weight of an update: the norm of its adapter, or the same for all"""
    prune: Density = 1.0
    """factor on a client's rank when the ranks beyond it have shrunk; 1: never"""
    penalty: NonNegativeFloat = 0.0
    """factor on the norms of these ranks in the local loss"""

    @property
    @override
    def private(self) -> bool:
        # Weights by norm and pruned ranks reveal something of single updates.
        return self.weighting == "uniform" and self.prune == 1

    @property
    @override
    def download_support_known(self) -> bool:
        return True

    @override
    def build(self, layout: VectorLayout) -> Method:
        return HetLoraMethod(self, layout)


class HetLoraMethod(TruncatedMethod):
    """A client's tier is its current rank, which self-pruning lowers."""

    @override
    def upload_mask(self, delta: Tensor, received: ReceivedModel) -> Mask:
        # The trained entries, without the last ranks if the product of their norms has shrunk.
        rank = self._pruned(received.tier)
        start = received.start
        if rank < received.tier and self._tail(start - delta, rank) < self._tail(start, rank):
            return self.download_mask(delta, received.version, rank)
        return received.down

    def _pruned(self, rank: int) -> int:
        return max(1, int(self.settings.prune * rank))

    @override
    def penalty(self, received: ReceivedModel) -> Penalty | None:
        rank = self._pruned(received.tier)
        if not self.settings.penalty or rank == received.tier:
            return None
        return partial(self._penalty, rank)  # a closure could not be sent to other processes

    def _penalty(self, rank: int, vector: Tensor) -> Tensor:
        import torch

        found = torch.zeros_like(vector)  # also where a norm is zero and has no gradient
        pairs = zip(self.layout.pairs(vector), self.layout.pairs(found), strict=True)
        for (a, b), (to_a, to_b) in pairs:
            norm_a, norm_b = a[rank:].norm(), b[:, rank:].norm()
            if norm_a and norm_b:
                to_a[rank:] = self.settings.penalty * norm_b / norm_a * a[rank:]
                to_b[:, rank:] = self.settings.penalty * norm_a / norm_b * b[:, rank:]
        return found

    def _tail(self, vector: Tensor, rank: int) -> float:
        """Sum over layers of ||A[rank:]|| ||B[:, rank:]||; entries outside the tier are zero."""
        pairs = self.layout.pairs(vector)
        return float(sum(a[rank:].norm() * b[:, rank:].norm() for a, b in pairs))

    @override
    def weigh(
        self, weights: Sequence[float], received: Sequence[ReceivedModel], deltas: Sequence[Tensor]
    ) -> Sequence[float]:
        # In proportion to ||B A|| of each sender; the sum of the weights does not change.
        if self.settings.weighting == "uniform":
            return weights
        norms = [self._norm(r.start - d) for r, d in zip(received, deltas, strict=True)]
        products = [w * norm for w, norm in zip(weights, norms, strict=True)]
        total = sum(products)
        return [p * sum(weights) / total for p in products] if total else weights

    def _norm(self, vector: Tensor) -> float:
        """Frobenius norm of B A over all layers, by ||B A||^2 = <B^T B, A A^T>."""
        squares = [((b.T @ b) * (a @ a.T)).sum() for a, b in self.layout.pairs(vector)]
        return math.sqrt(max(0.0, sum(map(float, squares))))  # rounding may give a negative sum

    @override
    def on_upload(self, client: int, support: Mask) -> None:
        # A client that has pruned itself keeps its new rank.
        if support is not None:
            head = int(self.layout.head(support.device).sum())
            sent, lora = int(support.sum()) - head, len(support) - head
            self._rank[client] = sent * self.layout.rank // lora

    @override
    def state(self) -> dict[str, Tensor]:
        import torch

        return {"ranks": torch.tensor(self._rank)}

    @override
    def restore(self, state: dict[str, Tensor]) -> None:
        self._rank = state["ranks"].tolist()
