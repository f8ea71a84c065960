"""Fast solver for flows that share one link, each with its own cap: max-min rates in O(log n).

Every rate is min(cap, theta): one level theta fills the link. Flows with the same cap form a class
with the same rate, so a class has one clock of bytes served, and a heap of the readings at which
its flows finish. A capped class (cap <= theta) finishes at a known time, independent of the others;
the clocks of all others run at theta, so one common clock V (the integral of theta) orders them.

Cost: O((1 + crossings) log n) per event for n flows, where crossings counts the classes whose side
of theta the event changes. While flows only leave, or only join, theta moves in one direction and
each class crosses at most once: O(log n) per event over the whole run. Equal caps cross as one.

A flow that joins or leaves takes or gives at most theta, and the caps c that cross lose or gain
their distance from it: sum (c - theta) <= theta, the lower of the two. So for caps at distances of
at least d, k (k - 1) d / 2 <= theta: at most sqrt(2 theta / d) + 1 cross, however often flows join
and leave. No better bound holds: with m distinct caps within theta / m above theta, and one flow
that joins and leaves, all m cross each time. A change of capacity has no bound: all may cross.

Clocks and sums of caps are integers (`flow_class`), so the order of simultaneous events changes
nothing.
"""

import math
from collections.abc import KeysView
from heapq import heapify, heappop, heappush

from emulator.network.fairness.flow_class import SCALE, UNIT, UNLIMITED, Entry, FlowClass, exact

SURE = 1e-12  # caps at this relative distance from theta need no exact comparison


class Star:
    """One link and its flows. Changes of one instant take effect together, in no order.

    Each change has its time (`now_s`, seconds, never decreasing); before a change after
    `next_finish`, `finish` must be called at that time.
    """

    def __init__(self, now_s: float, capacity_Bps: float) -> None:
        """`capacity_Bps`: bytes/s of the shared link, zero or more, or infinity."""
        self._capacity = exact(capacity_Bps)
        self._now_s = now_s
        self._clock = 0  # V
        self._theta_Bps = math.inf
        self._next_s = math.inf  # next finish
        self._free = 0  # number of flows that are not capped
        self._taken = 0  # sum of the caps of capped flows
        self._classes: dict[float, FlowClass] = {}
        self._at: dict[int, Entry] = {}  # by flow: its finish
        self._stale = False
        self._changed: dict[FlowClass, None] = {}  # in this instant: whose next finish changed
        self._emptied: list[FlowClass] = []
        # Heaps. Outdated entries stay until they come up.
        self._free_caps: list[float] = []
        self._capped_caps: list[float] = []  # negated: the largest first
        self._by_time: list[tuple[float, float]] = []  # (finish_s, cap) of capped classes
        self._by_clock: list[tuple[int, float]] = []  # (V at the finish, cap) of all others
        self.crossings = 0  # classes that changed sides, for the bound above

    def add(self, now_s: float, flow: int, left_B: float, cap_Bps: float) -> None:
        """Adds a flow with `left_B` bytes, at `cap_Bps` at most."""
        self._change(now_s)
        self._join(flow, exact(left_B), cap_Bps)

    def remove(self, now_s: float, flow: int) -> float:
        """Removes a flow. Returns its remaining bytes."""
        self._change(now_s)
        return self._leave(flow) / SCALE

    def set_cap(self, now_s: float, flow: int, cap_Bps: float) -> None:
        """Limits a flow to `cap_Bps` from `now_s` on."""
        self._change(now_s)
        if cap_Bps != self._at[flow][2].cap_Bps:
            self._join(flow, self._leave(flow), cap_Bps)

    def set_capacity(self, now_s: float, capacity_Bps: float) -> None:
        """Sets the capacity of the link from `now_s` on."""
        self._change(now_s)
        self._capacity = exact(capacity_Bps)

    @property
    def flows(self) -> KeysView[int]:
        """Ids of the flows."""
        return self._at.keys()

    def rate(self, flow: int) -> float:
        """Rate of a flow since the latest change, bytes/s."""
        if self._stale:
            self._settle()
        kind = self._at[flow][2]
        return kind.cap_Bps if kind.capped else self._theta_Bps

    def next_finish(self) -> float:
        """Time of the next finish if nothing changes until then, seconds; inf if there is none."""
        if self._stale:
            self._settle()
        return self._next_s

    def finish(self, now_s: float) -> list[int]:
        """Removes and returns the flows that finish at `now_s`, which is `next_finish`."""
        if self._stale:
            self._settle()
        done: list[int] = []
        by_time, by_clock = self._by_time, self._by_clock
        while by_time and by_time[0][0] <= now_s:
            time_s, cap_Bps = heappop(by_time)
            kind = self._classes.get(cap_Bps)
            if kind is not None and kind.time_s == time_s:
                self._finish(kind, done)
        while by_clock and self._time_of(by_clock[0][0]) <= now_s:
            reading, cap_Bps = heappop(by_clock)
            kind = self._classes.get(cap_Bps)
            if kind is not None and kind.reading == reading:
                self._finish(kind, done)
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
        entry = self._at[flow] = kind.served(self._now_s, self._clock) + left, flow, kind
        heappush(kind.flows, entry)
        self._count(kind, 1)
        if kind.flows[0] is entry:
            self._changed[kind] = None

    def _found(self, cap_Bps: float) -> FlowClass:
        # The side follows from the latest theta; `_settle` corrects it.
        capped = cap_Bps <= self._theta_Bps and cap_Bps < math.inf
        base = 0 if capped else -self._clock
        kind = FlowClass(cap_Bps, exact(cap_Bps), base, self._now_s, capped, capped)
        self._classes[cap_Bps] = kind
        heap, key = (self._capped_caps, -cap_Bps) if capped else (self._free_caps, cap_Bps)
        heappush(heap, key)
        return kind

    def _leave(self, flow: int) -> int:
        """Returns the remaining units of the flow."""
        entry = self._at.pop(flow)
        kind = entry[2]
        self._count(kind, -1)
        if kind.flows[0] is entry:
            self._changed[kind] = None
        if len(kind.flows) > 2 * kind.count + 16:
            kind.flows = [entry for entry in kind.flows if self._at.get(entry[1]) is entry]
            heapify(kind.flows)
        return max(0, entry[0] - kind.served(self._now_s, self._clock))

    def _count(self, kind: FlowClass, more: int) -> None:
        kind.count += more
        if kind.capped:
            self._taken += more * kind.exact
        else:
            self._free += more
        if not kind.count:
            self._emptied.append(kind)

    # --- the order of finishes

    def _time_of(self, reading: int) -> float:
        # Rounding may put V just past the last byte: then it finishes now, not before.
        if reading <= self._clock:
            return self._now_s
        if not self._theta_Bps:
            return math.inf
        return self._now_s + (reading - self._clock) * UNIT / self._theta_Bps

    def _first_s(self) -> float:
        """Time of the next finish of any class; inf if there is none."""
        classes, by_time, by_clock, first_s = self._classes, self._by_time, self._by_clock, math.inf
        while by_time:
            time_s, cap_Bps = by_time[0]
            kind = classes.get(cap_Bps)
            if kind is not None and kind.time_s == time_s:
                first_s = time_s
                break
            heappop(by_time)
        while by_clock:
            reading, cap_Bps = by_clock[0]
            kind = classes.get(cap_Bps)
            if kind is not None and kind.reading == reading:
                finish_s = self._time_of(reading)
                return finish_s if finish_s < first_s else first_s
            heappop(by_clock)
        return first_s

    def _finish(self, kind: FlowClass, done: list[int]) -> None:
        """Removes the flows that finish first in a class."""
        kind.time_s = kind.reading = None
        flows, at, gone = kind.flows, self._at, 0
        while True:
            last, flow, _ = first = heappop(flows)
            if at.get(flow) is first:
                del at[flow]
                done.append(flow)
                gone += 1
            if not flows or flows[0][0] != last:
                break
        self._count(kind, -gone)
        if kind.count:
            self._queue(kind)
        else:
            # Otherwise a flow that joins in this instant would be behind those that left.
            flows.clear()

    def _queue(self, kind: FlowClass) -> None:
        """Inserts a class into the order of finishes by its next flow."""
        flows = kind.flows
        while len(flows) > kind.count and self._at.get(flows[0][1]) is not flows[0]:
            heappop(flows)
        kind.time_s = kind.reading = None
        if flows and kind.running:
            time_s = kind.time_s = kind.finish_s(self._now_s)
            heappush(self._by_time, (time_s, kind.cap_Bps))
        elif flows:
            reading = kind.reading = flows[0][0] - kind.base
            heappush(self._by_clock, (reading, kind.cap_Bps))

    # --- sides

    def _settle(self) -> None:
        """Computes classes, sides and theta of this instant, whatever the order of changes."""
        self._stale = False
        for kind in self._emptied:
            if not kind.count:
                self._classes.pop(kind.cap_Bps, None)
                kind.flows.clear()
        self._emptied.clear()
        theta_Bps = self._theta_Bps = self._level()
        free_caps, capped_caps = self._free_caps, self._capped_caps
        # The first entry of a heap bounds its side, even if it is outdated.
        if (self._free and not theta_Bps * (1 + SURE) < free_caps[0]) or (
            capped_caps and not -capped_caps[0] < theta_Bps * (1 - SURE)
        ):
            for kind in self._balance():
                if kind.running is not kind.capped:
                    is_new = kind.time_s is None and kind.reading is None
                    self.crossings += not is_new
                    kind.switch(self._now_s, self._clock)
                    self._changed[kind] = None
            self._theta_Bps = self._level()
            assert not self._free or self._theta_Bps < math.inf, (
                "every flow has a finite cap or crosses a finite link"
            )
        if self._changed:
            for kind in self._changed:
                if kind.count:
                    self._queue(kind)
            self._changed.clear()
            held = len(free_caps) + len(capped_caps) + len(self._by_time) + len(self._by_clock)
            if held > 4 * len(self._classes) + 64:
                self._sweep()
        self._next_s = self._first_s()

    def _sweep(self) -> None:
        """Rebuilds the heaps, most of whose entries are outdated."""
        kinds, by_time, by_clock = self._classes.values(), self._by_time, self._by_clock
        self._free_caps[:] = sorted(kind.cap_Bps for kind in kinds if not kind.capped)
        self._capped_caps[:] = sorted(-kind.cap_Bps for kind in kinds if kind.capped)
        by_time[:] = sorted((k.time_s, k.cap_Bps) for k in kinds if k.time_s is not None)
        by_clock[:] = sorted((k.reading, k.cap_Bps) for k in kinds if k.reading is not None)

    def _level(self) -> float:
        """Theta, given the sides; without free flows, inf if the capped flows fit, else -inf."""
        left = self._capacity - self._taken
        if not self._free:
            return math.inf if left >= 0 else -math.inf
        return left * UNIT / self._free if self._capacity < UNLIMITED else math.inf

    def _balance(self) -> list[FlowClass]:
        """Moves classes until max capped <= theta < min free. Returns them; some may be back.

        Every move raises theta, so it ends. A class that is at most theta when it moves stays so;
        hence at most two moves per class.
        """
        moved = self._cross(True)
        while freed := self._cross(False):
            moved += freed + self._cross(True)
        return moved

    def _cross(self, capped: bool) -> list[FlowClass]:
        """Moves all classes that belong to this side of theta from the other side."""
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
