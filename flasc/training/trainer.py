"""Real training for the emulator, by PyTorch and PEFT, with encoded messages.

A client starts from what it decodes from the bytes that it was sent, and the server steps by what
it decodes from the bytes of uploads. Clients and server exchange nothing else.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from flasc.common import rng
from flasc.common.errors import DivergedError
from flasc.common.messages import Message, Request, Score, TrainingMetadata
from flasc.data.examples import Examples
from flasc.methods.base import Mask, Method, ReceivedModel, VectorLayout
from flasc.models.adapter import Adapter
from flasc.tasks.base import Task
from flasc.training import client, engine, error_feedback, saliency
from flasc.training.aggregation import combined, weighted_sum
from flasc.training.engine import Part
from flasc.training.metadata import describe, provenance as provenance
from flasc.training.out_of_memory import explained
from flasc.training.payload import PayloadCodec
from flasc.training.privacy import noisy_mean
from flasc.training.server import Optimiser
from flasc.training.settings import Aggregation, Precision, TrainingSettings
from flasc.training.shared_models import SharedModels

_LOWER = "lower training.client.lr or training.server.lr, or the method's own rates"


class Trainer:
    """One training: a server vector, its optimiser and method, and clients with data.

    The state is `version`, the server's vectors and the method's memory; everything else follows
    from the settings. Two trainers with equal settings and equal calls give the same bytes and
    scores on the same kind of machine.
    """

    def __init__(
        self,
        settings: TrainingSettings,
        task: Task,
        device: torch.device,
        shared: SharedModels | None = None,
    ) -> None:
        self.settings, self.task, self.device = settings, task, device
        scope = settings.method.scope
        key = rng.key(settings.seed, "init")
        asked = task.model, task.head, len(task.classes), key, task.objective.problem
        base = (shared or SharedModels()).pretrained(*asked, frozen=scope != "all")
        with torch.random.fork_rng([]):
            torch.manual_seed(key)
            self.adapter = Adapter(base, settings.lora, scope)
        layout = VectorLayout(
            self.adapter.spans, settings.lora.rank, settings.seed, len(task.clients)
        )
        self._method: Method = settings.method.build(layout)
        self.adapter.model.to(device)
        self.engine = self._engine(settings.precision)
        other = settings.evaluation_precision
        # Of another precision: an engine of its own, with its own copy of the frozen weights.
        self._scorer = self.engine if other is None else self._engine(other)
        # A GPU trains the cohort in one batch, and cached features are in this process only.
        spread = device.type == "cpu" and not self.engine.caches_features
        self._helpers = shared.helpers if shared and spread else None
        self._payload = PayloadCodec(settings.wire, self.adapter.n, settings.seed, device)
        self._memories = error_feedback.Memories()
        self._server = Optimiser(self.adapter.read(), settings.server)
        self.version = 0
        self._method.on_new_version(self.params, 0)
        self._masks: dict[int, Mask] = {}  # of the downloads of this version, by tier
        self._contents: dict[int, bytes] = {}
        # The paper evaluates the new model with the mask of the round that made it.
        self._round_mask: Mask = self._download_mask(self._method.evaluation_tier)

    def _engine(self, precision: Precision) -> engine.Engine:
        return engine.build(self.adapter, self.settings, self.device, self.task, precision)

    @property
    def params(self) -> Tensor:
        """The server's dense vector, float32 [n]."""
        return self._server.params

    def _download_mask(self, tier: int) -> Mask:
        if tier not in self._masks:
            self._masks[tier] = self._method.download_mask(self.params, self.version, tier)
        return self._masks[tier]

    def _encode_download(self, tier: int) -> bytes:
        wire: str = self.settings.wire.format
        mask = self._download_mask(tier)
        if self.settings.method.download_support_known and mask is not None:
            wire = "aligned"
        elif self.settings.method.upload_support_known and wire in ("auto", "dense"):
            wire = "indexed"  # a dense message would not tell the client its mask
        return self._payload.encode(self.params, mask, wire, "down", self.version, tier)

    @explained("making a download")
    def download(self, client: int) -> Message:
        """The current version for `client`; the bytes are the same for all clients of its tier."""
        tier = self._method.tier(client)
        if tier not in self._contents:
            self._contents[tier] = self._encode_download(tier)
        return Message(
            client,
            self._payload.value_bytes(self._download_mask(tier), "down"),
            version=self.version,
            content=self._contents[tier],
            tier=tier,
            asks=self._method.request(self.version),
            memory=self._memories[client],
        )

    def _received(self, download: Message) -> ReceivedModel:
        """The model that the client decodes from the bytes of `download`."""
        client, version, tier = download.client, download.version, download.tier
        known = None
        if self.settings.method.download_support_known:
            known = self._method.download_mask(self.params, version, tier)
        start, support = self._payload.decode(download.content, known)
        return ReceivedModel(start, support, version, tier, client)

    def _received_models(self, downloads: Sequence[Message]) -> list[ReceivedModel]:
        """The model of each client; equal contents are decoded once."""
        found: dict[tuple[bytes, int, int], ReceivedModel] = {}
        for download in downloads:
            key = download.content, download.version, download.tier
            if key not in found:
                found[key] = self._received(download)
        known = ((one.client, found[one.content, one.version, one.tier]) for one in downloads)
        return [replace(model, client=client) for client, model in known]

    @explained("training")
    def train(self, downloads: Sequence[Message]) -> list[Message]:
        """Train each client from its download. Raises DivergedError and ModelError."""
        received = self._received_models(downloads)
        jobs = [
            client.Job(
                one.start,
                self.task.clients[download.client],
                self._method.trainable_mask(one),
                client.Draw(self.settings.seed, download.version, download.client),
                self._method.penalty(one),
            )
            for download, one in zip(downloads, received, strict=True)
        ]
        requests = [download.asks for download in downloads]
        todo = [job for job, request in zip(jobs, requests, strict=True) if request == "update"]
        trained = iter(self._train(todo))
        done = [
            next(trained) if request == "update" else self._measure(job, request)
            for job, request in zip(jobs, requests, strict=True)
        ]
        return [self._upload(*each) for each in zip(downloads, received, done, strict=True)]

    def _train(self, jobs: Sequence[client.Job]) -> list[client.Trained]:
        if self._helpers is None:
            return self.engine.train(jobs, self.task.train)
        longest_first = sorted(range(len(jobs)), key=lambda i: -len(jobs[i].examples))
        found = self._helpers.carry_out([jobs[i] for i in longest_first], self.work)
        by_job = dict(zip(longest_first, found, strict=True))
        return [by_job[i] for i in range(len(jobs))]

    @explained("training or evaluating")
    def work(self, piece: client.Job | Part) -> Any:
        """Compute one piece of a training with these settings, for any version.

        The result is a Trained for a job and a Scored for a part of an evaluation, with the same
        bits in any process.
        """
        if isinstance(piece, client.Job):
            return self.engine.train([piece], self.task.train)[0]
        return self._scorer.score_part(piece.vector, self._split(piece.split), piece.indices)

    def _split(self, name: str) -> Examples:
        return {"validation": self.task.validation, "test": self.task.test}[name]

    def _measure(self, job: client.Job, request: Request) -> client.Trained:
        """The requested measurement on the client's first examples."""
        first = job.examples[: self._method.examples]
        found = saliency.measure(self.adapter, job.start, self.task.train, first, request)
        return client.Trained(found, steps=0)

    def _examples(self, download: Message) -> int:
        """Number of examples that a client processes, forward and backward."""
        held = len(self.task.clients[download.client])
        if download.asks == "update":
            return held * self.settings.client.epochs
        return min(held, self._method.examples) * saliency.PASSES[download.asks]

    def _upload(
        self, download: Message, received: ReceivedModel, trained: client.Trained
    ) -> Message:
        is_update = download.asks == "update"
        delta = error_feedback.add(trained.delta, download.memory) if is_update else trained.delta
        if not torch.isfinite(delta).all():
            raise DivergedError(
                f"client {download.client} diverged in round {download.version + 1}", _LOWER
            )
        up = self._method.upload_mask(delta, received)
        wire: str = self.settings.wire.format
        if self.settings.method.upload_support_known and up is not None:
            wire = "aligned" if up is received.down else "indexed"
        content = self._payload.encode(delta, up, wire, "up", download.version, download.client)
        memory = download.memory
        if self.settings.method.error_feedback and is_update:
            sent, _ = self._payload.decode(content, up if wire == "aligned" else None)
            memory = error_feedback.remember(delta - sent)
        return Message(
            download.client,
            self._payload.value_bytes(up, "up"),
            version=download.version,
            content=content,
            examples=self._examples(download),
            steps=trained.steps,
            tier=download.tier,
            asks=download.asks,
            answers=download,
            memory=memory,
        )

    @explained("aggregating updates")
    def aggregate(self, uploads: Sequence[Message], weights: Sequence[float]) -> None:
        """Step by the weighted sum of the updates; measurements go to the method instead."""
        self._round_mask = self._download_mask(self._method.evaluation_tier)
        known = self.settings.method.upload_support_known
        answered = (upload.answers for upload in uploads if known)
        received = [self._received(download) for download in answered if download]
        deltas, supports = [], []
        for upload, one in zip_longest(uploads, received):
            delta, sent = self._payload.decode(upload.content, one.down if one else None)
            self._method.on_upload(upload.client, sent)
            deltas.append(delta)
            supports.append(sent)
        weights = self._method.weigh(weights, received, deltas)
        merged = list(zip(uploads, deltas, weights, supports, strict=True))
        measured = [(d, w) for u, d, w, _ in merged if u.asks != "update"]
        updates = [(d, w, s, u.examples) for u, d, w, s in merged if u.asks == "update"]
        if measured:
            self._method.on_measurement(self.params, weighted_sum(*zip(*measured, strict=True)))
        if updates or self.settings.dp:
            self._server.step(self._merged(updates))
        # After the step: updates that were not aggregated are still to be sent.
        for upload in uploads:
            self._memories[upload.client] = upload.memory
        self.version += 1
        self._method.on_new_version(self.params, self.version)
        self._masks, self._contents = {}, {}

    def _merged(self, updates: Sequence[tuple[Tensor, float, Mask, int]]) -> Tensor:
        how = self.settings.aggregation
        if (dp := self.settings.dp) is None:
            return combined(how, *zip(*updates, strict=True))
        is_equal = how == Aggregation() and all(
            weight == 1 / dp.cohort for _, weight, *_ in updates
        )
        assert is_equal, "the accountant assumes equal weights"
        stream = rng.stream(self.settings.seed, "privacy", self.version)
        return noisy_mean([delta for delta, *_ in updates], dp, stream, self.params)

    def _evaluated(self) -> Tensor:
        return self.params if self._round_mask is None else self.params * self._round_mask

    @explained("evaluating")
    def evaluate(self, split: str) -> Score:
        """Score the current version on the first examples of 'validation' or 'test'.

        Raises DivergedError and ModelError.
        """
        examples = self._split(split)
        count = min(len(examples), self.settings.evaluation_examples or len(examples))
        vector = self._evaluated()
        parts = [Part(vector, split, part) for part in self._scorer.parts(examples, count)]
        helpers = self._helpers
        done = map(self.work, parts) if helpers is None else helpers.carry_out(parts, self.work)
        tally, loss = client.total(done)
        if not math.isfinite(loss):
            raise DivergedError(
                f"the model of round {self.version} diverged: its loss is {loss}", _LOWER
            )
        by_label = tally[:, :2].tolist() if len(tally) > 1 else []
        value = self.task.objective.value(tally)
        return Score(count, value, loss / count, tuple((hits, asked) for hits, asked in by_label))

    def release(self, messages: Sequence[Message]) -> None:
        """Does nothing: messages hold all their memory."""

    @explained("counting the operations of one example")
    def metadata(self, require_flops: bool = False) -> TrainingMetadata:  # noqa: ARG002
        """Facts about this training that do not depend on the simulation."""
        return describe(self.adapter, self.params, self.task)

    def snapshot(self) -> dict[str, np.ndarray]:
        """The whole state as arrays by name, for `restore`."""
        state = {f"server.{name}": value for name, value in self._server.state().items()}
        state |= {f"method.{name}": value for name, value in self._method.state().items()}
        state |= {f"memory.{client}": kept for client, kept in self._memories.state().items()}
        if self._round_mask is not None:
            state["round_mask"] = self._round_mask
        state["version"] = torch.tensor(self.version)
        return {name: value.cpu().numpy() for name, value in state.items()}

    @explained("restoring a state")
    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Restores a snapshot exactly."""
        state = {name: torch.from_numpy(array).to(self.device) for name, array in arrays.items()}

        def part(prefix: str) -> dict[str, Tensor]:
            return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}

        self._server.restore(part("server."))
        self._method.restore(part("method."))
        self._memories.restore(part("memory."))
        self._round_mask = state.get("round_mask")
        self.version = int(state["version"])
        self._masks, self._contents = {}, {}

    def export(self, folder: Path) -> None:
        """Write the evaluated model: a PEFT adapter, or all weights if all are trained."""
        self.adapter.write(self._evaluated())
        self.adapter.save(folder)


def make(
    settings: TrainingSettings,
    *,
    device: str = "auto",
    cache: Path | None = None,
    notify: Callable[[str], None] = lambda _: None,
    shared: SharedModels | None = None,
) -> Trainer:
    """A trainer at version 0; its data and weights come from `shared` or are fetched.

    Uses one torch thread on a CPU: trainings run in several processes instead, and results do not
    depend on the number of cores.
    """
    chosen = engine.pick_device(device)
    if chosen.type == "cpu":
        torch.set_num_threads(1)
    shared = shared or SharedModels()
    with explained("loading data and model"):
        task = shared.task(settings.task, settings.seed, cache, notify)
        return Trainer(settings, task, chosen, shared)
