"""What an application adds to a message: requests, TLS, gRPC, kept connections. No SimPy, no links.

A message is moved by requests. Each waits a round trip for its answer; requests of one turn move
together. All requests of a message use one connection, whose window grows from one to the next.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np

from emulator.common.distributions import Floats
from emulator.network.tcp import (
    MIN_TIMEOUT_S,
    REDUCED,
    Direction,
    Flight,
    Tcp,
    backoff_s,
    base_rtts,
    handshake_timeouts_s,
    segment_bytes,
    slow_start,
    window_after,
    wire_bytes,
    with_loss,
)

TLS_S = 0.003  # to compute both sides of a TLS 1.3 handshake, in addition to its round trip
Seconds = TypeVar("Seconds", float, Floats)  # of one client, or [clients]
KEPT_RTTS: dict[Direction, float] = {"down": 1.0, "up": 0.5}  # until the first byte arrives


@dataclass(frozen=True, slots=True)
class Application:
    """How a program sends a message; the default is one connection and one request per message.

    | setting            | effect                                                            |
    |--------------------|-------------------------------------------------------------------|
    | `requests`         | carry equal parts of the message                                  |
    | `calls`            | requests without data, before those with data                     |
    | `beside`           | requests without data that take the free places of `parallel`     |
    | `parallel`         | requests of one turn; each turn but the first takes an RTT more   |
    | `processing_s`     | seconds for each request, in addition to network and bytes        |
    | `waiting_s`        | seconds before each message: polling, starting a program          |
    | `tls`              | opening a connection takes an RTT and 3 ms more: TLS 1.3          |
    | `grpc`             | opening a connection takes an RTT more: the server's SETTINGS     |
    | `keeps_connection` | a client opens one connection; later downloads are asked for (RTT)|
    """

    requests: int = 1
    calls: int = 0
    beside: int = 0
    parallel: int = 1
    processing_s: float = 0.0
    waiting_s: float = 0.0
    tls: bool = False
    grpc: bool = False
    keeps_connection: bool = False

    def __post_init__(self) -> None:
        assert self.requests > 0
        assert self.parallel > 0
        assert self.calls >= 0
        assert self.beside >= 0
        assert self.processing_s >= 0
        assert self.waiting_s >= 0

    def turns(self, nbytes: int) -> list[list[int]]:
        """Payload bytes of each request with data, by turn; the last takes the remainder."""
        count = max(1, min(self.requests, nbytes))
        sizes = [nbytes // count] * count
        sizes[-1] += nbytes % count
        return [sizes[i : i + self.parallel] for i in range(0, count, self.parallel)]


class Connection(NamedTuple):
    """A connection before a message: whether it is open, and its window.

    `window` is the sender's, in segments; None if it begins anew.
    """

    is_open: bool = False
    window: float | None = None


NEW = Connection()


def turn_bytes(tcp: Tcp, turn: Sequence[int]) -> int:
    """Bytes on the wire of the requests of one turn."""
    return sum(wire_bytes(tcp, nbytes) for nbytes in turn)


def base_s(
    tcp: Tcp, application: Application, direction: Direction, rtt_s: Seconds, is_open: bool
) -> Seconds:
    """Seconds until the first byte of a single request arrives, in the shape of `rtt_s`."""
    if is_open:
        return KEPT_RTTS[direction] * rtt_s
    opening = (application.tls + application.grpc) * rtt_s + TLS_S * application.tls
    return base_rtts(tcp, direction) * rtt_s + (opening if tcp.handshake else 0.0)


def first_byte_s(
    tcp: Tcp,
    application: Application,
    direction: Direction,
    rtt_s: Seconds,
    is_open: bool,
    first_turn: Sequence[int],
) -> Seconds:
    """Seconds until the first byte of a message arrives, in the shape of `rtt_s`."""
    waits = math.ceil(application.calls / application.parallel)
    processing_s = (application.calls + len(first_turn)) * application.processing_s
    asked_s = base_s(tcp, application, direction, rtt_s, is_open)
    return application.waiting_s + asked_s + waits * rtt_s + processing_s


def pauses_s(
    application: Application, turns: Sequence[Sequence[int]], rtt_s: Seconds
) -> Iterator[Seconds]:
    """Seconds from the last byte of each turn to the first byte of the next one."""
    for turn in turns[1:]:
        yield rtt_s + len(turn) * application.processing_s


def left_beside(
    tcp: Tcp,
    application: Application,
    direction: Direction,
    turns: Sequence[Sequence[int]],
    rtt_s: Seconds,
    rate_Bps: Seconds,
) -> Seconds:
    """How many requests of `beside` are left after the data, in the shape of `rtt_s`.

    While the last turn moves at `rate_Bps`, places that it leaves free take one after the other. In
    an upload each waits for the data before it on the same link, so one per free place passes.
    """
    each_s = rtt_s + application.processing_s
    free = application.parallel - len(turns[-1])
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        moves_s = np.divide(turn_bytes(tcp, turns[-1]) * (direction == "down"), rate_Bps)
        hidden = np.nan_to_num(free * (1 + np.floor(np.divide(moves_s, each_s))), nan=math.inf)
    left: Seconds = np.maximum(0, application.beside - hidden)
    return left


def beside_s(application: Application, left: Seconds, rtt_s: Seconds) -> Seconds:
    """Seconds after the data for what `beside` takes, in the shape of `rtt_s`.

    Those `left` take turns of their own. The server handles all of them one by one.
    """
    turns_s: Seconds = np.ceil(left / application.parallel) * rtt_s
    return turns_s + application.beside * application.processing_s


def application_flights(
    tcp: Tcp,
    application: Application,
    direction: Direction,
    nbytes: int,
    rtt_s: float,
    rate_Bps: float,
    connection: Connection = NEW,
    loss: float = 0.0,
    rng: np.random.Generator | None = None,
    varies: bool = False,
) -> tuple[list[Flight], float]:
    """Flights of a message, as in `tcp_flights`, and its window at the end, in segments.

    A turn waits for the last byte of the one before. Links serve parts one by one, not all at once
    as fair shares do, so the wait counts from the time at which that byte would arrive at
    `rate_Bps`: the parts of others fill it. If the rate `varies`, it counts from the arrival.
    Every turn finds an idle token bucket. After a turn that lost a segment, the later ones begin
    with the reduced window at most.
    """
    turns = application.turns(nbytes)
    is_open = connection.is_open or (application.keeps_connection and not tcp.handshake)
    first_s = first_byte_s(tcp, application, direction, rtt_s, is_open, turns[0])
    waits_s = [first_s, *pauses_s(application, turns, rtt_s)]
    if loss:
        assert rng is not None, "loss needs a random stream"
        waits_s[0] += _first_timeouts_s(tcp, application, direction, rtt_s, is_open, loss, rng)
        for number in range(1, len(turns)):
            waits_s[number] += timeouts_s(rtt_s, 1 - loss, rng)
    window = tcp.initial_window if connection.window is None else connection.window
    flights: list[Flight] = []
    limit = math.inf  # of the window at the start of a turn, after a loss
    for turn, wait_s in zip(turns, waits_s, strict=True):
        wire_B = turn_bytes(tcp, turn)
        saved_s = min(wire_B, segment_bytes(tcp)) / rate_Bps if tcp.token_bucket else 0.0
        moved = slow_start(tcp, wire_B, rtt_s, rate_Bps, window)
        after, lossy = window_after(tcp, moved, window), moved
        if loss:
            assert rng is not None
            first_lost = int(rng.geometric(loss))
            lossy = with_loss(tcp, moved, first_lost, rtt_s, rate_Bps, loss, rng, window)
        if lossy != moved:
            limit = max(1.0, REDUCED[tcp.congestion] * min(after, limit))
        window = min(after, limit)
        pause_s = max(0.0, wait_s - saved_s)
        if flights and not varies:
            flights[-1] = _then_waiting(flights[-1], rate_Bps, pause_s)
        else:
            flights.append(Flight(0, pause_s))
        flights += lossy
    if application.beside:
        left = left_beside(tcp, application, direction, turns, rtt_s, rate_Bps)
        wait_s = float(beside_s(application, left, rtt_s))
        if loss:
            assert rng is not None
            wait_s += _exchanges_s(int(left), rtt_s, loss, rng)
        flights.append(Flight(0, wait_s))
    return flights, window


def _then_waiting(flight: Flight, rate_Bps: float, pause_s: float) -> Flight:
    """The flight, if the next one starts `pause_s` after it would end at `rate_Bps`."""
    alone_s = flight.size_B / min(rate_Bps, flight.cap_Bps)
    return flight._replace(round_s=max(flight.round_s, alone_s + pause_s))


def _first_timeouts_s(
    tcp: Tcp,
    application: Application,
    direction: Direction,
    rtt_s: float,
    is_open: bool,
    loss: float,
    rng: np.random.Generator,
) -> float:
    """Time of timeouts, seconds, before the first byte: of the opening, the calls, the request."""
    round_trips, lost_s = application.calls, 0.0
    if is_open:
        lost_s = timeouts_s(rtt_s, 1 - loss, rng) if direction == "down" else 0.0
    elif tcp.handshake:
        lost_s = handshake_timeouts_s(direction, rtt_s, loss, rng)
        round_trips += application.tls + application.grpc
    return lost_s + _exchanges_s(round_trips, rtt_s, loss, rng)


def _exchanges_s(count: int, rtt_s: float, loss: float, rng: np.random.Generator) -> float:
    """Time of the timeouts of so many requests and their answers, seconds."""
    return sum(timeouts_s(rtt_s, (1 - loss) ** 2, rng) for _ in range(count))


def timeouts_s(rtt_s: float, arrives: float, rng: np.random.Generator) -> float:
    """Time of the timeouts of an exchange that succeeds with the probability `arrives`, seconds."""
    return backoff_s(rtt_s + MIN_TIMEOUT_S, int(rng.geometric(arrives)) - 1)


class Connections:
    """The kept connections of clients, in time: which are open, and the windows of both sides."""

    def __init__(self) -> None:
        """All connections are closed."""
        self._windows: dict[int, dict[Direction, tuple[float, float]]] = {}  # (window, until_s)

    def of(self, client: int, direction: Direction, now_s: float) -> Connection:
        """The connection of a client before a message; a window is lost after a pause."""
        if (windows := self._windows.get(client)) is None:
            return NEW
        window, until_s = windows.get(direction, (0.0, -math.inf))
        return Connection(True, window if now_s < until_s else None)

    def arrived(
        self, client: int, direction: Direction, window: float, now_s: float, rtt_s: float
    ) -> None:
        """Keeps the connection of a message that has arrived; Linux keeps a window for one RTO."""
        until_s = now_s + rtt_s + MIN_TIMEOUT_S
        self._windows.setdefault(client, {})[direction] = window, until_s

    def close(self, client: int) -> None:
        """Closes the connection of a client, if it is open."""
        self._windows.pop(client, None)
