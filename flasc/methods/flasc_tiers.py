"""FLASC with densities per tier of clients, as in the reference code's script for tiers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field
from typing_extensions import override

from flasc.common.settings import Density
from flasc.methods.base import (
    Mask,
    Method,
    MethodSettings,
    ReceivedModel,
    Share,
    VectorLayout,
    largest,
)
from flasc.methods.both_ways import DensityBothWays
from flasc.methods.tiers import deal
from flasc.methods.top_k import count, top_k

if TYPE_CHECKING:
    from torch import Tensor


class DensityTier(DensityBothWays):
    """A share of the clients, relative to the other tiers, and its densities."""

    share: Share
    """share of the clients, relative to the other tiers"""
    down: Density
    """share of the entries in a download"""
    up: Density
    """share of the entries in each upload"""


class FlascTiers(MethodSettings):
    """FLASC with densities per tier of clients (arXiv 2406.05233).

    With `rank_head` false, as in the reference code, downloads rank only LoRA's entries and carry
    the whole head, while uploads rank all entries.
    """

    kind: Literal["flasc_tiers"]
    tiers: Annotated[list[DensityTier], Field(min_length=1)]
    """tiers of clients"""
    rank_head: bool = False
    """rank the head together with LoRA for downloads; the reference code sends the whole head"""

    @override
    def build(self, layout: VectorLayout) -> Method:
        return FlascTiersMethod(self, layout)


class FlascTiersMethod(Method):
    """A client's tier is the index of its tier in the settings."""

    def __init__(self, settings: Any, layout: VectorLayout) -> None:
        super().__init__(settings, layout)
        self._tiers = self.settings.tiers
        self._tier = deal([tier.share for tier in self._tiers], layout)
        self.evaluation_tier = max(range(len(self._tiers)), key=lambda i: self._tiers[i].down)

    @override
    def tier(self, client: int) -> int:
        return self._tier[client]

    @override
    def download_mask(self, params: Tensor, version: int, tier: int) -> Mask:
        import torch

        density = self._tiers[tier].down
        if self.settings.rank_head or density == 1:
            return largest(params, density)
        mask = self.layout.head(params.device)
        lora = torch.nonzero(~mask).squeeze(1)
        mask[lora] = top_k(params[lora], count(len(lora), density))
        return mask

    @override
    def upload_mask(self, delta: Tensor, received: ReceivedModel) -> Mask:
        return largest(delta, self._tiers[received.tier].up)
