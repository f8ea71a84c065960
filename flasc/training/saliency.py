"""Gradients of the loss at a client's start, for scores that fix a mask.

Computed in float32 through the model's own forward pass without dropout: a score should not depend
on random draws.
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

# Work of a measurement in examples, each forward and backward. A backward pass through a backward
# pass counts as two.
PASSES = {"gradient": 1, "curvature": 3}


def measure(
    adapter: Adapter, start: Tensor, data: Examples, chosen: NDArray[np.int64], what: str
) -> Tensor:
    """The gradient g, or for `curvature` H g, of the mean loss at `start`: float32 [n].

    The loss is over the `chosen` examples of `data`; zero if there are none. (H g: Wang et al.,
    arXiv 2002.07376, equation 8.)
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
        pairs = zip(gradients, adapter.views(g), strict=True)
        products = [(gradient * value).sum() for gradient, value in pairs]
        found += _flat(torch.autograd.grad(torch.stack(products).sum(), adapter.parameters))
    return found


def _gradients(
    adapter: Adapter, data: Examples, batch: NDArray[np.int64], count: int, *, graph: bool
) -> tuple[Tensor, ...]:
    """Gradients of the batch's part of the mean loss over `count` examples."""
    device = adapter.parameters[0].device
    with sdpa_kernel(SDPBackend.MATH):  # fused kernels cannot be differentiated twice
        loss = adapter.model(**data.batch(batch, device)).loss * (len(batch) / count)
        return torch.autograd.grad(loss, adapter.parameters, create_graph=graph)


def _flat(gradients: Sequence[Tensor]) -> Tensor:
    return torch.cat([gradient.reshape(-1) for gradient in gradients]).detach()
