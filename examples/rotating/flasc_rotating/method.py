"""A structured update with a fixed mask per round (Konečný et al., arXiv 1610.05492, section 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from typing_extensions import override

from flasc.common.settings import PositiveInt
from flasc.methods.base import Mask, Method, MethodSettings, ReceivedModel, VectorLayout

if TYPE_CHECKING:
    from torch import Tensor


class Rotating(MethodSettings):
    """Dense training; round r sends every `parts`-th entry of the update up, from r on."""

    kind: Literal["rotating"]
    parts: PositiveInt

    @override
    def build(self, layout: VectorLayout) -> Method:
        return RotatingMethod(self, layout)


class RotatingMethod(Method):
    """Round r (counted from 0) sends the entries r, r + parts, r + 2 parts and so on."""

    @override
    def upload_mask(self, delta: Tensor, received: ReceivedModel) -> Mask:
        import torch  # here, so that `flasc-emu check` stays fast

        parts = self.settings.parts
        return torch.arange(delta.numel(), device=delta.device) % parts == received.version % parts
