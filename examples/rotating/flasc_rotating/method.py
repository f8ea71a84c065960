"""A structured update with a fixed mask a round (Konečný et al., arXiv 1610.05492, section 2)."""

import torch
from torch import Tensor

from flasc.methods import Got, Mask, Method


class Rotating(Method):
    """Nothing is ranked: whose turn it is depends on the round alone."""

    def up(self, delta: Tensor, got: Got) -> Mask:
        """Entries r, r + parts, r + 2 parts, ... in round r (counted from 0, modulo parts)."""
        parts = self.settings.parts
        return torch.arange(delta.numel(), device=delta.device) % parts == got.version % parts
