"""Federated Select (Charles et al., arXiv 2208.09432): part of the model in each round."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from typing_extensions import override

from flasc.common.settings import Density, PositiveInt
from flasc.methods.base import Mask, Method, MethodSettings, VectorLayout, largest, scheduled
from flasc.methods.masked import MaskedMethod

if TYPE_CHECKING:
    from torch import Tensor


class FederatedSelect(MethodSettings):
    """Federated Select: the largest entries are downloaded and trained (arXiv 2208.09432).

    The density is multiplied by `gamma` every `every` rounds.
    """

    upload_support_known = True
    kind: Literal["federated_select"]
    density: Density
    """share of the entries in the mask"""
    gamma: Density = 1.0
    """factor on the densities, applied every `every` rounds"""
    every: PositiveInt = 1
    """rounds between two applications of `gamma`"""

    @property
    @override
    def densities(self) -> tuple[float, float] | None:
        return (self.density, self.density) if self.gamma == 1 else None

    @override
    def build(self, layout: VectorLayout) -> Method:
        return FederatedSelectMethod(self, layout)


class FederatedSelectMethod(MaskedMethod):
    """Downloads the same entries as FLASC, ranked in each round, the same for all clients."""

    @override
    def download_mask(self, params: Tensor, version: int, tier: int) -> Mask:
        s = self.settings
        return largest(params, scheduled(s.density, s.gamma, s.every, version))
