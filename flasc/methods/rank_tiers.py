"""LoRA with a rank per tier of clients, which train a part of the server's ranks.

LoRA's scale is alpha / the server's rank for all clients, as in the reference code. A tier is
identified by its rank.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field
from typing_extensions import override

from flasc.common.settings import Settings
from flasc.methods.base import Mask, Method, MethodSettings, Rank, Share, VectorLayout
from flasc.methods.masked import MaskedMethod
from flasc.methods.tiers import deal
from flasc.methods.top_k import top_k

if TYPE_CHECKING:
    from torch import Tensor


class RankTier(Settings):
    """A share of the clients, relative to the other tiers, and its LoRA rank."""

    share: Share
    """share of the clients, relative to the other tiers"""
    rank: Rank
    """rank of the tier"""


class RankTiers(MethodSettings):
    """LoRA with a rank per tier of clients, and the whole head (arXiv 2406.05233).

    A tier gets the first ranks (`truncation`), or A's rows and B's columns of largest `norm`.
    """

    upload_support_known = True
    kind: Literal["rank_tiers"]
    tiers: Annotated[list[RankTier], Field(min_length=1)]
    """tiers of clients"""
    by: Literal["truncation", "norm"] = "truncation"
    """the first ranks, or the rows of A and columns of B with the largest norm"""

    @property
    @override
    def download_support_known(self) -> bool:
        return self.by == "truncation"

    @override
    def build(self, layout: VectorLayout) -> Method:
        return RankTiersMethod(self, layout)


class TruncatedMethod(MaskedMethod):
    """The head and the first ranks of a client's tier; clients train what they receive."""

    def __init__(self, settings: Any, layout: VectorLayout) -> None:
        super().__init__(settings, layout)
        tiers = deal([tier.share for tier in settings.tiers], layout)
        self._rank: list[int] = [settings.tiers[tier].rank for tier in tiers]
        self.evaluation_tier = layout.rank  # the whole model

    @override
    def tier(self, client: int) -> int:
        return self._rank[client]

    @override
    def download_mask(self, params: Tensor, version: int, tier: int) -> Mask:
        import torch

        if tier == self.layout.rank:
            return None
        first = torch.arange(self.layout.rank, device=params.device) < tier
        return self.layout.ranks(params, lambda _: first)


class RankTiersMethod(TruncatedMethod):
    """The reference code's tiers by rank: truncated, or ranked by norm in each round."""

    @override
    def download_mask(self, params: Tensor, version: int, tier: int) -> Mask:
        if self.settings.download_support_known or tier == self.layout.rank:
            return super().download_mask(params, version, tier)
        return self.layout.ranks(params, lambda rows: top_k(rows.norm(dim=1), tier))
