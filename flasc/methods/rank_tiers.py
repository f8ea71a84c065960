"""LoRA with a rank for each tier of clients: the vector holds the server's rank, clients a part.

LoRA's scale stays alpha / the server's rank for everybody, as in the reference code. A tier is
known by its rank.
"""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from flasc.methods.base import Got, Layout, Mask, Method, Penalty
from flasc.methods.tiers import deal
from flasc.methods.top_k import top_k


class Truncated(Method):
    """The whole head, and the first so many ranks; clients train and send what they get."""

    download_support_known = True
    upload_support_known = True

    def __init__(self, settings: Any, layout: Layout) -> None:
        super().__init__(settings, layout)
        tiers = deal([tier.share for tier in settings.tiers], layout)
        self._rank: list[int] = [settings.tiers[tier].rank for tier in tiers]
        self.shown = layout.rank  # the whole model

    def tier(self, client: int) -> int:
        """The client's rank."""
        return self._rank[client]

    def down(self, params: Tensor, version: int, tier: int) -> Mask:
        """The first rows of A and columns of B, whatever is in them."""
        if tier == self.layout.rank:
            return None
        first = torch.arange(self.layout.rank, device=params.device) < tier
        return self.layout.ranks(params, lambda rows: first)

    def trains(self, got: Got) -> Mask:
        """Only what was sent down."""
        return got.down

    def up(self, delta: Tensor, got: Got) -> Mask:
        """Only what was trained."""
        return got.down


class RankTiers(Truncated):
    """The reference code's tiers by rank: truncated, or ranked anew each round by norm."""

    def __init__(self, settings: Any, layout: Layout) -> None:
        super().__init__(settings, layout)
        self.download_support_known = settings.by == "truncation"

    def down(self, params: Tensor, version: int, tier: int) -> Mask:
        """The first ranks; or A's rows and B's columns of largest norm, each for itself."""
        if self.download_support_known or tier == self.layout.rank:
            return super().down(params, version, tier)
        return self.layout.ranks(params, lambda rows: top_k(rows.norm(dim=1), tier))


class HetLora(Truncated):
    """HetLoRA (Cho et al., arXiv 2401.06432): truncated ranks, weights by norm, self-pruning."""

    def up(self, delta: Tensor, got: Got) -> Mask:
        """What was trained, less the last ranks where their norms' product has shrunk."""
        rank = self._pruned(got.tier)
        if rank < got.tier and self._tail(got.start - delta, rank) < self._tail(got.start, rank):
            return self.down(delta, got.version, rank)
        return got.down

    def _pruned(self, rank: int) -> int:
        return max(1, int(self.settings.prune * rank))

    def penalty(self, got: Got) -> Penalty | None:
        """Of `penalty` times the tail's norms: zero where a norm is, where there is no gradient."""
        rank = self._pruned(got.tier)
        if not self.settings.penalty or rank == got.tier:
            return None
        return partial(self._penalty, rank)  # no closure: it goes to other processes

    def _penalty(self, rank: int, vector: Tensor) -> Tensor:
        found = torch.zeros_like(vector)
        pairs = zip(self.layout.pairs(vector), self.layout.pairs(found), strict=True)
        for (a, b), (to_a, to_b) in pairs:
            norm_a, norm_b = a[rank:].norm(), b[:, rank:].norm()
            if norm_a and norm_b:
                to_a[rank:] = self.settings.penalty * norm_b / norm_a * a[rank:]
                to_b[:, rank:] = self.settings.penalty * norm_a / norm_b * b[:, rank:]
        return found

    def _tail(self, vector: Tensor, rank: int) -> float:
        """Sum over layers of ||A[rank:]|| ||B[:, rank:]||; what lies behind the tier is zero."""
        pairs = self.layout.pairs(vector)
        return float(sum(a[rank:].norm() * b[:, rank:].norm() for a, b in pairs))

    def weigh(
        self, weights: Sequence[float], got: Sequence[Got], deltas: Sequence[Tensor]
    ) -> Sequence[float]:
        """In proportion to ||B A|| of all layers of the client that sent; the same sum as given."""
        if self.settings.weighting == "uniform":
            return weights
        norms = [self._norm(g.start - d) for g, d in zip(got, deltas, strict=True)]
        products = [w * norm for w, norm in zip(weights, norms, strict=True)]
        total = sum(products)
        return [p * sum(weights) / total for p in products] if total else weights

    def _norm(self, vector: Tensor) -> float:
        """Frobenius norm of all B A together, by ||B A||^2 = <B^T B, A A^T>."""
        squares = [((b.T @ b) * (a @ a.T)).sum() for a, b in self.layout.pairs(vector)]
        return math.sqrt(max(0.0, sum(map(float, squares))))  # rounding may end below zero

    def received(self, client: int, support: Mask) -> None:
        """A client that has pruned itself stays at its new rank."""
        if support is not None:
            lora = len(support) - int(self.layout.head(support.device).sum())
            sent = int(support.sum()) - (len(support) - lora)
            self._rank[client] = sent * self.layout.rank // lora

    def state(self) -> dict[str, Tensor]:
        """Everybody's rank."""
        return {"ranks": torch.tensor(self._rank)}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take up everybody's rank."""
        self._rank = state["ranks"].tolist()
