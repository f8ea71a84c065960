"""Max-min fair sharing of links among flows. No SimPy, no clients: links, flows, bytes, seconds.

Between two events (a flow joins, leaves, finishes or changes its cap; a link changes capacity)
every rate is constant, so a finish time is a division, not an integration. The rates are those of
max-min fairness: no flow can get more without taking from one that has no more than it.

Flows that share no link, not even through others, are solved apart. A part whose flows all cross
one link, its hub, and share at most one more link each (two messages of one client, say), is a
`Star`: within such an access link the flows divide it among themselves, which caps each of them
at the hub. Any other part is a `Mesh`, solved anew at each event.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from emulator.network.filling import max_min_rates
from emulator.network.mesh import Mesh
from emulator.network.queue import Queue
from emulator.network.star import Star


@dataclass(slots=True)
class _Flow:
    links: tuple[int, ...]
    size_B: float
    cap_Bps: float
    part: "_Part" = field(init=False)


@dataclass(slots=True, eq=False)
class _Part:
    number: int
    hub: int | None  # the link that all flows of a star cross; a mesh has none
    rates: Star | Mesh


class Fluid:
    """Links, the flows on them, and when each flow finishes.

    Every method that takes `now_s` (seconds) first lets time run until then; `now_s` never
    decreases. Rates are found again once per instant, when somebody needs to know, however many
    flows joined or left in it. Links that no flow crosses cost nothing but their capacity's memory.
    """

    def __init__(self, capacities_Bps: ArrayLike) -> None:
        """`capacities_Bps`: one per link, bytes/s, zero or more, copied. A link is its index."""
        capacity_Bps = np.asarray(capacities_Bps, dtype=np.float64)
        assert capacity_Bps.ndim == 1
        assert (capacity_Bps >= 0).all(), "capacities are numbers, zero or more"
        self._capacity_Bps: list[float] = capacity_Bps.tolist()
        self._flows: dict[int, _Flow] = {}
        self._users: dict[int, dict[int, None]] = {}  # by link that is in use: its flows
        self._finished: dict[int, float] = {}  # size_B, until `advance`; in the order of finishes
        self._parts: dict[int, _Part] = {}  # by number
        self._next = Queue()  # of the numbers of parts: when each has its next finish
        self._next_s = math.inf  # the first of them
        self._stale: dict[_Part, None] = {}  # parts whose next finish is to be found
        self._loosened: dict[_Part, None] = {}  # of those, meshes that lost a flow: stars by now?
        self._started = self._numbered = 0
        self._now_s = -math.inf

    def start(
        self, now_s: float, links: Sequence[int], size_B: float, cap_Bps: float = math.inf
    ) -> int:
        """Let `size_B` bytes flow over `links`, at `cap_Bps` at most. Returns the flow's id.

        Ids count up from 0. No bytes finish at once. A flow needs a finite cap or link.
        """
        assert 0 <= size_B < math.inf
        assert cap_Bps >= 0
        assert not links or 0 <= min(links) <= max(links) < len(self._capacity_Bps)
        assert len(set(links)) == len(links), "a flow crosses a link once"
        self._run_until(now_s)
        flow, self._started = self._started, self._started + 1
        self._join(flow, tuple(links), size_B, cap_Bps)
        return flow

    def cancel(self, now_s: float, flow: int) -> float:
        """Take a flow out; `advance` will not tell of it. Returns the bytes delivered until now."""
        self._run_until(now_s)
        if (finished_B := self._finished.pop(flow, None)) is not None:
            return finished_B
        at = self._flows[flow]
        left_B = at.part.rates.remove(now_s, flow)
        self._leave([flow])
        return at.size_B - left_B

    def set_cap(self, now_s: float, flow: int, cap_Bps: float) -> None:
        """Limit a flow to `cap_Bps` from now on. One that has finished by now stays finished."""
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
        """Let a link carry `capacity_Bps` from now on; at zero, its flows wait."""
        assert capacity_Bps >= 0
        assert 0 <= link < len(self._capacity_Bps)
        self._run_until(now_s)
        self._capacity_Bps[link] = capacity_Bps
        if not (users := self._users.get(link)):
            return
        part = self._flows[next(iter(users))].part
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
        """When the next flow finishes if nothing changes until then, seconds; inf if none does."""
        if self._stale:
            while self._loosened:
                self._regroup(self._loosened.popitem()[0])
            for part in self._stale:
                if part.number in self._parts:
                    self._next.put(part.number, part.rates.next_finish())
            self._stale.clear()
            self._next_s = self._next.first()[0]
        return self._next_s

    def advance(self, now_s: float) -> list[int]:
        """Ids of the flows that finished at or before `now_s`, by finish time, then id. Once each.

        Who wants to know the times advances from `next_finish` to `next_finish`.
        """
        self._run_until(now_s, also_now=True)
        done = list(self._finished)
        self._finished.clear()
        return done

    def _run_until(self, now_s: float, also_now: bool = False) -> None:
        assert now_s >= self._now_s, f"time ran back from {self._now_s} to {now_s} s"
        assert now_s < math.inf, "nothing happens at the end of time"
        if now_s == self._now_s and not also_now:
            return
        # One instant at a time: whoever finishes leaves its share to the others from then on.
        while (finish_s := self.next_finish()) <= now_s:
            self._now_s = finish_s
            done: list[int] = []
            for number in self._next.take(finish_s):
                done += self._parts[int(number)].rates.finish(finish_s)
            self._finished |= {flow: self._flows[flow].size_B for flow in sorted(done)}
            self._leave(done)
        self._now_s = now_s

    # --- who belongs together

    def _join(self, flow: int, links: tuple[int, ...], size_B: float, cap_Bps: float) -> None:
        parts: dict[_Part, None] = {}
        for link in links:
            users = self._users.setdefault(link, {})
            if users:
                parts[self._flows[next(iter(users))].part] = None
            users[flow] = None
        self._flows[flow] = _Flow(links, size_B, cap_Bps)
        if len(parts) == 1:
            (part,) = parts
            if part.hub in links and self._nests(part.hub, links):
                self._add(part, {flow: size_B})
                return
        # All that the flow ties together. Flows that move are rounded: the largest mesh stays.
        flows = [flow, *(other for part in parts for other in part.rates.flows)]
        hub = self._hub(flows)
        meshes = [part for part in parts if hub is None and part.hub is None]
        stays = max(meshes, key=lambda part: len(part.rates.flows), default=None)
        left_B = {flow: size_B}
        for part in [part for part in parts if part is not stays]:
            left_B |= self._dissolve(part)
        self._add(stays or self._new_part(hub), left_B)

    def _leave(self, flows: list[int]) -> None:
        """Forget flows that their part has let go; who shared an access link with one, gains."""
        parts: dict[_Part, None] = {}
        freed: dict[int, None] = {}
        for flow in flows:
            at = self._flows.pop(flow)
            part, hub = at.part, at.part.hub
            for link in at.links:
                users = self._users[link]
                del users[flow]
                if not users:
                    del self._users[link]
                elif hub is not None and link != hub:
                    freed[link] = None
            parts[part] = None
        self._stale |= parts
        for part in parts:
            if part.hub is None:
                self._loosened[part] = None
            elif not part.rates.flows:
                self._dissolve(part)
        if freed:
            self._recap(next(iter(self._users[link])) for link in freed if link in self._users)

    def _regroup(self, part: _Part) -> None:
        """Take a mesh apart where nothing ties it together any more."""
        groups, rest = [], dict.fromkeys(part.rates.flows)
        while rest:
            group = [rest.popitem()[0]]
            for flow in group:  # grows
                for link in self._flows[flow].links:
                    for other in self._users[link]:
                        if rest.pop(other, other) is None:
                            group.append(other)
            groups.append(group)
        if len(groups) == 1 and self._hub(groups[0]) is None:
            return
        left_B = self._dissolve(part)
        for group in groups:
            self._add(self._new_part(self._hub(group)), {flow: left_B[flow] for flow in group})

    def _hub(self, flows: Sequence[int]) -> int | None:
        """The link that makes a star of these flows; the last of them, so that it is always one."""
        for link in sorted(self._flows[flows[0]].links, reverse=True):
            if len(self._users[link]) == len(flows) and all(
                self._nests(link, self._flows[flow].links) for flow in flows
            ):
                return link
        return None

    def _nests(self, hub: int | None, links: Iterable[int]) -> bool:
        """Whether every flow on `links` shares at most one link besides the hub."""
        for link in links:
            if link != hub and len(self._users[link]) > 1:
                return all(len(self._shared(flow, hub)) <= 1 for flow in self._users[link])
        return True

    def _shared(self, flow: int, hub: int | None) -> list[int]:
        links = self._flows[flow].links
        return [link for link in links if link != hub and len(self._users[link]) > 1]

    def _new_part(self, hub: int | None) -> _Part:
        rates: Star | Mesh = Mesh(self._capacity_Bps)
        if hub is not None:
            rates = Star(self._now_s, self._capacity_Bps[hub])
        self._numbered += 1
        part = self._parts[self._numbered] = _Part(self._numbered, hub, rates)
        return part

    def _dissolve(self, part: _Part) -> dict[int, float]:
        """Take a part out. Returns the bytes that each of its flows has left."""
        del self._parts[part.number]
        self._next.drop(part.number)
        self._stale[part] = None
        self._loosened.pop(part, None)
        return {flow: part.rates.remove(self._now_s, flow) for flow in list(part.rates.flows)}

    def _add(self, part: _Part, left_B: dict[int, float]) -> None:
        self._stale[part] = None
        for flow, left in left_B.items():
            at = self._flows[flow]
            at.part = part
            if isinstance(part.rates, Mesh):
                part.rates.add(self._now_s, flow, left, at.links, at.cap_Bps)
            else:
                part.rates.add(self._now_s, flow, left, self._own_cap(at, part.hub))
        if part.hub is not None:
            self._recap([flow for flow in left_B if self._shared(flow, part.hub)])

    def _recap(self, flows: Iterable[int]) -> None:
        """Find the caps at the hub of flows of a star, and of those that share their access."""
        done: dict[int, None] = {}
        for flow in flows:
            if flow in done:
                continue
            part = self._flows[flow].part
            self._stale[part] = None
            shared = self._shared(flow, part.hub)
            mates = self._users[shared[0]] if shared else (flow,)
            caps_Bps = [self._own_cap(self._flows[mate], part.hub) for mate in mates]
            if shared and self._capacity_Bps[shared[0]] < math.inf:
                caps_Bps = max_min_rates(self._capacity_Bps, [shared] * len(caps_Bps), caps_Bps)
            for mate, cap_Bps in zip(mates, caps_Bps, strict=True):
                part.rates.set_cap(self._now_s, mate, cap_Bps)
            done |= dict.fromkeys(mates)

    def _own_cap(self, flow: _Flow, hub: int | None) -> float:
        cap_Bps = flow.cap_Bps
        for link in flow.links:
            cap_Bps = cap_Bps if link == hub else min(cap_Bps, self._capacity_Bps[link])
        return cap_Bps
