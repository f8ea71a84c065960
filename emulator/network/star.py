"""Flows that share one link, each with a cap of its own: max-min rates, a logarithm per event.

Every rate is min(cap, theta): one level theta fills the link. Flows with one cap make a class,
served alike, so a class has one clock of bytes served, and a heap of the readings at which its
flows finish. A capped class (cap <= theta) finishes at a known time whatever the others do; the
clocks of all others run at theta, so one common clock V (the integral of theta) orders them.

Cost: O((1 + crossings) log n) per event for n flows, where crossings counts the classes whose
side of theta the event changes. While flows only leave, or only join, theta moves one way and each
class crosses at most once: O(log n) per event over the whole run. Equal caps cross as one.

A flow that joins or leaves takes or gives at most theta, and the caps c that cross lose or gain
their distance from it: sum (c - theta) <= theta, the lower of the two. So where caps lie d apart,
k (k - 1) d / 2 <= theta: at most sqrt(2 theta / d) + 1 cross, however often flows come and go. The
counterexample to anything better: m distinct caps within theta / m above theta, and one flow that
comes and goes; all m cross each time. A change of capacity has no bound: it may cross everybody.

Clocks and sums of caps are whole numbers (`served`), so the order of simultaneous events changes
nothing.
"""

import math
from collections.abc import KeysView
from heapq import heapify, heappop, heappush

from emulator.network.served import SCALE, UNLIMITED, Class, exact

_Heap = list[tuple[float, float]]


class Star:
    """One link and its flows. Changes of one instant take effect together, in no order.

    Time is told with each change (`now_s`, seconds, never decreasing); who lets it run past
    `next_finish` must call `finish` at that time first.
    """

    def __init__(self, now_s: float, capacity_Bps: float) -> None:
        """`capacity_Bps`: bytes/s of the shared link, zero or more, or infinity."""
        self._capacity = exact(capacity_Bps)
        self._now_s = now_s
        self._clock = 0  # V
        self._theta_Bps = math.inf
        self._free = 0  # flows that are not capped
        self._taken = 0  # sum of the caps of those that are
        self._classes: dict[float, Class] = {}
        self._at: dict[int, tuple[Class, tuple[int, int]]] = {}  # by flow: where it finishes
        self._stale = False
        self._changed: dict[Class, None] = {}  # in this instant: their next finish
        self._emptied: list[Class] = []
        # Heaps. What is no longer so is left in until it comes up.
        self._free_caps: list[float] = []
        self._capped_caps: list[float] = []  # negative: the largest first
        self._by_time: _Heap = []  # (finish_s, cap): of capped classes
        self._by_clock: _Heap = []  # (V at the finish, cap): of all others
        self.crossings = 0  # classes that changed sides: what the bound of the module counts

    def add(self, now_s: float, flow: int, left_B: float, cap_Bps: float) -> None:
        """Let `left_B` bytes of a new flow join, at `cap_Bps` at most."""
        self._change(now_s)
        self._join(flow, exact(left_B), cap_Bps)

    def remove(self, now_s: float, flow: int) -> float:
        """Take a flow out. Returns the bytes it had left."""
        self._change(now_s)
        return self._leave(flow) / SCALE

    def set_cap(self, now_s: float, flow: int, cap_Bps: float) -> None:
        """Limit a flow to `cap_Bps` from now on."""
        self._change(now_s)
        if cap_Bps != self._at[flow][0].cap_Bps:
            self._join(flow, self._leave(flow), cap_Bps)

    def set_capacity(self, now_s: float, capacity_Bps: float) -> None:
        """Let the link carry `capacity_Bps` from now on."""
        self._change(now_s)
        self._capacity = exact(capacity_Bps)

    @property
    def flows(self) -> KeysView[int]:
        """Who is there."""
        return self._at.keys()

    def rate(self, flow: int) -> float:
        """Bytes/s of a flow, from the latest change on."""
        if self._stale:
            self._settle()
        kind, _ = self._at[flow]
        return kind.cap_Bps if kind.capped else self._theta_Bps

    def next_finish(self) -> float:
        """When the next flow finishes if nothing changes until then, seconds; inf if none does."""
        if self._stale:
            self._settle()
        return min(self._first(self._by_time), self._time_of(self._first(self._by_clock)))

    def finish(self, now_s: float) -> list[int]:
        """Take out the flows that finish at `now_s`, which is `next_finish`. Returns them."""
        if self._stale:
            self._settle()
        done: list[int] = []
        while self._first(self._by_time) <= now_s:
            self._finish(self._by_time, done)
        while self._time_of(self._first(self._by_clock)) <= now_s:
            self._finish(self._by_clock, done)
        self._change(now_s)
        return done

    def _change(self, now_s: float) -> None:
        if now_s != self._now_s:
            assert now_s > self._now_s
            assert not self._stale
            if self._free:
                self._clock += int(self._theta_Bps * (now_s - self._now_s) * SCALE)
            self._now_s = now_s
        self._stale = True

    # --- one flow, one class

    def _join(self, flow: int, left: int, cap_Bps: float) -> None:
        if (kind := self._classes.get(cap_Bps)) is None:
            kind = self._found(cap_Bps)
        entry = kind.served(self._now_s, self._clock) + left, flow
        self._at[flow] = kind, entry
        heappush(kind.flows, entry)
        self._count(kind, 1)
        if kind.flows[0] is entry:
            self._changed[kind] = None

    def _found(self, cap_Bps: float) -> Class:
        # On the side where theta of just now has it; who is wrong there will be moved.
        capped = cap_Bps <= self._theta_Bps and cap_Bps < math.inf
        base = 0 if capped else -self._clock
        kind = Class(cap_Bps, exact(cap_Bps), base, self._now_s, capped, capped)
        self._classes[cap_Bps] = kind
        heap, key = (self._capped_caps, -cap_Bps) if capped else (self._free_caps, cap_Bps)
        heappush(heap, key)
        return kind

    def _leave(self, flow: int) -> int:
        """Returns what it has left."""
        kind, entry = self._at.pop(flow)
        self._count(kind, -1)
        if kind.flows[0] is entry:
            self._changed[kind] = None
        if len(kind.flows) > 2 * kind.count + 16:
            kind.flows = [entry for entry in kind.flows if self._lives(entry)]
            heapify(kind.flows)
        return max(0, entry[0] - kind.served(self._now_s, self._clock))

    def _lives(self, entry: tuple[int, int]) -> bool:
        at = self._at.get(entry[1])
        return at is not None and at[1] is entry

    def _count(self, kind: Class, more: int) -> None:
        kind.count += more
        if kind.capped:
            self._taken += more * kind.exact
        else:
            self._free += more
        if not kind.count:
            self._emptied.append(kind)

    # --- the order of finishes

    def _time_of(self, clock: float) -> float:
        # Rounding may put V a little past the last byte: finished now, not before.
        if clock <= self._clock:
            return self._now_s
        if not self._theta_Bps or clock == math.inf:
            return math.inf
        return self._now_s + (clock - self._clock) / SCALE / self._theta_Bps

    def _first(self, heap: _Heap) -> float:
        while heap:
            entry = heap[0]
            kind = self._classes.get(entry[1])
            if kind is not None and kind.entry is entry:
                return entry[0]
            heappop(heap)
        return math.inf

    def _finish(self, heap: _Heap, done: list[int]) -> None:
        """The first class in the order loses its first flows."""
        kind = self._classes[heappop(heap)[1]]
        flows, before = kind.flows, len(done)
        reading = flows[0][0]
        while flows and flows[0][0] == reading:
            entry = heappop(flows)
            if self._lives(entry):
                del self._at[entry[1]]
                done.append(entry[1])
        self._count(kind, before - len(done))
        self._queue(kind)

    def _queue(self, kind: Class) -> None:
        """Put a class where its next flow belongs in the order."""
        flows = kind.flows
        while flows and not self._lives(flows[0]):
            heappop(flows)
        kind.entry = None
        if flows and kind.running:
            kind.entry = kind.finish_s(self._now_s), kind.cap_Bps
            heappush(self._by_time, kind.entry)
        elif flows:
            kind.entry = flows[0][0] - kind.base, kind.cap_Bps
            heappush(self._by_clock, kind.entry)

    # --- sides

    def _settle(self) -> None:
        """Classes, sides and theta of this instant: functions of who is there, not of who came."""
        self._stale = False
        for kind in self._emptied:
            if not kind.count:
                self._classes.pop(kind.cap_Bps, None)
        self._emptied.clear()
        for kind in self._balance():
            if kind.running is not kind.capped:
                self.crossings += kind.entry is not None  # or it is new
                kind.switch(self._now_s, self._clock)
                self._changed[kind] = None
        self._theta_Bps = math.inf
        if self._free:
            assert self._capacity < UNLIMITED, (
                "every flow has a finite cap or crosses a finite link"
            )
            self._theta_Bps = (self._capacity - self._taken) / (self._free * SCALE)
        if self._changed:
            for kind in self._changed:
                if kind.count:
                    self._queue(kind)
            self._changed.clear()
            self._sweep()

    def _sweep(self) -> None:
        """Rebuild the heaps once most of what they hold is no longer so."""
        kinds, by_time, by_clock = self._classes.values(), self._by_time, self._by_clock
        held = len(self._free_caps) + len(self._capped_caps) + len(by_time) + len(by_clock)
        if held > 4 * len(kinds) + 64:
            self._free_caps[:] = sorted(kind.cap_Bps for kind in kinds if not kind.capped)
            self._capped_caps[:] = sorted(-kind.cap_Bps for kind in kinds if kind.capped)
            by_time[:] = sorted(kind.entry for kind in kinds if kind.entry and kind.running)
            by_clock[:] = sorted(kind.entry for kind in kinds if kind.entry and not kind.running)

    def _balance(self) -> list[Class]:
        """Move classes until max capped <= theta < min free. Returns them; some may be back.

        Every move raises theta, so it ends. Whoever is at most theta when it moves is so ever
        after; hence at most two moves a class.
        """
        moved = self._cross(True)
        while freed := self._cross(False):
            moved += freed + self._cross(True)
        return moved

    def _cross(self, capped: bool) -> list[Class]:
        """Let everybody who belongs to this side of theta, and is on the other, come over."""
        here, there = self._free_caps, self._capped_caps
        if not capped:
            here, there = there, here
        classes, sign, moved = self._classes, 1 if capped else -1, []
        while here and here[0] < math.inf:
            kind = classes.get(abs(here[0]))
            if kind is not None and kind.capped is not capped:
                if (kind.exact * self._free <= self._capacity - self._taken) is not capped:
                    break
                kind.capped = capped
                self._free -= sign * kind.count
                self._taken += sign * kind.count * kind.exact
                heappush(there, -here[0])
                moved.append(kind)
            heappop(here)
        return moved
