"""The reference local training: one client at a time, simple enough to check by reading.

Tests compare faster engines (`cohort`) with this one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from flasc.common import rng
from flasc.data.examples import Examples
from flasc.data.objective import NextToken, Objective, SingleLabel, Tally
from flasc.methods.base import Mask, Penalty
from flasc.models.adapter import Adapter
from flasc.training.client_optimiser import ClientOptimiser
from flasc.training.settings import Client

EVALUATION_BATCH = 64
EVALUATION_LOGITS = 1 << 28  # of a batch at most: 1 GiB
Scored = tuple[Tally, float]  # counts of the metric, and the sum of losses


@dataclass(frozen=True, slots=True)
class Draw:
    """Names the random draws of one client's training by (seed, server version, client)."""

    seed: int
    version: int
    client: int

    def order(self, n: int, epoch: int) -> np.ndarray:
        """The order of `n` examples in an epoch: int64 [n]."""
        return rng.stream(self.seed, "batches", self.version, self.client, epoch).permutation(n)

    def rows(self, step: int, n: int) -> Tensor:
        """Keys of the rows of a batch for LoRA's dropout: int32 [n]."""
        stream = rng.stream(self.seed, "dropout", self.version, self.client, step)
        return torch.from_numpy(stream.integers(-(2**31), 2**31, n, dtype=np.int32))

    def dropout_key(self) -> int:
        """Seed of torch's generator for the base model's dropout."""
        return rng.key(self.seed, "dropout", self.version, self.client)


def batches(examples: np.ndarray, settings: Client, draw: Draw) -> Iterator[np.ndarray]:
    """Shuffled batches of example indices over all epochs; the last of an epoch may be smaller."""
    for epoch in range(settings.epochs):
        order = examples[draw.order(len(examples), epoch)]
        for start in range(0, len(order), settings.batch):
            yield order[start : start + settings.batch]


@dataclass(frozen=True)
class Job:
    """The training of one client: from `start` (float32 [n]) on `examples` (int64 indices).

    Entries outside `trainable` keep their start value exactly. `penalty` is added to the gradient.
    """

    start: Tensor
    examples: np.ndarray
    trainable: Mask
    draw: Draw
    penalty: Penalty | None = None


@dataclass(frozen=True)
class Trained:
    """delta = start - trained, float32 [n], which the server uses as a gradient; client steps."""

    delta: Tensor
    steps: int


class Reference:
    """Trains clients one after another through the model's own forward pass, in float32."""

    name, precision = "reference", "fp32"
    caches_features = False  # see `Cohort`

    def __init__(
        self, adapter: Adapter, settings: Client, objective: Objective | None = None
    ) -> None:
        self.adapter, self.settings = adapter, settings
        self.objective = objective or SingleLabel()
        self.device = adapter.parameters[0].device

    def train(self, jobs: Sequence[Job], data: Examples) -> list[Trained]:
        """Train each job's client on its examples of `data`; in the order of `jobs`."""
        return [train(self.adapter, job, data, self.settings) for job in jobs]

    def score(self, vector: Tensor, data: Examples, count: int) -> tuple[int, int, float]:
        """Metric numerator and denominator, and summed loss, of the first `count` examples."""
        return ratio(*total(self.score_part(vector, data, p) for p in self.parts(data, count)))

    def parts(self, data: Examples, count: int) -> list[np.ndarray]:
        """The evaluation batches of the first `count` examples: int64 indices."""
        size = EVALUATION_BATCH
        if data.labels.ndim == 2 and isinstance(self.objective, NextToken):
            # A language model has a logit for each token of its vocabulary at each position.
            config: Any = self.adapter.model.config
            words = int(config.get_text_config().vocab_size)
            size = max(1, min(size, EVALUATION_LOGITS // (words * data.labels.shape[1])))
        return [np.arange(start, min(start + size, count)) for start in range(0, count, size)]

    def score_part(self, vector: Tensor, data: Examples, part: np.ndarray) -> Scored:
        """Metric counts and summed loss of one batch."""
        self.adapter.write(vector)
        with torch.inference_mode():
            batch = data.batch(part, self.device)
            labels = batch.pop("labels")
            logits = self.adapter.model(**batch).logits
            losses = self.objective.losses(logits, labels)
            return self.objective.tally(logits, labels), float(losses.double().sum())


def total(parts: Iterable[Scored]) -> Scored:
    """The sums of metric counts and losses, in order."""
    tallies, losses = zip(*parts, strict=True)
    return sum(tallies[1:], start=tallies[0]), sum(losses)


def ratio(tally: Tally, loss: float) -> tuple[int, int, float]:
    """Numerator and denominator over all labels, and the loss."""
    right, of = tally[:, :2].sum(axis=0).tolist()
    return right, of, loss


def train(adapter: Adapter, job: Job, data: Examples, settings: Client) -> Trained:
    """Train one client, step by step."""
    adapter.write(job.start)
    one = [parameter.detach().unsqueeze(0) for parameter in adapter.parameters]  # of one client
    optimiser = ClientOptimiser(settings, one)
    trainable = None
    if job.trainable is not None:
        trainable = [mask.unsqueeze(0) for mask in adapter.views(job.trainable)]
    device = job.start.device
    steps = 0
    # The base model's dropout has its own generator state, which is restored afterwards.
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(job.draw.dropout_key())
        with adapter.training(base_dropout=settings.base_dropout):
            for batch in batches(job.examples, settings, job.draw):
                adapter.model.zero_grad()
                adapter.rows.keys = job.draw.rows(steps, len(batch)).to(device)
                adapter.model(**data.batch(batch, device)).loss.backward()
                if job.penalty is not None:
                    for gradient, more in _gradients(adapter, job.penalty(adapter.read())):
                        gradient.add_(more)
                if job.trainable is not None:  # entries without gradient never change
                    for gradient, kept in _gradients(adapter, job.trainable):
                        gradient.mul_(kept)
                found = [parameter.grad for parameter in adapter.parameters]
                gradients = [None if each is None else each.unsqueeze(0) for each in found]
                optimiser.step(one, gradients, trainable)
                steps += 1
    adapter.model.zero_grad()
    return Trained(job.start - adapter.read(), steps)


def _gradients(adapter: Adapter, vector: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """The gradient of each parameter, with its entries of `vector`."""
    for parameter, values in zip(adapter.parameters, adapter.views(vector), strict=True):
        assert parameter.grad is not None
        yield parameter.grad, values
