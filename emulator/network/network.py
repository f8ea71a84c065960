"""Messages between a server and its clients, as SimPy events: `yield network.download(3, 40_000)`.

The links form a star: a download crosses the server's up link, the client's cell if it has one, and
the client's down link; an upload goes the opposite way. The two directions share only the medium of
a half-duplex client or cell.
"""

import math
from collections import Counter
from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np
import simpy
from numpy.typing import ArrayLike

from emulator.common.errors import StalledError
from emulator.common.units import format_duration
from emulator.network.application import Application
from emulator.network.fairness.engine import FlowEngine
from emulator.network.fairness.keyed_heap import KeyedHeap
from emulator.network.flights import FlightPlanner, Stream
from emulator.network.tcp import Direction, Flight, Tcp
from emulator.network.topology import Links, Profiles

ROUNDING = 1e-12  # of a time, relative
PATIENCE = 1_000_000  # capacity changes in a row without a byte moved: a minute of work


def never_up(now_s: float) -> StalledError:
    """The error of a simulation in which no byte moves any more."""
    return StalledError(
        f"no byte has moved during {PATIENCE:,} capacity changes in a row, until "
        f"{format_duration(now_s)} of simulated time: the links that a message crosses are never "
        "up at the same time",
        "check the traces of clients, cells and the server: links that a message crosses need "
        "rates above zero at the same time",
    )


class Delivery(NamedTuple):
    """An arrival: when the message was requested and when its last byte arrived, seconds."""

    start_s: float
    finish_s: float


class _Message(simpy.Event):
    """A message in transit; as an event, its arrival."""

    def __init__(
        self,
        env: simpy.Environment,
        client: int,
        nbytes: int,
        path: tuple[int, ...],
        varying: tuple[int, ...],
        flights: list[Flight],
    ) -> None:
        super().__init__(env)
        self.client = client
        self.start_s = self.ready_s = env.now  # request; earliest start of the next flight
        self.nbytes, self.path, self.flights = nbytes, path, flights  # the next flight is last
        self.varying = varying  # links of its path whose capacity changes
        self.moved_B = self.active_B = 0.0  # wire bytes: of finished flights, of the active one
        self.flow = -1  # of the active flight, if `active_B`
        self.is_over = False  # arrived or cancelled

    def arrive(self, now_s: float) -> None:
        """Calls back at once, not as SimPy's next event, which saves a third of all events.

        So all waiting processes have reacted before the network decides how far it may run ahead.
        """
        self.is_over, self._ok, self._value = True, True, Delivery(self.start_s, now_s)
        waiting, self.callbacks = self.callbacks, None  # type: ignore[assignment]  # as SimPy does
        try:
            while waiting:
                waiting.pop(0)(self)
        finally:
            if waiting:  # run(until=...) ended here: the others are called when it continues
                self.callbacks = waiting
                self.env.schedule(self)


_Heap = list[tuple[float, int, _Message]]  # by ready_s, then by a counter


class Network:
    """The links of a star and the messages on them, over a transport: fluid, or `Tcp`.

    The network has one live timer, set to the next finish or start of a flight, or the next change
    of a link in use. SimPy cannot cancel a timer, so all but the latest are ignored. No message can
    be sent or cancelled before SimPy's next event, so all link events until then are processed at
    once, without a timer each, and only arrivals wait for their time. Messages that finish at one
    instant arrive in the order in which their flows joined. Unused links cost nothing, however
    often they change.
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
        application: Application | None = None,
        cell: ArrayLike | None = None,
        cell_up_Bps: ArrayLike = (),
        cell_down_Bps: ArrayLike = (),
        cell_half_duplex: ArrayLike | None = None,
        half_duplex: ArrayLike | None = None,
        profiles: Profiles | None = None,
    ) -> None:
        """Builds the links; up and down are each party's own view of its link.

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

        Rates are bytes/s; a delay is one-way, seconds; a loss is the probability that a segment is
        lost, in each direction. Arrays are copied. Without `transport` (fluid), a message takes its
        delay and its bytes, and nothing is lost. Losses of a client's n-th message in a direction
        are drawn from `stream(client, direction, n)`, n from 0. An `application` needs `Tcp`.

        `profiles` has changing rates, which replace the constant ones above, by link name:
        ("client", "up", 3), ("cell", "down", 0), ("server", "up", 0). Its `get` is called with a
        link when a message crosses it.
        """
        self._env = env
        delays_s = np.asarray(delay_s, np.float64)
        losses = np.zeros_like(delays_s) if loss is None else np.asarray(loss, np.float64)
        assert np.shape(up_Bps) == delays_s.shape == losses.shape
        assert (delays_s >= 0).all()
        assert ((losses >= 0) & (losses < 1)).all()
        assert not losses.any() or (transport and stream), "loss needs Tcp and a stream"
        assert application is None or transport, "an application needs Tcp"
        # Lists, since each message reads one element: numpy takes several times as long for that.
        self._planner = FlightPlanner(
            transport, application, delays_s.tolist(), losses.tolist(), stream
        )
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
        self._tcp = transport
        self._engine = FlowEngine(self._links.capacity_Bps)
        self._in_flight: dict[int, _Message] = {}  # by flow
        self._starting: _Heap = []  # messages by the start of their next flight
        self._arriving: _Heap = []  # messages by their arrival
        self._queued = 0
        self._users: Counter[int] = Counter()  # flows, by varying link
        self._changes = KeyedHeap()  # next change of each varying link in use
        self._timer: simpy.Event | None = None
        self._due_s = math.inf  # time of the timer
        self._next_s = math.inf  # no link event before this time
        self._idle_changes = 0  # link changes since a byte moved, while no other event is due

    def download(self, client: int, nbytes: int) -> simpy.Event:
        """Sends `nbytes` from the server to `client`; the event succeeds with a `Delivery`."""
        return self._send(client, "down", nbytes)

    def upload(self, client: int, nbytes: int) -> simpy.Event:
        """Sends `nbytes` from `client` to the server; the event succeeds with a `Delivery`."""
        return self._send(client, "up", nbytes)

    def cancel(self, arrival: simpy.Event) -> float:
        """Cancels a message in transit; `arrival` never occurs, and a kept connection is closed.

        Returns how many of its `nbytes` had arrived, in proportion to its wire bytes.
        """
        assert isinstance(arrival, _Message)
        assert not arrival.is_over
        message, arrival.is_over = arrival, True
        self._planner.cancelled(message.client)
        total_B = message.moved_B + message.active_B + sum(f.size_B for f in message.flights)
        if message.active_B:
            del self._in_flight[message.flow]
            message.moved_B += self._engine.cancel(self._env.now, message.flow)
            self._leave(message)
            self._next_s = self._env.now  # for finishes that the flow engine passed, and new rates
            self._wake_at(self._next_s, self._next_s)
        return message.nbytes * message.moved_B / total_B if total_B else 0.0

    def _send(self, client: int, direction: Direction, nbytes: int) -> simpy.Event:
        assert nbytes >= 0
        path = self._links.path(client, direction)
        varying, now_s = self._links.varying(path), self._env.now
        # Fluid flights do not depend on it, and it would be a tenth of a simulation.
        rate_Bps = self._links.alone(path, now_s) if self._tcp else math.inf
        flights = self._planner.flights(client, direction, nbytes, rate_Bps, now_s, bool(varying))
        message = _Message(self._env, client, nbytes, path, varying, flights[::-1])
        if self._planner.keeps_connections:
            message.callbacks.append(
                lambda _: self._planner.arrived(client, direction, self._env.now)
            )
        self._queue(message)
        self._next_s = min(self._next_s, message.ready_s)
        if message.ready_s < self._due_s:
            self._wake_at(message.ready_s, message.start_s)
        return message

    def _queue(self, message: _Message) -> None:
        """Queues a message for its next flight with bytes, or for its arrival if there is none."""
        flights, ready_s = message.flights, message.ready_s
        while flights and not flights[-1].size_B:
            ready_s += flights.pop().round_s
        message.ready_s, self._queued = ready_s, self._queued + 1
        heappush(self._starting if flights else self._arriving, (ready_s, self._queued, message))

    def _fly(self, now_s: float, message: _Message) -> None:
        size_B, round_s, cap_Bps = message.flights.pop()
        message.ready_s, message.active_B = now_s + round_s, size_B
        for link in message.varying:
            self._users[link] += 1
            if self._users[link] == 1:
                self._change(now_s, link)
        message.flow = self._engine.start(now_s, message.path, size_B, cap_Bps)
        self._in_flight[message.flow] = message

    def _leave(self, message: _Message) -> None:
        for link in message.varying:
            self._users[link] -= 1
            if not self._users[link]:
                del self._users[link]
                self._changes.drop(link)

    def _change(self, now_s: float, link: int) -> None:
        """Sets the capacity of a link in use from now on, and queues its next change."""
        capacity_Bps, until_s = self._links.piece(link, now_s)
        self._engine.set_capacity(now_s, link, capacity_Bps)
        self._changes.put(link, until_s)

    def _next_change(self) -> float:
        """Time of the next change of a varying link in use (at least one), seconds; inf if none.

        A finish that rounding puts just after the change comes first: its last bytes, a billionth
        of one, must not wait for the end of an outage.
        """
        change_s = self._changes.first()[0]
        finish_s = self._engine.next_finish() if change_s < math.inf else change_s
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
        # The clock may have been rounded to just before the timer's time: then wake once more.
        now_s, arriving = self._env.now, self._arriving
        self._due_s = -math.inf  # the timer is set after all reactions to the arrivals
        if self._next_s <= now_s:
            self._run(now_s)
        try:
            while arriving and arriving[0][0] <= now_s:
                message = heappop(arriving)[2]
                if not message.is_over:  # not cancelled
                    message.arrive(now_s)
        finally:
            self._wake_at(self._run_ahead(), now_s)

    def _run(self, now_s: float, finishes: bool = True) -> None:
        """Processes all link events at `now_s`: finishes (if there may be any), changes, starts."""
        for flow in self._engine.advance(now_s) if finishes else ():
            self._idle_changes = 0
            message = self._in_flight.pop(flow)
            message.moved_B, message.active_B = message.moved_B + message.active_B, 0.0
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
            if not message.is_over:  # not cancelled
                self._fly(now_s, message)

    def _run_ahead(self) -> float:
        """Processes link events up to SimPy's next event or an arrival.

        Returns when to wake, seconds. Raises StalledError if it would never end.
        """
        # Without min() and max(), which cost a twentieth of a simulation
        # (docs/background/performance.md).
        others_s, starting, arriving = self._env.peek(), self._starting, self._arriving
        while True:
            finish_s = self._engine.next_finish()
            next_s = starting[0][0] if starting and starting[0][0] < finish_s else finish_s
            arrival_s, limit_s = arriving[0][0] if arriving else math.inf, others_s
            if self._users and (change_s := self._next_change()) <= next_s:
                next_s, limit_s = change_s, others_s
                if others_s == math.inf:  # no event would end the loop: do not run ahead
                    limit_s = -math.inf
                    self._check_progress(finish_s, change_s)
            if next_s > arrival_s or next_s >= limit_s:
                self._next_s = next_s
                return next_s if next_s < arrival_s else arrival_s
            self._run(next_s, finish_s <= next_s)

    def _check_progress(self, finish_s: float, change_s: float) -> None:
        """Counts link changes while no byte moves; raises StalledError after too many."""
        self._idle_changes = self._idle_changes + 1 if finish_s == math.inf else 0
        if self._idle_changes > PATIENCE:
            raise never_up(change_s)
