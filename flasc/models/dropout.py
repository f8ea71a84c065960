"""LoRA's dropout as a function of place: the same entries fall however clients are batched.

An entry is dropped by a hash of (draw, row, LoRA layer, token, feature) rather than by the next
number of a generator, so that the reference loop and a whole cohort in one batch, padded, packed
or pruned, agree exactly (counter-based, as Salmon et al. 2011 argue for). It costs less than half
of what torch's `bernoulli_` does on a CPU.
"""

import torch
from torch import Tensor, nn

# A 32-bit finaliser with two multiplications, after Wellons' search for low bias.
_MULTIPLIERS = (0x21F0AAAD, 0xD35A2D97 - 2**32)
_UNSIGNED = (1 << 17) - 1  # what 15 shifted bits leave
_HALF = 1 << 16


def _mix(hashed: Tensor) -> Tensor:
    """Scramble int32 in place."""
    for multiplier in _MULTIPLIERS:
        hashed.mul_(multiplier)
        hashed.bitwise_xor_((hashed >> 15).bitwise_and_(_UNSIGNED))  # torch shifts the sign in
    return hashed


def places(site: int, tokens: int, features: int, device: torch.device) -> Tensor:
    """Hashes of a LoRA layer's places: int32 [tokens, features].

    Two layers (`site` 2i and 2i + 1) share one hash, and each takes half of its bits.
    """
    counter = torch.arange(tokens * features, dtype=torch.int32, device=device)
    counter += (site // 2) * 0x5BD1E995 % 2**31  # far from the neighbours' counters
    return _mix(_mix(counter)).view(tokens, features)


def hashes(rows: Tensor, places: Tensor) -> Tensor:
    """Hashes of entries from int32 keys of their rows and hashes of their places, broadcast."""
    return _mix(rows ^ places)


def kept(hashed: Tensor, site: int, p: float) -> Tensor:
    """int32 like `hashed`: all bits set where the entry stays, none where it is dropped.

    `p` is rounded to 1/65536. Bits rather than booleans, as an AND of bits is eight times quicker
    on a CPU than a product with booleans (bench/training.py).
    """
    half = hashed >> 16 if site % 2 else (hashed & (_HALF - 1)) - _HALF // 2
    return torch.bitwise_right_shift((round(p * _HALF) - _HALF // 2 - 1) - half, 31)


def masked(x: Tensor, kept: Tensor) -> Tensor:
    """`x` (32 or 16 bits wide), zero where an entry is dropped; not scaled, no gradient."""
    if x.element_size() == 2:
        return (x.view(torch.int16) & kept.to(torch.int16)).view(x.dtype)
    return (x.view(torch.int32) & kept).view(x.dtype)


class Rows:
    """Keys of the rows in the batch at hand, int32 [batch]; the client loop sets them."""

    keys: Tensor | None = None


class PlaceDropout(nn.Module):
    """What stands in a PEFT LoRA layer for torch's dropout; the identity outside training."""

    def __init__(self, p: float, site: int, rows: Rows) -> None:
        super().__init__()
        self.p, self.site, self._rows = p, site, rows

    def forward(self, x: Tensor) -> Tensor:
        """`x`: float [batch, tokens, features]; kept entries are scaled by 1 / (1 - p)."""
        if not self.training:
            return x
        assert self._rows.keys is not None, "a step has to say which rows these are"
        keys = self._rows.keys.view(-1, 1, 1)
        found = hashes(keys, places(self.site, x.shape[-2], x.shape[-1], x.device))
        return x * (kept(found, self.site, self.p) & 1) / (1 - self.p)
