"""The interface between simulated time and training: what a round policy asks of a trainer.

A policy calls a trainer from SimPy processes. Training takes no simulated time by itself: compute
seconds come from the fleet's compute model, never from the clock of this machine.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from typing_extensions import override

from flasc.common.messages import MessageInfo, Score, TrainingMetadata


class Trainer(Protocol):
    """A federated training that proceeds in rounds."""

    def download(self, client: int) -> MessageInfo:
        """The message that `client` would download at the current version."""

    def train(self, downloads: Sequence[MessageInfo]) -> Sequence[MessageInfo]:
        """Train each client from its download; returns one upload each, in the same order."""

    def aggregate(self, uploads: Sequence[MessageInfo], weights: Sequence[float]) -> None:
        """Step the server by the weighted sum of the updates."""

    def evaluate(self, split: str) -> Score:
        """Score the current version on 'validation' or 'test'."""

    def release(self, messages: Sequence[MessageInfo]) -> None:
        """Free what is held for these messages: none will be trained or aggregated."""

    def metadata(self, require_flops: bool = False) -> TrainingMetadata:
        """What is known of the training; with `require_flops` the operations are, at any cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedUpload(MessageInfo):
    """An upload of a message log.

    `seconds` is the logged time of the local training; None: that of the scenario's compute model.
    A `failed` upload has the bytes that were sent, and no update.
    """

    seconds: float | None = None
    failed: bool = False


class StubTrainer(Trainer):
    """Trains nothing: fixed message sizes and a saturating curve, accuracy = best (1 - e^(-t/tau)).

    For questions about networks alone, answered in milliseconds and without torch. Its results say
    nothing about learning.
    """

    def __init__(
        self,
        *,
        down_bytes: int,
        up_bytes: int,
        examples: int = 32,
        steps: int = 2,
        best: float = 0.8,
        tau: float = 10.0,
        flop: float | None = None,
    ) -> None:
        self.down_bytes, self.up_bytes = down_bytes, up_bytes
        self.examples, self.steps = examples, steps
        self.best, self.tau, self.flop = best, tau, flop
        self.version = 0

    @override
    def download(self, client: int) -> MessageInfo:
        return MessageInfo(client, self.down_bytes, self.down_bytes)

    @override
    def train(self, downloads: Sequence[MessageInfo]) -> Sequence[MessageInfo]:
        return [
            MessageInfo(d.client, self.up_bytes, self.up_bytes, self.examples, self.steps)
            for d in downloads
        ]

    @override
    def aggregate(self, uploads: Sequence[MessageInfo], weights: Sequence[float]) -> None:
        self.version += 1

    @override
    def release(self, messages: Sequence[MessageInfo]) -> None:
        pass

    @override
    def metadata(self, require_flops: bool = False) -> TrainingMetadata:
        return TrainingMetadata(flop_per_example=self.flop)

    @override
    def evaluate(self, split: str) -> Score:
        accuracy = self.best * (1 - math.exp(-self.version / self.tau))
        return Score(examples=1, accuracy=accuracy, loss=-math.log(max(accuracy, 1e-9)))
