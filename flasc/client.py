"""The reference local loop: one client, plain enough to check by eye.

Faster engines (`cohort`) are held against this one.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from flasc import rng
from flasc.adapter import Adapter
from flasc.config import Client
from flasc.methods import Mask
from flasc.tasks.base import Examples


@dataclass(frozen=True, slots=True)
class Draw:
    """Names the random draws of one client's training: (seed, server version, client)."""

    seed: int
    version: int
    client: int

    def order(self, n: int, epoch: int) -> np.ndarray:
        """The order of `n` examples in an epoch: int64 [n]."""
        return rng.stream(self.seed, "batches", self.version, self.client, epoch).permutation(n)

    def dropout_key(self) -> int:
        """Seeds torch's generator, for dropout."""
        return rng.key(self.seed, "dropout", self.version, self.client)


def batches(examples: np.ndarray, settings: Client, draw: Draw) -> Iterator[np.ndarray]:
    """Shuffled batches of example indices over all epochs; the last of an epoch may be short."""
    for epoch in range(settings.epochs):
        order = examples[draw.order(len(examples), epoch)]
        for start in range(0, len(order), settings.batch):
            yield order[start : start + settings.batch]


def train(
    adapter: Adapter,
    start: Tensor,
    data: Examples,
    examples: np.ndarray,
    settings: Client,
    trains: Mask,
    draw: Draw,
) -> tuple[Tensor, int]:
    """Train one client from `start` (float32 [n]) on `examples` (int64 indices into `data`).

    Returns delta = start - trained (float32 [n]; the server treats it as a gradient) and the
    number of steps. Entries outside `trains` keep their start value exactly.
    """
    adapter.write(start)
    optimiser = torch.optim.SGD(adapter.parameters, lr=settings.lr, momentum=settings.momentum)
    device = start.device
    steps = 0
    # A generator of its own for dropout, put back afterwards: no draw leaks in or out.
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(draw.dropout_key())
        with adapter.training(base_dropout=settings.base_dropout):
            for batch in batches(examples, settings, draw):
                optimiser.zero_grad()
                adapter.model(**data.batch(batch, device)).loss.backward()
                if trains is not None:
                    _mask_gradients(adapter, trains)
                optimiser.step()
                steps += 1
    optimiser.zero_grad()
    return start - adapter.read(), steps


def _mask_gradients(adapter: Adapter, trains: Tensor) -> None:
    """Zero the gradient outside the mask; with SGD from rest such entries never move."""
    for span, parameter in zip(adapter.spans, adapter.parameters, strict=True):
        assert parameter.grad is not None
        parameter.grad *= trains[span.start : span.stop].view_as(parameter)
