"""What passes between a trainer and the simulation: messages, scores and metadata."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

# What the server requests of a client: its update, or the gradient or the Hessian-gradient product
# of the loss at the model that the client received.
Request = Literal["update", "gradient", "curvature"]


@dataclass(frozen=True, slots=True)
class MessageInfo:
    """A message to or from a client, without its content.

    `nbytes` is the length of the encoded message; `value_bytes` counts its values alone, as the
    paper does. An upload has the examples that the client trained on, each counted once per epoch,
    and its local optimiser steps; both are 0 in a download.
    """

    client: int
    nbytes: int
    value_bytes: int
    examples: int = 0
    steps: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Message(MessageInfo):
    """An encoded message.

    `version` is the number of server steps behind the model that the message was made from. All
    clients of a `tier` get the same download. An upload refers to the download that it `answers`,
    as the server remembers what it sent. `memory` is not sent: it is what the client has yet to
    send (error feedback), at the start or after this upload is aggregated.
    """

    nbytes: int = field(init=False)
    version: int
    content: bytes
    tier: int = 0
    asks: Request = "update"
    answers: "Message | None" = None
    memory: bytes = b""

    def __post_init__(self) -> None:
        object.__setattr__(self, "nbytes", len(self.content))


@dataclass(frozen=True, slots=True)
class Score:
    """Quality of the server's model on the first `examples` of a split: mean loss in nats.

    `accuracy` is the value of the task's metric, 0 to 1, whatever the name of the metric.
    `by_label` has (correct, total) per label; it is empty if the metric is not per label.
    """

    examples: int
    accuracy: float
    loss: float
    by_label: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class TrainingMetadata:
    """Examples per client, and floating-point operations to train on one example; None: unknown.

    Operations count the forward and the backward pass. `labels` has each client's examples per
    label; it is empty if an example does not have exactly one label.
    """

    examples: Sequence[int] | None = None
    flop_per_example: float | None = None
    labels: Sequence[Sequence[int]] | None = None
