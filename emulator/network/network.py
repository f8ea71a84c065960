"""Messages between a server and its clients, as SimPy events: `yield network.download(3, 40_000)`.

A star: a download crosses the server's sending side, the client's cell if it is in one, and the
client's receiving side; an upload goes the other way. The two directions share nothing but the
medium of a client or cell that is half duplex.
"""

import math
from collections import Counter
from collections.abc import Callable
from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np
import simpy
from numpy.typing import ArrayLike

from emulator.common.errors import StalledError
from emulator.common.units import format_duration
from emulator.network.fairness.engine import FlowEngine
from emulator.network.fairness.keyed_heap import KeyedHeap
from emulator.network.tcp import Direction, Flight, Tcp, fluid_flights, tcp_flights
from emulator.network.topology import Links, Profiles

ROUNDING = 1e-12  # of a time, relative
PATIENCE = 1_000_000  # changes of links in a row through which no byte moves: a minute of work
Stream = Callable[[int, Direction, int], np.random.Generator]


class Delivery(NamedTuple):
    """A message has arrived: when it was asked for, and when its last byte came. Seconds."""

    start_s: float
    finish_s: float


class _Message(simpy.Event):
    """A message under way; as an event, its arrival."""

    def __init__(
        self,
        env: simpy.Environment,
        nbytes: int,
        path: tuple[int, ...],
        varying: tuple[int, ...],
        flights: list[Flight],
    ) -> None:
        super().__init__(env)
        self.start_s = self.ready_s = env.now  # when asked for; the next flight starts no sooner
        self.nbytes, self.path, self.flights = nbytes, path, flights  # the next flight is the last
        self.varying = varying  # links of its path whose capacity changes
        self.moved_B = self.flying_B = 0.0  # wire bytes of flights that are over, of one under way
        self.flow = -1  # the flight under way, if `flying_B`
        self.is_over = False  # told of, or cancelled

    def arrive(self, now_s: float) -> None:
        """Happens as soon as it is told of, not as SimPy's next event: a third of all events less.

        And whoever waits for it has answered before the network looks how far it may run ahead.
        """
        self.is_over, self._ok, self._value = True, True, Delivery(self.start_s, now_s)
        waiting, self.callbacks = self.callbacks, None  # type: ignore[assignment]  # as SimPy does
        try:
            while waiting:
                waiting.pop(0)(self)
        finally:
            if waiting:  # run(until=...) ended here: they are told when it goes on
                self.callbacks = waiting
                self.env.schedule(self)


_Heap = list[tuple[float, int, _Message]]  # by ready_s, then by a counter


class Network:
    """The links of a star and the messages on them, over a transport: fluid, or `Tcp`.

    The whole network has one live timer, set to the next finish or start of a flight, or the next
    change of a link in use. SimPy cannot take a timer back, so only the latest is listened to.
    Before SimPy's next event nobody can send or cancel: what happens to links until then happens at
    once, without a timer each, and only arrivals wait for their time. Messages that finish at one
    instant are told of in the order in which their flows joined. Links that nobody uses cost
    nothing, however often they change.
    """

    def __init__(
        self,
        env: simpy.Environment,
        up_Bps: ArrayLike,
        down_Bps: ArrayLike,
        delay_s: ArrayLike,
        server_down_Bps: float,
        server_up_Bps: float,
        transport: Tcp | None = None,
        loss: ArrayLike | None = None,
        stream: Stream | None = None,
        *,
        cell: ArrayLike | None = None,
        cell_up_Bps: ArrayLike = (),
        cell_down_Bps: ArrayLike = (),
        cell_half_duplex: ArrayLike | None = None,
        half_duplex: ArrayLike | None = None,
        profiles: Profiles | None = None,
    ) -> None:
        """Lay out the links; up and down are each party's own view of its own access.

        | argument          | whose  | carries   | shape, dtype                 |
        |-------------------|--------|-----------|------------------------------|
        | `up_Bps`          | client | uploads   | [clients] float, > 0         |
        | `down_Bps`        | client | downloads | [clients] float, > 0         |
        | `delay_s`         | client | both      | [clients] float, >= 0        |
        | `server_down_Bps` | server | uploads   | float, > 0: receives         |
        | `server_up_Bps`   | server | downloads | float, > 0: sends            |
        | `loss`            | client | both      | [clients] float, in [0, 1)   |
        | `cell`            | client |           | [clients] int, -1: in none   |
        | `cell_up_Bps`     | cell   | uploads   | [cells] float, > 0           |
        | `cell_down_Bps`   | cell   | downloads | [cells] float, > 0           |
        | `half_duplex`     | client | both      | [clients] bool               |
        | `cell_half_duplex`| cell   | both      | [cells] bool                 |

        Rates are bytes/s; a delay is one way, seconds; a loss is the probability that a segment
        is lost, each way. Arrays are copied. Without `transport`, a message is its delay and its
        bytes (fluid), and nothing is lost. What is lost of a client's n-th message in a direction
        is drawn from `stream(client, direction, n)`, n from 0.

        `profiles` gives rates that change, each instead of the constant one above, by whose link
        it is: ("client", "up", 3), ("cell", "down", 0), ("server", "up", 0). It is asked for a
        link (by `get`) when a message is to cross it.
        """
        self._env = env
        delays_s = np.asarray(delay_s, np.float64)
        losses = np.zeros_like(delays_s) if loss is None else np.asarray(loss, np.float64)
        assert np.shape(up_Bps) == delays_s.shape == losses.shape
        assert (delays_s >= 0).all()
        assert ((losses >= 0) & (losses < 1)).all()
        assert not losses.any() or (transport and stream), "loss needs Tcp and a stream"
        # Lists, since every message looks: numpy takes several times as long for one element.
        self._delay_s: list[float] = delays_s.tolist()
        self._loss: list[float] = losses.tolist()
        self._links = Links(
            up_Bps,
            down_Bps,
            server_down_Bps,
            server_up_Bps,
            cell=cell,
            cell_up_Bps=cell_up_Bps,
            cell_down_Bps=cell_down_Bps,
            cell_half_duplex=cell_half_duplex,
            half_duplex=half_duplex,
            profiles=profiles,
        )
        self._tcp, self._stream = transport, stream
        self._sent: Counter[tuple[int, Direction]] = Counter()  # messages, where some are lost

        self._fluid = FlowEngine(self._links.capacity_Bps)
        self._flying: dict[int, _Message] = {}  # by flow
        self._starting: _Heap = []  # the next flight
        self._telling: _Heap = []  # of the arrival
        self._queued = 0
        self._users: Counter[int] = Counter()  # flows, by varying link
        self._changes = KeyedHeap()  # of varying links in use: when each has its next change
        self._timer: simpy.Event | None = None
        self._due_s = math.inf  # when it goes off
        self._next_s = math.inf  # when something may happen to links: not before
        self._in_vain = 0  # changes of links since a byte moved, while all else waits

    def download(self, client: int, nbytes: int) -> simpy.Event:
        """Send `nbytes` from the server to `client`; succeeds with a `Delivery`."""
        return self._send(client, "down", nbytes)

    def upload(self, client: int, nbytes: int) -> simpy.Event:
        """Send `nbytes` from `client` to the server; succeeds with a `Delivery`."""
        return self._send(client, "up", nbytes)

    def cancel(self, arrival: simpy.Event) -> float:
        """Give up a message that is under way; `arrival` will never happen.

        Returns how many of its `nbytes` had come: the share of its wire bytes that had.
        """
        assert isinstance(arrival, _Message)
        assert not arrival.is_over
        message, arrival.is_over = arrival, True
        total_B = message.moved_B + message.flying_B + sum(f.size_B for f in message.flights)
        if message.flying_B:
            del self._flying[message.flow]
            message.moved_B += self._fluid.cancel(self._env.now, message.flow)
            self._leave(message)
            self._next_s = self._env.now  # for finishes that the fluid passed, and new rates
            self._wake_at(self._next_s, self._next_s)
        return message.nbytes * message.moved_B / total_B if total_B else 0.0

    def _send(self, client: int, direction: Direction, nbytes: int) -> simpy.Event:
        assert nbytes >= 0
        path = self._links.path(client, direction)
        flights = self._flights(client, direction, path, nbytes)[::-1]
        message = _Message(self._env, nbytes, path, self._links.varying(path), flights)
        self._queue(message)
        self._next_s = min(self._next_s, message.ready_s)
        if message.ready_s < self._due_s:
            self._wake_at(message.ready_s, message.start_s)
        return message

    def _flights(
        self, client: int, direction: Direction, path: tuple[int, ...], nbytes: int
    ) -> list[Flight]:
        rtt_s = 2 * self._delay_s[client]
        if self._tcp is None:
            return fluid_flights(nbytes, rtt_s)
        rate_Bps = self._links.alone(path, self._env.now)
        if not (loss := self._loss[client]):
            return tcp_flights(self._tcp, direction, nbytes, rtt_s, rate_Bps)
        assert self._stream is not None
        number = self._sent[client, direction]
        self._sent[client, direction] += 1
        rng = self._stream(client, direction, number)
        return tcp_flights(self._tcp, direction, nbytes, rtt_s, rate_Bps, loss, rng)

    def _queue(self, message: _Message) -> None:
        """For its next flight with bytes, or for being told of when there is none."""
        flights, ready_s = message.flights, message.ready_s
        while flights and not flights[-1].size_B:
            ready_s += flights.pop().round_s
        message.ready_s, self._queued = ready_s, self._queued + 1
        heappush(self._starting if flights else self._telling, (ready_s, self._queued, message))

    def _fly(self, now_s: float, message: _Message) -> None:
        size_B, round_s, cap_Bps = message.flights.pop()
        message.ready_s, message.flying_B = now_s + round_s, size_B
        for link in message.varying:
            self._users[link] += 1
            if self._users[link] == 1:
                self._change(now_s, link)
        message.flow = self._fluid.start(now_s, message.path, size_B, cap_Bps)
        self._flying[message.flow] = message

    def _leave(self, message: _Message) -> None:
        for link in message.varying:
            self._users[link] -= 1
            if not self._users[link]:
                del self._users[link]
                self._changes.drop(link)

    def _change(self, now_s: float, link: int) -> None:
        """Let a link in use carry what it does from now on, and look at it when that changes."""
        capacity_Bps, until_s = self._links.piece(link, now_s)
        self._fluid.set_capacity(now_s, link, capacity_Bps)
        self._changes.put(link, until_s)

    def _next_change(self) -> float:
        """When the next varying link in use (there is one) changes, seconds; inf if none does.

        A finish that rounding puts just behind it goes first: its last bytes, a billionth of one,
        must not wait for the end of an outage.
        """
        change_s = self._changes.first()[0]
        finish_s = self._fluid.next_finish() if change_s < math.inf else change_s
        return finish_s if change_s < finish_s <= change_s * (1 + ROUNDING) else change_s

    def _wake_at(self, time_s: float, now_s: float) -> None:
        if time_s == self._due_s:
            return
        self._timer, self._due_s = None, time_s
        if time_s < math.inf:
            self._timer = self._env.timeout(time_s - now_s)
            self._timer.callbacks.append(self._wake)

    def _wake(self, timer: simpy.Event) -> None:
        if timer is not self._timer:
            return
        # The clock may have been rounded to before the time that was due: then once more.
        now_s, telling = self._env.now, self._telling
        self._due_s = -math.inf  # a timer is set once all is known that comes of the arrivals
        if self._next_s <= now_s:
            self._run(now_s)
        try:
            while telling and telling[0][0] <= now_s:
                message = heappop(telling)[2]
                if not message.is_over:  # or it was cancelled
                    message.arrive(now_s)
        finally:
            self._wake_at(self._run_ahead(), now_s)

    def _run(self, now_s: float, finishes: bool = True) -> None:
        """All that happens to links at `now_s`: finishes (if there may be any), changes, starts."""
        for flow in self._fluid.advance(now_s) if finishes else ():
            self._in_vain = 0
            message = self._flying.pop(flow)
            message.moved_B, message.flying_B = message.moved_B + message.flying_B, 0.0
            message.ready_s = message.ready_s if message.ready_s > now_s else now_s
            if message.varying:
                self._leave(message)
            self._queue(message)
        if self._users and self._next_change() <= now_s:
            while self._changes.first()[0] <= now_s:
                self._change(now_s, int(self._changes.first()[1]))
        starting = self._starting
        while starting and starting[0][0] <= now_s:
            message = heappop(starting)[2]
            if not message.is_over:  # or it was cancelled
                self._fly(now_s, message)

    def _run_ahead(self) -> float:
        """Let links run as far as nobody can interfere. Returns when to look again, seconds.

        Raises StalledError where it would look for ever.
        """
        # Without min() and max(), which cost a twentieth of an emulation
        # (docs/background/performance.md).
        others_s, starting, telling = self._env.peek(), self._starting, self._telling
        while True:
            finish_s = self._fluid.next_finish()
            next_s = starting[0][0] if starting and starting[0][0] < finish_s else finish_s
            told_s, most_s = telling[0][0] if telling else math.inf, others_s
            if self._users and (change_s := self._next_change()) <= next_s:
                next_s, most_s = change_s, others_s
                if others_s == math.inf:  # nobody would end it: not ahead
                    most_s = -math.inf
                    self._check_progress(finish_s, change_s)
            if next_s > told_s or next_s >= most_s:
                self._next_s = next_s
                return next_s if next_s < told_s else told_s
            self._run(next_s, finish_s <= next_s)

    def _check_progress(self, finish_s: float, change_s: float) -> None:
        """Count changes of links through which nothing moves; raise StalledError at too many."""
        self._in_vain = self._in_vain + 1 if finish_s == math.inf else 0
        if self._in_vain > PATIENCE:
            raise StalledError(
                f"no byte has moved for {PATIENCE:,} changes of links in a row, until "
                f"{format_duration(change_s)} of simulated time: links that a message crosses are "
                "up in turns, and never together",
                "look at the traces of clients, cells and the server: is there a time when all "
                "that a message crosses have a rate above zero?",
            )
