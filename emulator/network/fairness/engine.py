"""Max-min fair sharing of links among flows: links, flows, bytes, seconds. No SimPy, no clients.

Between two events (a flow joins, leaves, finishes or changes its cap; a link changes capacity)
every rate is constant, so a finish time is a division, not an integration. The rates are max-min
fair: no flow can get more without taking from a flow that has no more than it.

Flows that share no link, not even through others, form separate parts, which are solved separately.
A part whose flows all cross one link, its hub, and share at most one more link each (two messages
of one client), is a `Star`: the share of each flow on such an access link caps it at the hub. Any
other part is a `Mesh`, solved at each event.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from emulator.network.fairness.mesh import Mesh
from emulator.network.fairness.progressive_filling import max_min_rates
from emulator.network.fairness.star import Star


@dataclass(slots=True)
class _Flow:
    links: tuple[int, ...]
    size_B: float
    cap_Bps: float
    part: "_Part" = field(init=False)


@dataclass(slots=True, eq=False)
class _Part:
    hub: int | None  # the link that all flows of a star cross; None for a mesh
    rates: Star | Mesh
    next_s: float = math.inf  # when its next flow finishes


class FlowEngine:
    """Links, the flows on them, and when each flow finishes.

    Every method with `now_s` (seconds, never decreasing) first advances the time to it. Rates are
    computed once per instant, when they are needed, however many flows joined or left in it. A link
    without flows needs only the memory of its capacity.
    """

    def __init__(self, capacities_Bps: ArrayLike) -> None:
        """`capacities_Bps`: one per link, bytes/s, zero or more, copied. A link is its index."""
        capacity_Bps = np.asarray(capacities_Bps, dtype=np.float64)
        assert capacity_Bps.ndim == 1
        assert (capacity_Bps >= 0).all(), "capacities are numbers, zero or more"
        self._capacity_Bps: list[float] = capacity_Bps.tolist()
        self._flows: dict[int, _Flow] = {}
        self._lone: dict[int, int] = {}  # by link with one flow: this flow
        self._crowds: dict[int, dict[int, None]] = {}  # by link with several flows: these
        self._finished: dict[int, float] = {}  # size_B, until `advance`; in order of finish
        self._parts: dict[_Part, None] = {}  # few: all messages of a network cross its server
        self._next_s = math.inf  # next finish of any part
        self._stale: dict[_Part, None] = {}  # parts whose next finish must be computed
        self._loosened: dict[_Part, None] = {}  # of these, meshes that lost a flow: maybe stars now
        self._started, self._now_s = 0, -math.inf

    def start(
        self, now_s: float, links: Sequence[int], size_B: float, cap_Bps: float = math.inf
    ) -> int:
        """Starts a flow of `size_B` bytes over `links`, at `cap_Bps` at most. Returns its id.

        Ids count up from 0. A flow of no bytes ends at once. A flow needs a finite cap or link.
        """
        assert 0 <= size_B < math.inf
        assert cap_Bps >= 0
        if now_s != self._now_s:
            self._run_until(now_s)
        flow, self._started = self._started, self._started + 1
        self._join(flow, tuple(links), size_B, cap_Bps)
        return flow

    def cancel(self, now_s: float, flow: int) -> float:
        """Removes a flow; `advance` does not return it. Returns the bytes delivered so far."""
        self._run_until(now_s)
        if (finished_B := self._finished.pop(flow, None)) is not None:
            return finished_B
        at = self._flows[flow]
        left_B = at.part.rates.remove(now_s, flow)
        self._leave(at.part, [flow])
        return self._flows.pop(flow).size_B - left_B

    def set_cap(self, now_s: float, flow: int, cap_Bps: float) -> None:
        """Limits a flow to `cap_Bps` from `now_s` on. A finished flow stays finished."""
        assert cap_Bps >= 0
        self._run_until(now_s)
        if flow in self._finished:
            return
        at = self._flows[flow]
        at.cap_Bps, self._stale[at.part] = cap_Bps, None
        if at.part.hub is None:
            at.part.rates.set_cap(now_s, flow, cap_Bps)
        else:
            self._recap([flow])

    def set_capacity(self, now_s: float, link: int, capacity_Bps: float) -> None:
        """Sets the capacity of a link from `now_s` on; at zero, its flows wait."""
        assert capacity_Bps >= 0
        assert 0 <= link < len(self._capacity_Bps)
        self._run_until(now_s)
        self._capacity_Bps[link] = capacity_Bps
        if not (users := self._users(link)):
            return
        part = self._flows[next(reversed(users))].part
        self._stale[part] = None
        if isinstance(part.rates, Mesh):
            part.rates.change(now_s)
        elif link == part.hub:
            part.rates.set_capacity(now_s, capacity_Bps)
        else:
            self._recap(users)

    def rate(self, flow: int) -> float:
        """Bytes/s of an unfinished flow, from the latest `now_s` on."""
        self.next_finish()
        return self._flows[flow].part.rates.rate(flow)

    def next_finish(self) -> float:
        """Time of the next finish if nothing changes until then, seconds; inf if there is none."""
        if self._stale:
            while self._loosened:
                self._regroup(self._loosened.popitem()[0])
            next_s = math.inf
            for part in self._parts:
                if part in self._stale:
                    part.next_s = part.rates.next_finish()
                # min() costs more than all of this (docs/background/performance.md).
                next_s = part.next_s if part.next_s < next_s else next_s
            self._stale.clear()
            self._next_s = next_s
        return self._next_s

    def advance(self, now_s: float) -> list[int]:
        """Ids of flows that finished at or before `now_s`, by finish time, then id; each only once.

        To know the finish times, advance from `next_finish` to `next_finish`.
        """
        self._run_until(now_s, also_now=True)
        done = [*self._finished]
        self._finished.clear()
        return done

    def _run_until(self, now_s: float, also_now: bool = False) -> None:
        assert self._now_s <= now_s < math.inf, f"time ran back from {self._now_s} to {now_s} s"
        if now_s == self._now_s and not also_now:
            return
        if self._stale:
            self.next_finish()
        # One instant at a time: the others get the share of a finished flow from then on.
        while self._next_s <= now_s:
            finish_s = self._now_s = self._next_s
            done: list[int] = []
            for part in [*self._parts]:  # some may be dissolved
                if part.next_s <= finish_s:
                    flows = part.rates.finish(finish_s)
                    self._leave(part, flows)
                    done += flows
            done.sort()
            for flow in done:
                self._finished[flow] = self._flows.pop(flow).size_B
            self.next_finish()
        self._now_s = now_s

    # --- parts

    def _join(self, flow: int, links: tuple[int, ...], size_B: float, cap_Bps: float) -> None:
        parts: dict[_Part, None] = {}
        met: list[int] = []
        lone, crowds, count = self._lone, self._crowds, len(self._capacity_Bps)
        for link in links:
            assert 0 <= link < count
            if (users := crowds.get(link)) is None:
                if link not in lone:
                    lone[link] = flow
                    continue
                users = crowds[link] = {lone.pop(link): None}
            assert flow not in users, "a flow crosses a link once"
            parts[self._flows[next(reversed(users))].part] = None  # the last is found in O(1)
            met.append(link)
            users[flow] = None
        self._flows[flow] = _Flow(links, size_B, cap_Bps)
        if len(parts) == 1:
            (part,) = parts
            if part.hub in met and (len(met) == 1 or self._nests(part.hub, flow)):
                self._add(part, flow, size_B)
                if len(met) > 1:
                    self._recap([flow])
                return
        # Join all parts that the flow connects. Moves round bytes, so the largest mesh stays.
        hub = self._hub([flow, *(other for part in parts for other in part.rates.flows)])
        meshes = [part for part in parts if hub is None and part.hub is None]
        stays = max(meshes, key=lambda part: len(part.rates.flows), default=None)
        left_B = {flow: size_B}
        for part in [part for part in parts if part is not stays]:
            left_B |= self._dissolve(part)
        self._gather(stays or self._new_part(hub), left_B)

    def _leave(self, part: _Part, flows: list[int]) -> None:
        """Removes the flows that left `part` from their links; flows on freed links gain."""
        self._stale[part] = None
        freed: dict[int, None] = {}
        hub, lone, crowds = part.hub, self._lone, self._crowds
        for flow in flows:
            for link in self._flows[flow].links:
                if link in lone:
                    del lone[link]
                    continue
                crowd = crowds[link]
                del crowd[flow]
                if len(crowd) == 1:
                    (lone[link],) = crowds.pop(link)
                if link != hub:
                    freed[link] = None
        if hub is None:
            self._loosened[part] = None
        elif hub not in crowds and hub not in lone:
            self._dissolve(part)
        elif freed:
            self._recap(next(reversed(users)) for link in freed if (users := self._users(link)))

    def _users(self, link: int) -> tuple[int, ...] | dict[int, None]:
        """The flows on a link, oldest first."""
        return self._crowds.get(link) or ((self._lone[link],) if link in self._lone else ())

    def _regroup(self, part: _Part) -> None:
        """Splits a mesh that is no longer connected, or turns it into a star."""
        groups, rest = [], dict.fromkeys(part.rates.flows)
        while rest:
            group = [rest.popitem()[0]]
            for flow in group:  # `group` grows meanwhile
                for link in self._flows[flow].links:
                    for other in self._users(link):
                        if rest.pop(other, other) is None:
                            group.append(other)
            groups.append(group)
        if len(groups) == 1 and self._hub(groups[0]) is None:
            return
        left_B = self._dissolve(part)
        for group in groups:
            self._gather(self._new_part(self._hub(group)), {flow: left_B[flow] for flow in group})

    def _hub(self, flows: Sequence[int]) -> int | None:
        """The hub if these flows form a star: the last such link, to be unique; otherwise None."""
        for link in sorted(self._flows[flows[0]].links, reverse=True):
            if len(self._users(link)) == len(flows) and all(self._nests(link, f) for f in flows):
                return link
        return None

    def _nests(self, hub: int | None, flow: int) -> bool:
        """Whether it, and all flows on its access link, share at most one link besides the hub."""
        shared = self._shared(flow, hub)
        return not shared or all(len(self._shared(f, hub)) <= 1 for f in self._crowds[shared[0]])

    def _shared(self, flow: int, hub: int | None) -> list[int]:
        links = self._flows[flow].links
        return [link for link in links if link != hub and link in self._crowds]

    def _new_part(self, hub: int | None) -> _Part:
        links_Bps = self._capacity_Bps
        part = _Part(hub, Mesh(links_Bps) if hub is None else Star(self._now_s, links_Bps[hub]))
        self._parts[part] = None
        return part

    def _dissolve(self, part: _Part) -> dict[int, float]:
        """Removes a part. Returns the remaining bytes of each of its flows."""
        del self._parts[part]
        self._stale[part] = None
        self._loosened.pop(part, None)
        return {flow: part.rates.remove(self._now_s, flow) for flow in list(part.rates.flows)}

    def _gather(self, part: _Part, left_B: dict[int, float]) -> None:
        for flow, left in left_B.items():
            self._add(part, flow, left)
        if part.hub is not None:
            self._recap([flow for flow in left_B if self._shared(flow, part.hub)])

    def _add(self, part: _Part, flow: int, left_B: float) -> None:
        at = self._flows[flow]
        at.part, self._stale[part] = part, None
        if isinstance(part.rates, Mesh):
            part.rates.add(self._now_s, flow, left_B, at.links, at.cap_Bps)
        else:
            part.rates.add(self._now_s, flow, left_B, self._own_cap(at, part.hub))

    def _recap(self, flows: Iterable[int]) -> None:
        """Computes the caps at the hub of flows of a star, and of those that share their access."""
        done: dict[int, None] = {}
        for flow in flows:
            if flow in done:
                continue
            part = self._flows[flow].part
            self._stale[part] = None
            shared = self._shared(flow, part.hub)
            mates = self._users(shared[0]) if shared else (flow,)
            caps_Bps = [self._own_cap(self._flows[mate], part.hub) for mate in mates]
            if shared and self._capacity_Bps[shared[0]] < math.inf:
                caps_Bps = max_min_rates(self._capacity_Bps, [shared] * len(caps_Bps), caps_Bps)
            for mate, cap_Bps in zip(mates, caps_Bps, strict=True):
                part.rates.set_cap(self._now_s, mate, cap_Bps)
            done |= dict.fromkeys(mates)

    def _own_cap(self, flow: _Flow, hub: int | None) -> float:
        cap_Bps = flow.cap_Bps
        for link in flow.links:
            if link != hub and self._capacity_Bps[link] < cap_Bps:
                cap_Bps = self._capacity_Bps[link]
        return cap_Bps
