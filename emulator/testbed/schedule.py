"""Which messages cross which star, and when. No clock, no file, no import that takes time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emulator.network.tcp import Direction

Id = int | str

# Past these, doubles no longer tell moments apart, or seconds no longer end.
MAX_BYTES = 10**15  # of one message
MAX_S = 1e9
MIN_RATE_BPS, MAX_RATE_BPS = 1.0, 1e12  # bytes/s


@dataclass(frozen=True, slots=True)
class Star:
    """Access links around a server's. Rates bytes/s as each party sees its own; one entry a client.

    `delay_s` is one way, `loss` the probability that a segment is lost, each way.
    """

    up_Bps: Sequence[float]
    down_Bps: Sequence[float]
    delay_s: Sequence[float]
    loss: Sequence[float]
    server_up_Bps: float
    server_down_Bps: float


@dataclass(frozen=True, slots=True)
class Message:
    """`nbytes` from (`up`) or to (`down`) a client, by its index.

    It starts at `start_s`, or that long after message `after`, which comes earlier in its list.
    """

    client: int
    direction: "Direction"
    nbytes: int
    start_s: float = 0.0
    after: int | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """One scenario of transfers, as a file names it: `clients` and `ids` name clients, messages."""

    id: Id
    star: Star
    clients: Sequence[Id]
    ids: Sequence[Id]
    messages: Sequence[Message]
