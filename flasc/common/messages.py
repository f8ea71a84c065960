"""What passes between the trainer and a round policy."""

from dataclasses import dataclass
from typing import Literal

# What a client is asked for: its update, or the gradient or Hessian-gradient product of the loss
# at the model that it received.
Request = Literal["update", "gradient", "curvature"]


@dataclass(frozen=True, slots=True)
class Message:
    """An encoded message to (`examples` and `steps` zero) or from a client.

    `version` counts the server steps behind the model that it was made from, `tier` says who gets
    the same. An upload knows what it `answers`: the server remembers what it sent. `memory` is not
    sent: what the client has yet to send (`feedback`), at the start or once this upload is merged.
    """

    client: int
    version: int
    content: bytes
    value_bytes: int
    examples: int = 0
    steps: int = 0
    tier: int = 0
    asks: Request = "update"
    answers: "Message | None" = None
    memory: bytes = b""

    @property
    def nbytes(self) -> int:
        """Length of the encoded message, bytes."""
        return len(self.content)


@dataclass(frozen=True, slots=True)
class Score:
    """Quality on the first `examples` of a split: mean loss in nats.

    `accuracy` is the value of the task's metric, whatever its name; 0 to 1. `by_label` is how many
    were right, of how many, of each label; empty where the metric is not of single labels.
    """

    examples: int
    accuracy: float
    loss: float
    by_label: tuple[tuple[int, int], ...] = ()
