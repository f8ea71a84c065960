"""Whole cohorts at once, equal to the reference loop in `flasc.training.client`, which is the
judge."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from flasc.data.examples import Examples
from flasc.data.objective import Objective, SingleLabel
from flasc.models.adapter import Adapter
from flasc.training.client import Job, Scored, Trained, batches, ratio, total
from flasc.training.cohort.encoder import Encoder, read
from flasc.training.cohort.forward import Dropper, Leaves, Pass
from flasc.training.cohort.memory import Memory, Rows
from flasc.training.cohort.merge import block_sites, merged, sites_of
from flasc.training.cohort.pack import Packed, pack
from flasc.training.settings import Client, Precision

# A batch: on a CPU its activations stay in the cache; more would not fill a GPU any better.
BATCH_TOKENS = {"cpu": 1024, "cuda": 4096}
LOWER_BYTES = 1 << 29  # of what frozen lower layers make of examples, by an engine
DTYPES = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16}


class Cohort:
    """Trains clients of one model in groups, and scores vectors on it.

    On a CPU a group is one client: batching them gains nothing where one batch fills the
    processor, and alone each has the same bits whoever else is in its cohort. On a GPU it is the
    whole cohort, halved for as long as memory runs out.
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
        """`group`: the most clients at once; None: by device."""
        self.adapter, self.settings, self.precision = adapter, settings, precision
        self.objective = objective or SingleLabel()
        self.device = adapter.parameters[0].device
        self.group = group or (1 if self.device.type == "cpu" else 1 << 30)
        self._encoder = read(adapter).to(DTYPES[precision])
        # With nothing trained before the head, what it sees of an example never changes: to look
        # at it again, or in another process, would cost more than all else.
        self.remembers = not any(block_sites(self._encoder))
        # The same goes for the layers below the lowest one that is trained.
        trained = [bool(list(sites_of(block))) for block in self._encoder.blocks]
        self._lower = 0 if self.remembers else trained.index(True)
        self._memory = Memory(LOWER_BYTES)
        self._scored: tuple[Tensor, Encoder, dict[int, Tensor]] | None = None
        self._seen: dict[tuple[int, int], Tensor] = {}
        self._tokens: int | None = None

    def train(self, jobs: Sequence[Job], data: Examples) -> list[Trained]:
        """Train each job's client on its examples of `data`; in the order of `jobs`."""
        # By length, so that those with a step to do are always the first ones of a group.
        order = sorted(range(len(jobs)), key=lambda i: -len(jobs[i].examples))
        found: dict[int, Trained] = {}
        self._scored = None  # merged weights are large
        while order:
            group = order[: self.group]
            try:
                with _tf32(self.precision == "tf32"):
                    trained = self._train_group([jobs[i] for i in group], data)
            except torch.cuda.OutOfMemoryError:
                if len(group) == 1:
                    raise
                self.group = (len(group) + 1) // 2
                torch.cuda.empty_cache()
                continue
            found.update(zip(group, trained, strict=True))
            order = order[len(group) :]
        return [found[i] for i in range(len(jobs))]

    def _train_group(self, jobs: Sequence[Job], data: Examples) -> list[Trained]:
        start = torch.stack([job.start for job in jobs])
        state, momentum = start.clone(), torch.zeros_like(start)
        trains = None
        if any(job.trains is not None for job in jobs):
            whole = torch.ones_like(start[0], dtype=torch.bool)
            trains = torch.stack([whole if job.trains is None else job.trains for job in jobs])
        if self.remembers:
            for job in jobs:
                self._look(data, job.examples)
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
            momentum[:active].mul_(self.settings.momentum).add_(gradient)
            state[:active].add_(momentum[:active], alpha=-self.settings.lr)
        return [Trained(delta, len(plan)) for delta, plan in zip(start - state, plans, strict=True)]

    def _gradient(
        self,
        state: Tensor,
        data: Examples,
        chosen: Sequence[NDArray[np.int64]],
        rows: Tensor,
        below: Sequence[Rows],
    ) -> Tensor:
        """Of each client's own mean loss, by its own vector: float32 [clients, n]."""
        batch = self._pack(data, chosen)
        leaves = self._leaves(state)
        one = self._pass(batch, leaves, Dropper(rows.to(self.device), batch.length))
        logits = self._logits(one, data, chosen, below)
        losses = self.objective.losses(logits, batch.labels)
        counts = torch.tensor([b - a for a, b in batch.row_runs], device=self.device)
        weights = (1 / counts).repeat_interleave(counts, output_size=batch.rows)
        found = torch.autograd.grad((losses * weights).sum(), list(leaves.values()))
        return torch.cat([gradient.flatten(1) for gradient in found], dim=1)

    def _logits(
        self,
        one: Pass,
        data: Examples,
        chosen: Sequence[NDArray[np.int64]],
        below: Sequence[Rows],
    ) -> Tensor:
        """float32 [examples, classes], as far as can be from what is known of the examples."""
        if self.remembers:
            return one.head(self._features(data, np.concatenate(chosen)))
        if not self._lower:
            return one.logits()
        pairs = zip(chosen, below, strict=False)
        x = torch.cat([rows[i] for indices, rows in pairs for i in indices.tolist()])
        return one.head(one.pooled(x, self._lower))

    def _below(self, data: Examples, unit: NDArray[np.int64]) -> Rows:
        """What the frozen lower layers make of examples that are always asked for together."""
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
        """Every trained parameter of float32 [clients, n], by its span's start; in its order."""
        return {
            span.start: vectors[:, span.start : span.stop]
            .view(len(vectors), *parameter.shape)
            .detach()
            .requires_grad_()
            for span, parameter in zip(self.adapter.spans, self.adapter.parameters, strict=True)
        }

    def _pass(self, batch: Packed, leaves: Leaves, dropper: Dropper | None = None) -> Pass:
        padded = self.device.type != "cpu"  # a GPU does one large thing sooner than many small ones
        return Pass(self._encoder, batch, leaves, dropper, padded=padded)

    def _pack(self, data: Examples, chosen: Sequence[NDArray[np.int64]]) -> Packed:
        encoder = self._encoder
        return pack(
            data,
            chosen,
            self.device,
            tokens=None if "attention_mask" in data.features else self._image_tokens(data),
            last=encoder.pool == "last",
            pad_token=encoder.pad_token,
        )

    def _image_tokens(self, data: Examples) -> int:
        if self._tokens is None:
            with torch.no_grad():
                one = {k: torch.from_numpy(v[:1]).to(self.device) for k, v in data.features.items()}
                self._tokens = self._encoder.embed(one).shape[1]
        return self._tokens

    def _batches(self, data: Examples, indices: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        """`indices` in batches of like length, longest first."""
        mask = data.features.get("attention_mask")
        if mask is None:
            lengths = np.full(len(indices), self._image_tokens(data))
        else:
            lengths = mask[indices].astype(bool).sum(1)
        order, at = np.argsort(-lengths, kind="stable"), 0
        most = BATCH_TOKENS.get(self.device.type, 4096)
        while at < len(order):
            size = max(1, most // max(1, int(lengths[order[at]])))
            yield indices[order[at : at + size]]
            at += size

    def _look(self, data: Examples, indices: NDArray[np.int64]) -> None:
        """Remember what the head sees of examples, where nothing before it is trained.

        A client's examples are looked at together, so that the bits are always the same.
        """
        missing = [int(i) for i in indices if (id(data), int(i)) not in self._seen]
        with torch.no_grad():
            for chosen in self._batches(data, np.array(missing, np.int64)):
                one = self._pass(self._pack(data, [chosen]), {})
                for index, row in zip(chosen, one.pooled(one.embedded()), strict=True):
                    self._seen[id(data), int(index)] = row.clone()

    def _features(self, data: Examples, indices: NDArray[np.int64]) -> Tensor:
        """[examples, width], from memory."""
        return torch.stack([self._seen[id(data), int(i)] for i in indices])

    def score(self, vector: Tensor, data: Examples, count: int) -> tuple[int, int, float]:
        """The metric's two numbers over the first `count` examples, and the sum of their losses."""
        return ratio(*total(self.score_part(vector, data, p) for p in self.parts(data, count)))

    def parts(self, data: Examples, count: int) -> list[NDArray[np.int64]]:
        """The first `count` examples as the batches that they are scored in."""
        return list(self._batches(data, np.arange(count)))

    def score_part(self, vector: Tensor, data: Examples, part: NDArray[np.int64]) -> Scored:
        """What one batch adds to the score."""
        encoder, leaves = self._merged(vector)
        if self.remembers:
            self._look(data, part)
        below = self._below(data, part)
        with torch.inference_mode(), _tf32(self.precision == "tf32"):
            batch = self._pack(data, [part])
            one = replace(self._pass(batch, leaves), encoder=encoder)
            logits = self._logits(one, data, [part], [below])
            losses = self.objective.losses(logits, batch.labels)
            return self.objective.tally(logits, batch.labels), float(losses.double().sum())

    def _merged(self, vector: Tensor) -> tuple[Encoder, dict[int, Tensor]]:
        """Encoder and leaves of `vector`, whose batches come one after the other."""
        if self._scored is None or not torch.equal(self._scored[0], vector):
            encoder = self._encoder if self.remembers else merged(self._encoder, vector)
            vector = vector.clone()  # the caller may go on with it
            self._scored = vector, encoder, self._leaves(vector.unsqueeze(0))
        return self._scored[1:]


class _tf32:  # noqa: N801  a context manager, named as one uses it
    """TF32 for float32 products on a GPU inside the block; torch has this as a global switch."""

    def __init__(self, on: bool) -> None:
        self._on = on

    def __enter__(self) -> None:
        self._before = torch.backends.cuda.matmul.allow_tf32
        torch.backends.cuda.matmul.allow_tf32 = self._on

    def __exit__(self, *_: object) -> None:
        torch.backends.cuda.matmul.allow_tf32 = self._before
