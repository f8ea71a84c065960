"""Rotary positions (Su et al. 2021): the position of a token rotates its queries and keys."""

from typing import Any

import torch
from torch import Tensor, nn


class Rotary:
    """Cosines and sines by the model's own module, which knows its base and its scaling."""

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self._tables: dict[tuple[int, torch.device], tuple[Tensor, Tensor]] = {}

    def table(self, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Cosines and sines of the positions of a row: float32 [width, rotated values].

        `width` is the number of tokens with padding, as the model gets them: the scaling of some
        models depends on it.
        """
        if (width, device) not in self._tables:
            like = torch.empty(0, device=device)  # for dtype and device
            with torch.no_grad():
                cos, sin = self._module(like, torch.arange(width, device=device).unsqueeze(0))
            self._tables[width, device] = cos[0], sin[0]
        return self._tables[width, device]


def rotated(x: Tensor, cos: Tensor, sin: Tensor, heads: int, size: int) -> Tensor:
    """`x` [tokens, width] with its first `heads` heads of `size` values rotated.

    `cos` and `sin` are [tokens, values], the values of a head that are rotated (all, except in
    Phi-3). The first half of them is the one coordinate of a plane and the second half the other.
    """
    # torch's `apply` is untyped.
    found: Tensor = _Rotated.apply(x, cos.to(x.dtype), sin.to(x.dtype), heads, size)  # type: ignore[no-untyped-call]
    return found


class _Rotated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, cos: Tensor, sin: Tensor, heads: int, size: int) -> Tensor:
        ctx.save_for_backward(cos, sin)
        ctx.heads, ctx.size = heads, size
        half = cos.shape[1] // 2
        return _turned(x, cos, -sin[:, :half], sin[:, half:], heads, size)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        cos, sin = ctx.saved_tensors
        half = cos.shape[1] // 2
        turned = _turned(grads[0], cos, sin[:, half:], -sin[:, :half], ctx.heads, ctx.size)
        return turned, None, None, None, None


def _turned(x: Tensor, cos: Tensor, across: Tensor, back: Tensor, heads: int, size: int) -> Tensor:
    """Both halves times `cos`, plus the second times `across`, and plus the first times `back`."""
    found, half = x.clone(), cos.shape[1] // 2
    first, second = _halves(found, heads, size, half)
    old_first, old_second = _halves(x, heads, size, half)
    cos, across, back = cos.unsqueeze(1), across.unsqueeze(1), back.unsqueeze(1)
    first.mul_(cos[..., :half]).addcmul_(old_second, across)
    second.mul_(cos[..., half:]).addcmul_(old_first, back)
    return found


def _halves(x: Tensor, heads: int, size: int, half: int) -> tuple[Tensor, Tensor]:
    whole = x[:, : heads * size].view(len(x), heads, size)
    return whole[..., :half], whole[..., half : 2 * half]
