"""Trains whole cohorts at once, with the results of the reference in `flasc.training.client`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from flasc.data.examples import Examples
from flasc.data.objective import NextToken, Objective, SingleLabel
from flasc.models.adapter import Adapter
from flasc.training.client import Job, Scored, Trained, batches, ratio, total
from flasc.training.client_optimiser import ClientOptimiser
from flasc.training.cohort.forward import Dropper, Leaves, Pass
from flasc.training.cohort.lean_model import LeanModel, TokenHead
from flasc.training.cohort.memory import Memory, Rows
from flasc.training.cohort.merge import block_sites, merged, sites_of
from flasc.training.cohort.pack import Packed, pack
from flasc.training.cohort.reading import read
from flasc.training.cohort.token_loss import token_losses, token_scores
from flasc.training.settings import Client, Precision

# Tokens per batch: on a CPU its activations fit the cache; larger batches do not fill a GPU better.
BATCH_TOKENS = {"cpu": 1024, "cuda": 4096}
LOWER_BYTES = 1 << 29  # cached outputs of frozen lower layers, per engine
DTYPES = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16}


class Cohort:
    """Trains clients of one model in groups, and scores vectors on it.

    On a CPU a group is one client: batching gains nothing if one batch fills the processor, and a
    client's bits then do not depend on its cohort. On a GPU a group is the whole cohort, halved
    when memory runs out.
    """

    name = "cohort"

    def __init__(
        self,
        adapter: Adapter,
        settings: Client,
        precision: Precision,
        group: int | None = None,
        objective: Objective | None = None,
    ) -> None:
        """`group` is the largest number of clients at once; None chooses it by device."""
        self.adapter, self.settings, self.precision = adapter, settings, precision
        self.objective = objective or SingleLabel()
        self.device = adapter.parameters[0].device
        self.group = group or (1 if self.device.type == "cpu" else 1 << 30)
        self._model = read(adapter).to(DTYPES[precision])
        # If nothing below the head is trained, the head's input for an example never changes, and
        # computing it again, also in another process, would dominate the time.
        self.caches_features = not any(block_sites(self._model))
        # The same holds for the layers below the lowest trained one.
        trained = [bool(list(sites_of(block))) for block in self._model.blocks]
        self._lower = 0 if self.caches_features else trained.index(True)
        self._memory = Memory(LOWER_BYTES)
        self._scored: tuple[Tensor, LeanModel, dict[int, Tensor]] | None = None
        self._cached_features: dict[tuple[int, int], Tensor] = {}
        self._tokens: int | None = None

    def train(self, jobs: Sequence[Job], data: Examples) -> list[Trained]:
        """Train each job's client on its examples of `data`; in the order of `jobs`."""
        # By number of examples, so that the active clients are always the first of a group.
        order = sorted(range(len(jobs)), key=lambda i: -len(jobs[i].examples))
        found: dict[int, Trained] = {}
        self._scored = None  # merged weights are large
        while order:
            group = order[: self.group]
            trained: list[Trained] = []
            try:
                with _tf32(self.precision == "tf32"):
                    trained = self._train_group([jobs[i] for i in group], data)
            except torch.OutOfMemoryError:
                if len(group) == 1:
                    raise
                self.group = (len(group) + 1) // 2
            if not trained:  # here, as the exception held the tensors of the failed step
                torch.cuda.empty_cache()
            found.update(zip(group, trained, strict=False))
            order = order[len(trained) :]
        return [found[i] for i in range(len(jobs))]

    def _train_group(self, jobs: Sequence[Job], data: Examples) -> list[Trained]:
        start = torch.stack([job.start for job in jobs])
        state = start.clone()
        optimiser = ClientOptimiser(self.settings, [state])
        trains = None
        if any(job.trainable is not None for job in jobs):
            whole = torch.ones_like(start[0], dtype=torch.bool)
            masks = (job.trainable for job in jobs)
            trains = torch.stack([whole if mask is None else mask for mask in masks])
        if self.caches_features:
            for job in jobs:
                self._cache_features(data, job.examples)
        below = [self._below(data, job.examples) for job in jobs]
        plans = [list(batches(job.examples, self.settings, job.draw)) for job in jobs]
        for step in range(max(map(len, plans))):
            active = sum(len(plan) > step for plan in plans)
            chosen = [plan[step] for plan in plans[:active]]
            rows = [job.draw.rows(step, len(b)) for job, b in zip(jobs, chosen, strict=False)]
            gradient = self._gradient(state[:active], data, chosen, torch.cat(rows), below)
            for i, job in enumerate(jobs[:active]):
                if job.penalty is not None:
                    gradient[i] += job.penalty(state[i])
            if trains is not None:
                gradient *= trains[:active]
            mask = None if trains is None else [trains[:active]]
            optimiser.step([state[:active]], [gradient], mask)
        return [Trained(delta, len(plan)) for delta, plan in zip(start - state, plans, strict=True)]

    def _gradient(
        self,
        state: Tensor,
        data: Examples,
        chosen: Sequence[NDArray[np.int64]],
        rows: Tensor,
        below: Sequence[Rows],
    ) -> Tensor:
        """Gradient of each client's mean loss for its vector: float32 [clients, n]."""
        batch = self._pack(data, chosen)
        leaves = self._leaves(state)
        one = self._pass(batch, leaves, Dropper(rows.to(self.device), batch.length))
        losses = self._losses(one, self._features(one, data, chosen, below))
        counts = torch.tensor([b - a for a, b in batch.read_runs], device=self.device)
        weights = (1 / counts).repeat_interleave(counts, output_size=len(losses))
        found = torch.autograd.grad((losses * weights).sum(), list(leaves.values()))
        return torch.cat([gradient.flatten(1) for gradient in found], dim=1)

    def _losses(self, one: Pass, features: Tensor) -> Tensor:
        """Loss of each row, or of each label of a language model: float32 [outputs]."""
        if isinstance(one.model.head, TokenHead):
            return token_losses(features, one.model.head, one.batch.labels)
        return self.objective.losses(one.classify(features), one.batch.labels)

    def _features(
        self, one: Pass, data: Examples, chosen: Sequence[NDArray[np.int64]], below: Sequence[Rows]
    ) -> Tensor:
        """What the head reads, [outputs, width]; from cached features or layers if possible."""
        if self.caches_features:
            indices = np.concatenate(chosen).tolist()
            return torch.stack([self._cached_features[id(data), i] for i in indices])
        if not self._lower:
            return one.features(one.embedded())
        pairs = zip(chosen, below, strict=False)
        x = torch.cat([rows[i] for indices, rows in pairs for i in indices.tolist()])
        return one.features(x, self._lower)

    def _below(self, data: Examples, unit: NDArray[np.int64]) -> Rows:
        """The output of the frozen lower layers for examples that are always computed together."""
        if not self._lower:
            return {}
        return self._memory.get((id(data), unit.tobytes()), lambda: self._run_below(data, unit))

    def _run_below(self, data: Examples, unit: NDArray[np.int64]) -> Rows:
        found: Rows = {}
        with torch.no_grad():
            for chosen in self._batches(data, unit):
                batch = self._pack(data, [chosen])
                x = self._pass(batch, {}).below(self._lower)
                lengths = torch.bincount(batch.row, minlength=batch.rows).tolist()
                found.update(zip(chosen.tolist(), torch.split(x, lengths), strict=True))
        return found

    def _leaves(self, vectors: Tensor) -> dict[int, Tensor]:
        """The trained parameters of float32 [clients, n] in order, by the start of their spans."""
        return {
            span.start: vectors[:, span.start : span.stop]
            .view(len(vectors), *parameter.shape)
            .detach()
            .requires_grad_()
            for span, parameter in zip(self.adapter.spans, self.adapter.parameters, strict=True)
        }

    def _pass(self, batch: Packed, leaves: Leaves, dropper: Dropper | None = None) -> Pass:
        padded = self.device.type != "cpu"  # one large call is faster on a GPU than many small ones
        return Pass(self._model, batch, leaves, dropper, padded=padded)

    def _pack(self, data: Examples, chosen: Sequence[NDArray[np.int64]]) -> Packed:
        return pack(
            data,
            chosen,
            self.device,
            tokens=None if "attention_mask" in data.features else self._image_tokens(data),
            reads=self._model.reads,
            pad_token=self._model.pad_token,
        )

    def _image_tokens(self, data: Examples) -> int:
        if self._tokens is None:
            with torch.no_grad():
                one = {k: torch.from_numpy(v[:1]).to(self.device) for k, v in data.features.items()}
                self._tokens = self._model.embed(one).shape[1]
        return self._tokens

    def _batches(self, data: Examples, indices: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        """`indices` in batches of similar length, longest first."""
        if (mask := data.features.get("attention_mask")) is None:
            lengths = np.full(len(indices), self._image_tokens(data))
        else:
            lengths = mask[indices].astype(bool).sum(1)
        order, at = np.argsort(-lengths, kind="stable"), 0
        most = BATCH_TOKENS.get(self.device.type, 4096)
        while at < len(order):
            size = max(1, most // max(1, int(lengths[order[at]])))
            yield indices[order[at : at + size]]
            at += size

    def _cache_features(self, data: Examples, indices: NDArray[np.int64]) -> None:
        """Cache the head's input for examples, if nothing below the head is trained.

        The examples of a client are computed together, so that the bits are always the same.
        """
        missing = [i for i in indices.tolist() if (id(data), i) not in self._cached_features]
        with torch.no_grad():
            for chosen in self._batches(data, np.array(missing, np.int64)):
                one = self._pass(self._pack(data, [chosen]), {})
                for index, row in zip(chosen, one.features(one.embedded()), strict=True):
                    self._cached_features[id(data), int(index)] = row.clone()

    def score(self, vector: Tensor, data: Examples, count: int) -> tuple[int, int, float]:
        """Metric numerator and denominator, and summed loss, of the first `count` examples."""
        return ratio(*total(self.score_part(vector, data, p) for p in self.parts(data, count)))

    def parts(self, data: Examples, count: int) -> list[NDArray[np.int64]]:
        """The evaluation batches of the first `count` examples."""
        return list(self._batches(data, np.arange(count)))

    def score_part(self, vector: Tensor, data: Examples, part: NDArray[np.int64]) -> Scored:
        """Metric counts and summed loss of one batch."""
        model, leaves = self._merged(vector)
        if self.caches_features:
            self._cache_features(data, part)
        below = self._below(data, part)
        with torch.inference_mode(), _tf32(self.precision == "tf32"):
            batch = self._pack(data, [part])
            one = replace(self._pass(batch, leaves), model=model)
            features = self._features(one, data, [part], [below])
            if isinstance(model.head, TokenHead):
                assert isinstance(self.objective, NextToken), "checked by `supported`"
                return token_scores(features, model.head, batch, self.objective)
            logits = one.classify(features)
            losses = self.objective.losses(logits, batch.labels)
            return self.objective.tally(logits, batch.labels), float(losses.double().sum())

    def _merged(self, vector: Tensor) -> tuple[LeanModel, dict[int, Tensor]]:
        """Model and leaves of `vector`; all batches of an evaluation reuse them."""
        if self._scored is None or not torch.equal(self._scored[0], vector):
            model = self._model if self.caches_features else merged(self._model, vector)
            vector = vector.clone()  # the caller may change it
            self._scored = vector, model, self._leaves(vector.unsqueeze(0))
        return self._scored[1:]


@contextmanager
def _tf32(on: bool) -> Iterator[None]:
    """TF32 for float32 products on a GPU inside the block; torch has only a global switch."""
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = on
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before
