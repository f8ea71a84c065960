"""A structured update with a fixed mask per round (Konečný et al., arXiv 1610.05492, section 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from flasc.common.settings import PositiveInt
from flasc.methods.base import Mask, Method, MethodSettings, ReceivedModel, VectorLayout

if TYPE_CHECKING:
    from torch import Tensor


class Rotating(MethodSettings):
    """Dense training; round r sends every `parts`-th entry of the update up, from r on."""

    kind: Literal["rotating"]
    parts: PositiveInt

    def build(self, layout: VectorLayout) -> Method:
        """The method for one training."""
        return RotatingMethod(self, layout)


class RotatingMethod(Method):
    """Entries are not ranked: the round alone decides which of them are sent."""

    def upload_mask(self, delta: Tensor, received: ReceivedModel) -> Mask:
        """Entries r, r + parts, r + 2 parts, ... in round r (counted from 0, modulo parts)."""
        import torch  # here, so that `flasc-emu check` stays fast

        parts = self.settings.parts
        return torch.arange(delta.numel(), device=delta.device) % parts == received.version % parts
