"""Exact top-k masks by magnitude.

FLASC ranks all entries of downloads and uploads at once by magnitude (Kuo et al., arXiv
2406.05233). Here ties are resolved by index, so a mask is a function of the values alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flasc.common.errors import DivergedError

if TYPE_CHECKING:
    import torch

_INFINITY_BITS = 0x7F800000


def count(n: int, density: float) -> int:
    """How many of `n` entries a density in (0, 1] keeps: int(n * density), but at least one.

    Truncated as in the paper's reference code. Without any entry nothing would be learned, and
    there would be no threshold.
    """
    assert n >= 1, f"a vector of {n} entries has nothing to keep"
    assert 0 < density <= 1, f"a density lies in (0, 1], found {density}"
    return max(1, int(n * density))


def top_k(values: torch.Tensor, k: int) -> torch.Tensor:
    """Mask of exactly the `k` largest |values|; ties go to the lowest index.

    `values` is float32 [n] on any device with 1 <= k <= n; the mask is bool [n] on the same device.
    0.0 and -0.0 are equal. Raises DivergedError if a value is not finite.
    """
    import torch

    n = values.numel()
    assert values.dim() == 1, f"one flat vector, found shape {tuple(values.shape)}"
    assert values.dtype == torch.float32, f"float32, found {values.dtype}"
    assert 1 <= k <= n, f"cannot keep {k} of {n} entries"
    # The bits of IEEE 754 magnitudes have the order of the magnitudes. Integers are ranked faster
    # than floats, have no NaN, and distinguish denormals even if the processor flushes them to
    # zero.
    bits = values.detach().abs().view(torch.int32)
    if int(bits.max()) >= _INFINITY_BITS:
        found = int((bits >= _INFINITY_BITS).sum())
        raise DivergedError(
            f"{found} of {n} values to rank are infinite or not a number",
            hint="lower the learning rate of the clients or the server",
        )
    threshold = bits.kthvalue(n - k + 1).values
    mask = bits > threshold
    ties = (bits == threshold).nonzero().squeeze(1)
    mask[ties[: k - int(mask.sum())]] = True
    return mask
