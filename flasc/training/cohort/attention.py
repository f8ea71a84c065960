"""Attention of several heads over rows of one length."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


def split_heads(flat: Tensor, rows: int, counts: Sequence[int], size: int) -> list[Tensor]:
    """From [rows * n, heads * size] to [rows, heads, n, size] for each number in `counts`."""
    parts = torch.split(flat, [count * size for count in counts], dim=1)
    return [part.view(rows, len(flat) // rows, -1, size).transpose(1, 2) for part in parts]


def attended(q: Tensor, k: Tensor, v: Tensor, **options: Any) -> Tensor:
    """Scaled dot-product attention; bf16 on a CPU is computed in float32.

    There may be fewer heads in `k` and `v` than in `q`. torch has no quick bf16 attention for CPUs:
    backward took 65 ms where float32 takes 8 (Zen 4, torch 2.13). The products before and after it
    stay bf16.
    """
    if q.shape[1] != k.shape[1]:
        options["enable_gqa"] = True
    if q.dtype is not torch.bfloat16 or q.device.type != "cpu":
        return F.scaled_dot_product_attention(q, k, v, **options)
    found = F.scaled_dot_product_attention(q.float(), k.float(), v.float(), **options)
    return found.to(q.dtype)
