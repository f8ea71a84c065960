"""FLASC (arXiv 2406.05233): trains all entries, sends the largest, ranked in each round."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from typing_extensions import override

from flasc.common.settings import Density, PositiveInt, newer
from flasc.methods.base import (
    Mask,
    Method,
    MethodSettings,
    ReceivedModel,
    VectorLayout,
    largest,
    scheduled,
)
from flasc.methods.both_ways import DensityBothWays

if TYPE_CHECKING:
    from torch import Tensor


class Flasc(DensityBothWays, MethodSettings):
    """FLASC: dense training; the largest entries go down, the largest deltas up (arXiv 2406.05233).

    Both densities are multiplied by `gamma` every `every` rounds.
    """

    kind: Literal["flasc"]
    down: Density
    """share of the entries in a download"""
    up: Density
    """share of the entries in each upload"""
    gamma: Density = newer(1.0)
    """factor on the densities, applied every `every` rounds"""
    every: PositiveInt = newer(1)
    """rounds between two applications of `gamma`"""

    @property
    @override
    def densities(self) -> tuple[float, float] | None:
        return (self.down, self.up) if self.gamma == 1 else None

    @override
    def build(self, layout: VectorLayout) -> Method:
        return FlascMethod(self, layout)


class FlascMethod(Method):
    """Exact global top-k over all entries: A, B and head together. No error feedback.

    The support of an upload need not lie inside the download's.
    """

    @override
    def download_mask(self, params: Tensor, version: int, tier: int) -> Mask:
        return largest(params, self._density(self.settings.down, version))

    @override
    def upload_mask(self, delta: Tensor, received: ReceivedModel) -> Mask:
        return largest(delta, self._density(self.settings.up, received.version))

    def _density(self, density: float, version: int) -> float:
        return scheduled(density, self.settings.gamma, self.settings.every, version)
