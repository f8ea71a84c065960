"""Flows whose links nest in any way: rates found anew, for all of them, once per instant."""

import math
from collections.abc import KeysView, Sequence
from dataclasses import dataclass

from emulator.network.fairness.progressive_filling import max_min_rates


@dataclass(slots=True)
class _Flow:
    """Bytes under way at a constant rate since `since_s`, when `left_B` of them were missing."""

    links: Sequence[int]
    cap_Bps: float
    left_B: float
    since_s: float
    finish_s: float
    rate_Bps: float = 0.0

    def left_at(self, now_s: float) -> float:
        # Rounding may put the projected finish a little after the last byte.
        return max(0.0, self.left_B - self.rate_Bps * (now_s - self.since_s))

    def change_rate(self, now_s: float, rate_Bps: float) -> None:
        # The same rate keeps the old projection: events that change nothing must not add rounding.
        if rate_Bps == self.rate_Bps:
            return
        self.left_B, self.since_s = self.left_at(now_s), now_s
        self.rate_Bps = rate_Bps
        if not self.left_B:
            self.finish_s = now_s
        else:
            self.finish_s = now_s + self.left_B / rate_Bps if rate_Bps else math.inf


class Mesh:
    """Some links and all flows on them. O(n log n) for each instant in which something changes.

    Time is told with each change (`now_s`, seconds, never decreasing); who lets it run past
    `next_finish` must call `finish` at that time first.
    """

    def __init__(self, capacity_Bps: Sequence[float]) -> None:
        """`capacity_Bps`: one per link, bytes/s; read, never changed; `change` tells of changes."""
        self._capacity_Bps = capacity_Bps
        self._flows: dict[int, _Flow] = {}
        self._now_s = -math.inf
        self._next_s = math.inf
        self._stale = False

    def add(
        self, now_s: float, flow: int, left_B: float, links: Sequence[int], cap_Bps: float
    ) -> None:
        """Let `left_B` bytes of a new flow join, at `cap_Bps` at most."""
        self.change(now_s)
        self._flows[flow] = _Flow(links, cap_Bps, left_B, now_s, math.inf if left_B else now_s)

    def remove(self, now_s: float, flow: int) -> float:
        """Take a flow out. Returns the bytes it had left."""
        self.change(now_s)
        return self._flows.pop(flow).left_at(now_s)

    def set_cap(self, now_s: float, flow: int, cap_Bps: float) -> None:
        """Limit a flow to `cap_Bps` from now on."""
        self.change(now_s)
        self._flows[flow].cap_Bps = cap_Bps

    def change(self, now_s: float) -> None:
        """Find the rates again before they are needed: a link has another capacity from now on."""
        self._now_s, self._stale = now_s, True

    @property
    def flows(self) -> KeysView[int]:
        """Who is there."""
        return self._flows.keys()

    def rate(self, flow: int) -> float:
        """Bytes/s of a flow, from the latest change on."""
        self._settle()
        return self._flows[flow].rate_Bps

    def next_finish(self) -> float:
        """When the next flow finishes if nothing changes until then, seconds; inf if none does."""
        self._settle()
        return self._next_s

    def finish(self, now_s: float) -> list[int]:
        """Take out the flows that finish at `now_s`, which is `next_finish`. Returns them."""
        self._settle()
        done = [flow for flow, at in self._flows.items() if at.finish_s <= now_s]
        for flow in done:
            del self._flows[flow]
        self.change(now_s)
        return done

    def _settle(self) -> None:
        if not self._stale:
            return
        self._stale = False
        flows = self._flows.values()
        rates = max_min_rates(
            self._capacity_Bps, [flow.links for flow in flows], [flow.cap_Bps for flow in flows]
        )
        for flow, rate_Bps in zip(flows, rates, strict=True):
            flow.change_rate(self._now_s, rate_Bps)
        self._next_s = min((flow.finish_s for flow in flows), default=math.inf)
