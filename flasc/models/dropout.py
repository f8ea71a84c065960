"""LoRA's dropout by hash: which entries are dropped does not depend on how clients are batched.

A hash of (draw, row, LoRA layer, token, feature) decides whether an entry is dropped, as in the
counter-based generators of Salmon et al. 2011. So the reference loop and a cohort in one batch,
whether padded, packed or pruned, drop the same entries. On a CPU it takes less than half the time
of torch's `bernoulli_`.
"""

import torch
from torch import Tensor, nn

# A 32-bit finaliser with two multiplications, from Wellons' search for low bias.
_MULTIPLIERS = (0x21F0AAAD, 0xD35A2D97 - 2**32)
_UNSIGNED = (1 << 17) - 1  # the bits that remain after a shift by 15
_HALF = 1 << 16


def _mix(hashed: Tensor) -> Tensor:
    """Scramble int32 in place."""
    for multiplier in _MULTIPLIERS:
        hashed.mul_(multiplier)
        hashed.bitwise_xor_((hashed >> 15).bitwise_and_(_UNSIGNED))  # the shift copies the sign
    return hashed


def places(site: int, tokens: int, features: int, device: torch.device) -> Tensor:
    """Hashes of the positions of LoRA layer number `site`: int32 [tokens, features].

    The layers 2i and 2i + 1 share one hash and use half of its bits each.
    """
    counter = torch.arange(tokens * features, dtype=torch.int32, device=device)
    counter += (site // 2) * 0x5BD1E995 % 2**31  # far from the counters of other layers
    return _mix(_mix(counter)).view(tokens, features)


def hashes(rows: Tensor, places: Tensor) -> Tensor:
    """Hashes of entries from int32 keys of rows and hashes of positions, broadcast."""
    return _mix(rows ^ places)


def kept(hashed: Tensor, site: int, p: float) -> Tensor:
    """int32 like `hashed`: all bits are set where an entry is kept, none where it is dropped.

    `p` is rounded to a multiple of 1/65536. A bitwise AND is eight times as fast on a CPU as a
    product with booleans (bench/training.py).
    """
    half = hashed >> 16 if site % 2 else (hashed & (_HALF - 1)) - _HALF // 2
    return torch.bitwise_right_shift((round(p * _HALF) - _HALF // 2 - 1) - half, 31)


def masked(x: Tensor, kept: Tensor) -> Tensor:
    """`x` (of 32 or 16 bits) with zeros where entries are dropped; not scaled, without gradient."""
    if x.element_size() == 2:
        return (x.view(torch.int16) & kept.to(torch.int16)).view(x.dtype)
    return (x.view(torch.int32) & kept).view(x.dtype)


class Rows:
    """Keys of the rows of the current batch, int32 [batch]; the training loop sets them."""

    keys: Tensor | None = None


class PlaceDropout(nn.Module):
    """Replaces torch's dropout in a PEFT LoRA layer; the identity in evaluation mode."""

    def __init__(self, p: float, site: int, rows: Rows) -> None:
        super().__init__()
        self.p, self.site, self._rows = p, site, rows

    def forward(self, x: Tensor) -> Tensor:
        """`x` after dropout; kept entries are scaled.

        `x` is float [batch, tokens, features] or, as OPT's MLP gets it, [batch * tokens, features].
        A batch of 1 is an input that all rows share, like DeBERTa's relative positions: it has the
        key of the first row.
        """
        if not self.training:
            return x
        assert self._rows.keys is not None, "the keys of the rows are not set"
        keys = self._rows.keys
        whole = x.reshape(len(keys), -1, x.shape[-1]) if x.dim() == 2 else x
        keys = keys[: len(whole)].view(-1, 1, 1)
        found = hashes(keys, places(self.site, whole.shape[-2], whole.shape[-1], x.device))
        return (whole * (kept(found, self.site, self.p) & 1) / (1 - self.p)).view(x.shape)
