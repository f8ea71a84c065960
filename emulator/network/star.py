"""Flows that share one link, each with a cap of its own: max-min rates, a logarithm per event.

Every rate is min(cap, theta): one level theta fills the link. Flows with one cap make a class,
served alike, so a class has one clock of bytes served, and a heap of the readings at which its
flows finish. A capped class (cap <= theta) finishes at a known time whatever the others do; the
clocks of all others run at theta, so one common clock V (the integral of theta) orders them.
An event touches the class that it concerns, and each class whose side of theta it changes.

Cost: O((1 + crossings) log n) per event for n flows, where crossings counts the classes that
change sides. While flows only leave, or only join, theta moves one way and each class crosses at
most once: O(log n) per event over the whole run. Equal caps cross as one. The counterexample: m
distinct caps packed between two values of theta that one flow, coming and going, toggles between;
then m classes cross at each event, and each crossing is a few steps in a heap.

Clocks and sums of caps are whole numbers, of 2**-60 B and B/s: they do not depend on the order of
events, flows that finish together do so exactly, and nothing drifts however long it runs.
"""

import math
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

from emulator.network.queue import Queue

_SCALE = 1 << 60
_UNLIMITED = 1 << 1100  # more than any float is


def _exact(value: float) -> int:
    """Bytes, or bytes/s, as a whole number of 2**-60 of them."""
    return int(value * _SCALE) if value < math.inf else _UNLIMITED


@dataclass(slots=True, eq=False)
class _Class:
    """Flows with one cap. Each has been served `served` by `since_s`, or V + `lead` by now."""

    cap_Bps: float
    exact: int
    flows: list[tuple[int, int]] = field(default_factory=list)  # (reading at finish, flow): heap
    count: int = 0  # of live flows; `flows` keeps those that left until they come up
    capped: bool = False  # the side of theta that it belongs to
    running: bool | None = None  # the side on which its clock runs; None before it has run
    served: int = 0
    since_s: float = 0.0
    lead: int = 0


class Star:
    """One link and its flows. Changes of one instant take effect together, in no order.

    Time is told with each change (`now_s`, seconds, never decreasing); who lets it run past
    `next_finish` must call `finish` at that time first.
    """

    def __init__(self, now_s: float, capacity_Bps: float) -> None:
        """`capacity_Bps`: bytes/s of the shared link, zero or more, or infinity."""
        self._capacity = _exact(capacity_Bps)
        self._now_s = self._since_s = now_s
        self._clock = 0  # V at `_since_s`
        self._theta_Bps = math.inf
        self._free = 0  # flows that are not capped
        self._taken = 0  # sum of the caps of those that are
        self._classes: dict[float, _Class] = {}
        self._at: dict[int, tuple[_Class, int]] = {}  # by flow: its class and last reading
        self._joining: dict[int, int] = {}  # what is left of flows that have no class yet
        self._caps_Bps: dict[int, float] = {}  # to be, of flows that join or change
        self._touched: dict[_Class, None] = {}
        self._stale = False
        self._capped_by_cap, self._free_by_cap = Queue(), Queue()
        self._capped_by_finish, self._free_by_reading = Queue(), Queue()
        self.crossings = 0  # classes that changed sides: what the bound of the module counts

    def add(self, now_s: float, flow: int, left_B: float, cap_Bps: float) -> None:
        """Let `left_B` bytes of a new flow join, at `cap_Bps` at most."""
        self._change(now_s)
        self._joining[flow], self._caps_Bps[flow] = _exact(left_B), cap_Bps

    def remove(self, now_s: float, flow: int) -> float:
        """Take a flow out. Returns the bytes it had left."""
        self._change(now_s)
        left = self._left(flow)
        self._caps_Bps.pop(flow, None)
        if self._joining.pop(flow, None) is None:
            self._leave(flow)
        return left / _SCALE

    def set_cap(self, now_s: float, flow: int, cap_Bps: float) -> None:
        """Limit a flow to `cap_Bps` from now on."""
        self._change(now_s)
        self._caps_Bps[flow] = cap_Bps

    def set_capacity(self, now_s: float, capacity_Bps: float) -> None:
        """Let the link carry `capacity_Bps` from now on."""
        self._change(now_s)
        self._capacity = _exact(capacity_Bps)

    def rate(self, flow: int) -> float:
        """Bytes/s of a flow, from the latest change on."""
        self._settle()
        kind, _ = self._at[flow]
        return kind.cap_Bps if kind.capped else self._theta_Bps

    def next_finish(self) -> float:
        """When the next flow finishes if nothing changes until then, seconds; inf if none does."""
        self._settle()
        finish_s = self._capped_by_finish.first()[0]
        return min(finish_s, self._time_of(self._free_by_reading.first()[0]))

    def finish(self, now_s: float) -> list[int]:
        """Take out the flows that finish at `now_s`, which is `next_finish`. Returns them."""
        self._settle()
        done = []
        for queue, time_of in (
            (self._capped_by_finish, float),
            (self._free_by_reading, self._time_of),
        ):
            while True:
                key, cap_Bps = queue.first()
                if time_of(key) > now_s:
                    break
                kind = self._classes[cap_Bps]
                flow = heappop(kind.flows)[1]
                done.append(flow)
                self._leave(flow)
                self._queue(kind)
        self._change(now_s)
        return done

    def _change(self, now_s: float) -> None:
        assert now_s >= self._now_s
        assert now_s == self._now_s or not self._stale
        self._now_s, self._stale = now_s, True

    def _time_of(self, reading: float) -> float:
        # Rounding may put V a little past the last byte: finished now, not before.
        if reading <= self._clock:
            return self._since_s
        if not self._theta_Bps or reading == math.inf:
            return math.inf
        return self._since_s + (reading - self._clock) / _SCALE / self._theta_Bps

    def _clock_now(self) -> int:
        if self._now_s == self._since_s or self._theta_Bps == math.inf:
            return self._clock
        return self._clock + _exact(self._theta_Bps * (self._now_s - self._since_s))

    def _served(self, kind: _Class) -> int:
        if kind.running:
            return kind.served + _exact(kind.cap_Bps * (self._now_s - kind.since_s))
        return self._clock_now() + kind.lead

    def _left(self, flow: int) -> int:
        if flow in self._joining:
            return self._joining[flow]
        kind, reading = self._at[flow]
        return max(0, reading - self._served(kind))

    def _leave(self, flow: int) -> None:
        kind, _ = self._at.pop(flow)
        self._count(kind, -1)

    def _count(self, kind: _Class, more: int) -> None:
        kind.count += more
        if kind.capped:
            self._taken += more * kind.exact
        else:
            self._free += more
        self._touched[kind] = None

    def _settle(self) -> None:
        """Classes, sides and theta of this instant: functions of who is there, not of who came."""
        if not self._stale:
            return
        self._stale = False
        joining = [(flow, self._joining.get(flow), cap) for flow, cap in self._caps_Bps.items()]
        for i, (flow, left, cap_Bps) in enumerate(joining):
            if left is None:
                if cap_Bps == self._at[flow][0].cap_Bps:
                    continue
                joining[i] = flow, self._left(flow), cap_Bps
                self._leave(flow)
            self._count(self._class(cap_Bps), 1)
        self._joining.clear()
        self._caps_Bps.clear()
        self._clock, self._since_s = self._clock_now(), self._now_s
        for kind in [kind for kind in self._touched if not kind.count]:
            self._forget(kind)
        self._balance()
        assert not self._free or self._capacity < _UNLIMITED, (
            "every flow has a finite cap or crosses a finite link"
        )
        room = self._capacity - self._taken
        self._theta_Bps = room / (self._free * _SCALE) if self._free else math.inf
        for kind in self._touched:
            self._switch(kind)
        for flow, left, cap_Bps in joining:
            kind = self._classes[cap_Bps]
            if flow not in self._at and left is not None:
                reading = self._served(kind) + left
                self._at[flow] = kind, reading
                heappush(kind.flows, (reading, flow))
        for kind in self._touched:
            self._queue(kind)
        self._touched.clear()

    def _class(self, cap_Bps: float) -> _Class:
        if (kind := self._classes.get(cap_Bps)) is None:
            kind = self._classes[cap_Bps] = _Class(cap_Bps, _exact(cap_Bps))
            self._free_by_cap.put(cap_Bps, cap_Bps)
        return kind

    def _forget(self, kind: _Class) -> None:
        del self._classes[kind.cap_Bps], self._touched[kind]
        by_cap, by_finish = (
            (self._capped_by_cap, self._capped_by_finish)
            if kind.capped
            else (self._free_by_cap, self._free_by_reading)
        )
        by_cap.drop(kind.cap_Bps)
        by_finish.drop(kind.cap_Bps)

    def _balance(self) -> None:
        """Move classes until max capped <= theta < min free. Every move raises theta, so it ends.

        Whoever is at most theta when it moves is so ever after; hence at most two moves a class.
        """
        moved = True
        while moved:
            moved = False
            while (cap_Bps := self._free_by_cap.first()[1]) < math.inf:
                kind = self._classes[cap_Bps]
                if kind.exact * self._free > self._capacity - self._taken:
                    break
                self._move(kind, self._free_by_cap, self._capped_by_cap, -cap_Bps)
            while (cap_Bps := self._capped_by_cap.first()[1]) < math.inf:
                kind = self._classes[cap_Bps]
                if kind.exact * self._free <= self._capacity - self._taken:
                    break
                self._move(kind, self._capped_by_cap, self._free_by_cap, cap_Bps)
                moved = True

    def _move(self, kind: _Class, here: Queue, there: Queue, key: float) -> None:
        count = kind.count
        self._count(kind, -count)
        kind.capped = not kind.capped
        self._count(kind, count)
        here.drop(kind.cap_Bps)
        there.put(kind.cap_Bps, key)

    def _switch(self, kind: _Class) -> None:
        """Let the clock of a class run on its side from now on."""
        if kind.running is kind.capped:
            return
        served = 0 if kind.running is None else self._served(kind)
        self.crossings += kind.running is not None
        kind.running = kind.capped
        kind.served, kind.since_s = served, self._now_s
        kind.lead = served - self._clock

    def _queue(self, kind: _Class) -> None:
        """Put the class where its next flow belongs in the order of finishes."""
        if len(kind.flows) > 2 * kind.count + 16:
            kind.flows = [(at, flow) for at, flow in kind.flows if self._at.get(flow) == (kind, at)]
            heapify(kind.flows)
        while kind.flows and self._at.get(kind.flows[0][1]) != (kind, kind.flows[0][0]):
            heappop(kind.flows)
        if not kind.flows:
            self._capped_by_finish.drop(kind.cap_Bps)
            self._free_by_reading.drop(kind.cap_Bps)
            return
        reading = kind.flows[0][0]
        if not kind.running:
            self._capped_by_finish.drop(kind.cap_Bps)
            self._free_by_reading.put(kind.cap_Bps, reading - kind.lead)
            return
        self._free_by_reading.drop(kind.cap_Bps)
        ahead_B = (reading - kind.served) / _SCALE
        if ahead_B <= 0:
            finish_s = self._now_s
        else:
            finish_s = kind.since_s + ahead_B / kind.cap_Bps if kind.cap_Bps else math.inf
        # Rounding may put it a little before now, where time cannot go.
        self._capped_by_finish.put(kind.cap_Bps, max(self._now_s, finish_s))
