"""Max-min fair sharing of links among flows. No SimPy, no clients: links, flows, bytes, seconds.

Between two events (a flow joins, leaves, finishes or changes its cap; a link changes capacity)
every rate is constant, so a finish time is a division, not an integration. The rates are those of
max-min fairness: no flow can get more without taking from one that has no more than it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heapreplace

import numpy as np
from numpy.typing import ArrayLike, NDArray


def max_min_rates(
    capacity_Bps: NDArray[np.float64], paths: Sequence[Sequence[int]], caps_Bps: Sequence[float]
) -> list[float]:
    """Rate of each flow, bytes/s: equal shares, raised together until a link or a cap binds.

    Flow i crosses the links `paths[i]` (indices into `capacity_Bps`, each at most once) and never
    exceeds `caps_Bps[i]`. O(n log n) for n flows that share one link; links without a flow cost
    nothing. Source: progressive filling, Bertsekas and Gallager, Data Networks, 2nd ed., 6.5.2.
    """
    users: dict[int, list[int]] = {}
    for flow, path in enumerate(paths):
        for link in path:
            users.setdefault(link, []).append(flow)
    left_Bps = {link: capacity_Bps.item(link) for link in users}
    # A cap is a link that nobody else crosses. Its key, ~flow, is negative: no link has it.
    for flow, cap_Bps in enumerate(caps_Bps):
        if cap_Bps < math.inf:
            users[~flow], left_Bps[~flow] = [flow], cap_Bps
    unfixed = {link: len(flows) for link, flows in users.items()}
    rates = [math.inf] * len(paths)

    # A link's share only grows while others are fixed, so an outdated entry is found too early,
    # never too late, and is put back with the share of today.
    heap = [(left_Bps[link] / unfixed[link], link) for link in users]
    heapify(heap)
    while heap:
        found_Bps, link = heap[0]
        if not unfixed[link]:
            heappop(heap)
            continue
        share_Bps = left_Bps[link] / unfixed[link]
        if share_Bps > found_Bps:
            heapreplace(heap, (share_Bps, link))
            continue
        heappop(heap)
        for flow in users[link]:
            if rates[flow] == math.inf:
                rates[flow] = share_Bps
                for crossed in paths[flow]:
                    left_Bps[crossed] -= share_Bps
                    unfixed[crossed] -= 1
    assert math.inf not in rates, "every flow has a finite cap or crosses a finite link"
    return rates


@dataclass(slots=True)
class _Flow:
    """Bytes under way at a constant rate since `since_s`, when `left_B` of them were missing."""

    links: tuple[int, ...]
    size_B: float
    cap_Bps: float
    left_B: float
    since_s: float
    finish_s: float
    rate_Bps: float = 0.0

    def left_at(self, now_s: float) -> float:
        # Rounding may put the projected finish a little after the last byte.
        return max(0.0, self.left_B - self.rate_Bps * (now_s - self.since_s))

    def change_rate(self, now_s: float, rate_Bps: float) -> None:
        # The same rate keeps the old projection: events elsewhere must not add rounding here.
        if rate_Bps == self.rate_Bps:
            return
        self.left_B, self.since_s = self.left_at(now_s), now_s
        self.rate_Bps = rate_Bps
        if not self.left_B:
            self.finish_s = now_s
        else:
            self.finish_s = now_s + self.left_B / rate_Bps if rate_Bps else math.inf


class Fluid:
    """Links, the flows on them, and when each flow finishes.

    Every method that takes `now_s` (seconds) first lets time run until then; `now_s` never
    decreases. Rates are found again once per instant, when somebody needs to know, however many
    flows joined or left in it. Links that no flow crosses cost nothing but their capacity's memory.
    """

    def __init__(self, capacities_Bps: ArrayLike) -> None:
        """`capacities_Bps`: one per link, bytes/s, zero or more, copied. A link is its index."""
        self._capacity_Bps = np.array(capacities_Bps, dtype=np.float64)
        assert self._capacity_Bps.ndim == 1
        assert (self._capacity_Bps >= 0).all(), "capacities are numbers, zero or more"
        self._flows: dict[int, _Flow] = {}
        self._finished: dict[int, _Flow] = {}  # until `advance` tells
        self._started = 0
        self._now_s = -math.inf
        self._next_s = math.inf
        self._stale = False

    def start(
        self, now_s: float, links: Sequence[int], size_B: float, cap_Bps: float = math.inf
    ) -> int:
        """Let `size_B` bytes flow over `links`, at `cap_Bps` at most. Returns the flow's id.

        Ids count up from 0. No bytes finish at once. A flow needs a finite cap or link.
        """
        assert 0 <= size_B < math.inf
        assert cap_Bps >= 0
        assert all(0 <= link < len(self._capacity_Bps) for link in links)
        assert len(set(links)) == len(links), "a flow crosses a link once"
        self._run_until(now_s)
        flow, self._started = self._started, self._started + 1
        finish_s = math.inf if size_B else now_s
        self._flows[flow] = _Flow(tuple(links), size_B, cap_Bps, size_B, now_s, finish_s)
        self._stale = True
        return flow

    def cancel(self, now_s: float, flow: int) -> float:
        """Take a flow out; `advance` will not tell of it. Returns the bytes delivered until now."""
        self._run_until(now_s)
        if (finished := self._finished.pop(flow, None)) is not None:
            return finished.size_B
        cancelled = self._flows.pop(flow)
        self._stale = True
        return cancelled.size_B - cancelled.left_at(now_s)

    def set_cap(self, now_s: float, flow: int, cap_Bps: float) -> None:
        """Limit a flow to `cap_Bps` from now on. One that has finished by now stays finished."""
        assert cap_Bps >= 0
        self._run_until(now_s)
        if flow not in self._finished:
            self._flows[flow].cap_Bps = cap_Bps
            self._stale = True

    def set_capacity(self, now_s: float, link: int, capacity_Bps: float) -> None:
        """Let a link carry `capacity_Bps` from now on; at zero, its flows wait."""
        assert capacity_Bps >= 0
        assert 0 <= link < len(self._capacity_Bps)
        self._run_until(now_s)
        self._capacity_Bps[link] = capacity_Bps
        self._stale = True

    def rate(self, flow: int) -> float:
        """Bytes/s of an unfinished flow, from the latest `now_s` on."""
        self._solve()
        return self._flows[flow].rate_Bps

    def next_finish(self) -> float:
        """When the next flow finishes if nothing changes until then, seconds; inf if none does."""
        self._solve()
        return self._next_s

    def advance(self, now_s: float) -> list[int]:
        """Ids of the flows that finished at or before `now_s`, by finish time, then id. Once each.

        Who wants to know the times advances from `next_finish` to `next_finish`.
        """
        self._run_until(now_s)
        self._finish_until(now_s)
        done = sorted(self._finished, key=lambda flow: (self._finished[flow].finish_s, flow))
        self._finished.clear()
        return done

    def _run_until(self, now_s: float) -> None:
        assert now_s >= self._now_s, f"time ran back from {self._now_s} to {now_s} s"
        assert now_s < math.inf, "nothing happens at the end of time"
        if now_s > self._now_s:
            self._finish_until(now_s)
            self._now_s = now_s

    def _finish_until(self, now_s: float) -> None:
        # One instant at a time: whoever finishes leaves its share to the others from then on.
        while (finish_s := self.next_finish()) <= now_s:
            self._now_s = finish_s
            for flow in [id for id, f in self._flows.items() if f.finish_s == finish_s]:
                self._finished[flow] = self._flows.pop(flow)
            self._stale = True

    def _solve(self) -> None:
        if not self._stale:
            return
        flows = self._flows.values()
        rates = max_min_rates(
            self._capacity_Bps, [flow.links for flow in flows], [flow.cap_Bps for flow in flows]
        )
        for flow, rate_Bps in zip(flows, rates, strict=True):
            flow.change_rate(self._now_s, rate_Bps)
        self._next_s = min((flow.finish_s for flow in flows), default=math.inf)
        self._stale = False
