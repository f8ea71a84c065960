"""Gradients of the loss where a client starts, for scores that fix a mask.

In float32 through the model's own forward pass, dropout off: a score should not depend on a draw.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from flasc.data.examples import Examples
from flasc.models.adapter import Adapter
from flasc.training.client import EVALUATION_BATCH

# What measuring costs a client, in examples forward and backward: a backward pass through a
# backward pass is counted as two.
PASSES = {"gradient": 1, "curvature": 3}


def measure(
    adapter: Adapter, start: Tensor, data: Examples, chosen: NDArray[np.int64], what: str
) -> Tensor:
    """At `start`, float32 [n], of the mean loss on the `chosen` examples of `data`: float32 [n].

    `gradient` is g, `curvature` H g (Wang et al., arXiv 2002.07376, equation 8). Zero where nothing
    is chosen.
    """
    adapter.write(start)
    batches = [chosen[at : at + EVALUATION_BATCH] for at in range(0, len(chosen), EVALUATION_BATCH)]
    g = torch.zeros_like(start)
    for batch in batches:
        g += _flat(_gradients(adapter, data, batch, len(chosen), graph=False))
    if what == "gradient":
        return g
    found = torch.zeros_like(start)
    for batch in batches:
        gradients = _gradients(adapter, data, batch, len(chosen), graph=True)
        products = [
            (gradient * g[span.start : span.stop].view_as(gradient)).sum()
            for span, gradient in zip(adapter.spans, gradients, strict=True)
        ]
        found += _flat(torch.autograd.grad(torch.stack(products).sum(), adapter.parameters))
    return found


def _gradients(
    adapter: Adapter, data: Examples, batch: NDArray[np.int64], count: int, *, graph: bool
) -> tuple[Tensor, ...]:
    """Of the batch's part of the mean loss over `count` examples."""
    device = adapter.parameters[0].device
    with sdpa_kernel(SDPBackend.MATH):  # the fused ones cannot be differentiated twice
        loss = adapter.model(**data.batch(batch, device)).loss * (len(batch) / count)
        return torch.autograd.grad(loss, adapter.parameters, create_graph=graph)


def _flat(gradients: Sequence[Tensor]) -> Tensor:
    return torch.cat([gradient.reshape(-1) for gradient in gradients]).detach()
