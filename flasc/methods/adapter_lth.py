"""Adapter LTH (Wu and Chen 2022) as a federated method: pruned entries stay pruned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from typing_extensions import override

from flasc.common.settings import Density, PositiveInt
from flasc.methods.base import Method, MethodSettings, VectorLayout, scheduled
from flasc.methods.masked import FixedMaskMethod
from flasc.methods.top_k import count, top_k

if TYPE_CHECKING:
    from torch import Tensor


class AdapterLth(MethodSettings):
    """Adapter LTH: the smallest entries are pruned round by round (Wu and Chen 2022).

    Every `every` rounds, the share `gamma` of the remaining entries is kept.
    """

    upload_support_known = True
    kind: Literal["adapter_lth"]
    gamma: Density
    """share of the remaining entries that each pruning keeps"""
    every: PositiveInt
    """rounds between prunings"""

    @override
    def build(self, layout: VectorLayout) -> Method:
        return AdapterLthMethod(self, layout)


class AdapterLthMethod(FixedMaskMethod):
    """Prunes the smallest of the remaining entries every `every` rounds, without rewinding."""

    @override
    def on_new_version(self, params: Tensor, version: int) -> None:
        import torch

        s = self.settings
        k = count(params.numel(), scheduled(1.0, s.gamma, s.every, version))
        if k == params.numel() or version % s.every:
            return
        left = torch.arange(params.numel(), device=params.device)
        if self._mask is not None:
            left = left[self._mask]
        self._mask = torch.zeros(params.numel(), dtype=torch.bool, device=params.device)
        self._mask[left[top_k(params[left], k)]] = True
