"""The seam between keeping time and learning: what a round policy asks of a trainer.

The emulator calls these four from SimPy processes. Training takes no simulated time by itself:
compute seconds come from the fleet's compute model, never from the clock of this machine.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol


class Download(Protocol):
    """A message from the server to one client."""

    @property
    def client(self) -> int:
        """Who gets it."""

    @property
    def nbytes(self) -> int:
        """Length of the encoded message, bytes."""

    @property
    def value_bytes(self) -> int:
        """Bytes of the values alone: what the paper counts."""


class Upload(Protocol):
    """A message from one client to the server, and what making it took."""

    @property
    def client(self) -> int:
        """Who sends it."""

    @property
    def nbytes(self) -> int:
        """Length of the encoded message, bytes."""

    @property
    def value_bytes(self) -> int:
        """Bytes of the values alone: what the paper counts."""

    @property
    def examples(self) -> int:
        """Examples trained on, each counted once per epoch."""

    @property
    def steps(self) -> int:
        """Local optimiser steps."""


class Score(Protocol):
    """Quality of the server's model on one split."""

    @property
    def examples(self) -> int:
        """How many examples of the split were used."""

    @property
    def accuracy(self) -> float:
        """Share answered right, 0 to 1."""

    @property
    def loss(self) -> float:
        """Mean loss an example, nats."""

    @property
    def by_label(self) -> Sequence[tuple[int, int]]:
        """How many were right, of how many, of each label; empty: not known, or no such thing."""


class TrainingMetadata(Protocol):
    """What holds of a training whatever is done with it; None where it is not known."""

    @property
    def examples(self) -> Sequence[int] | None:
        """How many each client holds."""

    @property
    def flop_per_example(self) -> float | None:
        """Floating-point operations to train on one example, forward and backward."""

    @property
    def labels(self) -> Sequence[Sequence[int]] | None:
        """How many examples of each label each client holds; empty where they have no labels."""


class Trainer(Protocol):
    """Anything that can be trained in rounds."""

    def download(self, client: int) -> Download:
        """What `client` would fetch of the current version."""

    def train(self, downloads: Sequence[Download]) -> Sequence[Upload]:
        """Train each client from what it downloaded; one upload each, in the same order."""

    def aggregate(self, uploads: Sequence[Upload], weights: Sequence[float]) -> None:
        """Step the server by the weighted sum of the updates."""

    def evaluate(self, split: str) -> Score:
        """Score the current version on 'validation' or 'test'."""

    def release(self, messages: Sequence[Download | Upload]) -> None:
        """None of these will be trained or aggregated: what is held for them may go."""

    def metadata(self, require_flops: bool = False) -> TrainingMetadata:
        """What is known of the training; all of it where that is `needed`, if it takes a while."""


class StubMessage(NamedTuple):
    """A message with no content: Download, and Upload where examples and steps are set."""

    client: int
    nbytes: int
    value_bytes: int
    examples: int = 0
    steps: int = 0


@dataclass(frozen=True, slots=True)
class StubScore:
    """A score from a formula."""

    examples: int
    accuracy: float
    loss: float
    by_label: Sequence[tuple[int, int]] = ()


@dataclass(frozen=True, slots=True)
class StubAbout:
    """What one is told to say."""

    examples: Sequence[int] | None = None
    flop_per_example: float | None = None
    labels: Sequence[Sequence[int]] | None = None


class StubTrainer:
    """Trains nothing: fixed message sizes and a saturating curve, accuracy = best (1 - e^(-t/tau)).

    For questions about networks alone, answered in milliseconds and without torch. Results made
    with it say nothing about learning.
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

    def download(self, client: int) -> StubMessage:
        """The same number of bytes for everybody."""
        return StubMessage(client, self.down_bytes, self.down_bytes)

    def train(self, downloads: Sequence[Download]) -> list[StubMessage]:
        """The same number of bytes from everybody."""
        return [
            StubMessage(d.client, self.up_bytes, self.up_bytes, self.examples, self.steps)
            for d in downloads
        ]

    def aggregate(self, uploads: Sequence[Upload], weights: Sequence[float]) -> None:
        """Count one server step."""
        self.version += 1

    def release(self, messages: Sequence[Download | Upload]) -> None:
        """Nothing is held."""

    def metadata(self, require_flops: bool = False) -> StubAbout:
        """As many operations as it was told."""
        return StubAbout(flop_per_example=self.flop)

    def evaluate(self, split: str) -> StubScore:
        """Read the curve."""
        accuracy = self.best * (1 - math.exp(-self.version / self.tau))
        return StubScore(examples=1, accuracy=accuracy, loss=-math.log(max(accuracy, 1e-9)))
