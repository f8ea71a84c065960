"""General solver: flows on any links; all rates are recomputed once per instant."""

import math
from collections.abc import KeysView, Sequence
from dataclasses import dataclass

from emulator.network.fairness.progressive_filling import max_min_rates


@dataclass(slots=True)
class _Flow:
    """Bytes at a constant rate since `since_s`, when `left_B` of them were missing."""

    links: Sequence[int]
    cap_Bps: float
    left_B: float
    since_s: float
    finish_s: float
    rate_Bps: float = 0.0

    def left_at(self, now_s: float) -> float:
        # Rounding may put the projected finish just after the last byte.
        return max(0.0, self.left_B - self.rate_Bps * (now_s - self.since_s))

    def change_rate(self, now_s: float, rate_Bps: float) -> None:
        # An unchanged rate keeps the old projection, to add no rounding.
        if rate_Bps == self.rate_Bps:
            return
        self.left_B, self.since_s = self.left_at(now_s), now_s
        self.rate_Bps = rate_Bps
        if not self.left_B:
            self.finish_s = now_s
        else:
            self.finish_s = now_s + self.left_B / rate_Bps if rate_Bps else math.inf


class Mesh:
    """Links and all flows on them. O(n log n) per instant with a change.

    Each change has its time (`now_s`, seconds, never decreasing); before a change after
    `next_finish`, `finish` must be called at that time.
    """

    def __init__(self, capacity_Bps: Sequence[float]) -> None:
        """`capacity_Bps`: one per link, bytes/s, not copied; call `change` after changing it."""
        self._capacity_Bps = capacity_Bps
        self._flows: dict[int, _Flow] = {}
        self._now_s = -math.inf
        self._next_s = math.inf
        self._stale = False

    def add(
        self, now_s: float, flow: int, left_B: float, links: Sequence[int], cap_Bps: float
    ) -> None:
        """Adds a flow with `left_B` bytes, at `cap_Bps` at most."""
        self.change(now_s)
        self._flows[flow] = _Flow(links, cap_Bps, left_B, now_s, math.inf if left_B else now_s)

    def remove(self, now_s: float, flow: int) -> float:
        """Removes a flow. Returns its remaining bytes."""
        self.change(now_s)
        return self._flows.pop(flow).left_at(now_s)

    def set_cap(self, now_s: float, flow: int, cap_Bps: float) -> None:
        """Limits a flow to `cap_Bps` from `now_s` on."""
        self.change(now_s)
        self._flows[flow].cap_Bps = cap_Bps

    def change(self, now_s: float) -> None:
        """Marks the rates as stale: a link has another capacity from `now_s` on."""
        self._now_s, self._stale = now_s, True

    @property
    def flows(self) -> KeysView[int]:
        """Ids of the flows."""
        return self._flows.keys()

    def rate(self, flow: int) -> float:
        """Rate of a flow since the latest change, bytes/s."""
        self._settle()
        return self._flows[flow].rate_Bps

    def next_finish(self) -> float:
        """Time of the next finish if nothing changes until then, seconds; inf if there is none."""
        self._settle()
        return self._next_s

    def finish(self, now_s: float) -> list[int]:
        """Removes and returns the flows that finish at `now_s`, which is `next_finish`."""
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
