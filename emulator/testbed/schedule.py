"""Messages to be timed over a star of links. Imports nothing that takes time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emulator.network.tcp import Direction

Id = int | str

# Limits: above them, times lose precision or a simulation takes too long.
MAX_BYTES = 10**15  # per message
MAX_S = 1e9
MIN_RATE_BPS, MAX_RATE_BPS = 1.0, 1e12  # bytes/s


@dataclass(frozen=True, slots=True)
class Star:
    """Access links around a server, one entry per client; rates are bytes/s, each party's own view.

    `delay_s` is one-way, `loss` the probability that a segment is lost, in each direction.
    """

    up_Bps: Sequence[float]
    down_Bps: Sequence[float]
    delay_s: Sequence[float]
    loss: Sequence[float]
    server_up_Bps: float
    server_down_Bps: float


@dataclass(frozen=True, slots=True)
class Message:
    """`nbytes` from (`up`) or to (`down`) a client, given by its index.

    It starts at `start_s`, or that long after message `after`, which is earlier in the list.
    `requests` move it in equal parts, one after the other.
    """

    client: int
    direction: "Direction"
    nbytes: int
    start_s: float = 0.0
    after: int | None = None
    requests: int = 1

    @property
    def parts(self) -> list[int]:
        """Payload bytes of each request; the last one takes the remainder."""
        count = max(1, min(self.requests, self.nbytes))
        return [self.nbytes // count] * (count - 1) + [self.nbytes // count + self.nbytes % count]


@dataclass(frozen=True, slots=True)
class Deployment:
    """How Flower is to send messages: each in so many `arrays`, in so many `rounds`.

    A client gets its message `gap_s` after the one before. It must end after `limit_s`; `home` is
    an empty folder for it.
    """

    arrays: int
    rounds: int
    gap_s: float
    limit_s: float
    home: str


@dataclass(frozen=True, slots=True)
class Schedule:
    """One scenario of transfers; `clients` and `ids` are the ids of clients and messages."""

    id: Id
    star: Star
    clients: Sequence[Id]
    ids: Sequence[Id]
    messages: Sequence[Message]
