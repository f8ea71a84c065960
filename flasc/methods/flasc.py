"""FLASC (arXiv 2406.05233): train everything, send the largest entries, ranked anew each round."""

from typing import Any

import torch
from torch import Tensor

from flasc.methods.base import Got, Layout, Mask, Method, largest, scheduled
from flasc.methods.tiers import deal
from flasc.methods.top_k import count, top_k


class Flasc(Method):
    """Down: the top of |P|. Up: each client's own top of |delta|. No error feedback."""

    def down(self, params: Tensor, version: int, tier: int) -> Mask:
        """Exact global top-k over all entries, A, B and head together."""
        return largest(params, self._density(self.settings.down, version))

    def up(self, delta: Tensor, got: Got) -> Mask:
        """Exact global top-k of the client's delta; it need not lie inside the download."""
        return largest(delta, self._density(self.settings.up, got.version))

    def _density(self, density: float, version: int) -> float:
        return scheduled(density, self.settings.gamma, self.settings.every, version)


class FlascTiers(Method):
    """FLASC with densities for each tier, as the reference code's script for tiers runs it."""

    def __init__(self, settings: Any, layout: Layout) -> None:
        super().__init__(settings, layout)
        self._tiers = self.settings.tiers
        self._tier = deal([tier.share for tier in self._tiers], layout)
        self.shown = max(range(len(self._tiers)), key=lambda i: self._tiers[i].down)

    def tier(self, client: int) -> int:
        """The place of the client's tier in the list."""
        return self._tier[client]

    def down(self, params: Tensor, version: int, tier: int) -> Mask:
        """Their quirk: the top of LoRA's entries alone, and the whole head beside it."""
        density = self._tiers[tier].down
        if self.settings.rank_head or density == 1:
            return largest(params, density)
        mask = self.layout.head(params.device)
        lora = torch.nonzero(~mask).squeeze(1)
        mask[lora] = top_k(params[lora], count(len(lora), density))
        return mask

    def up(self, delta: Tensor, got: Got) -> Mask:
        """Exact global top-k of the client's delta, head included."""
        return largest(delta, self._tiers[got.tier].up)
