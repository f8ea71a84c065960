"""Max-min fair rates of any flows on any links, computed from scratch."""

import math
from collections.abc import Sequence
from heapq import heapify, heappop, heapreplace


def max_min_rates(
    capacity_Bps: Sequence[float], paths: Sequence[Sequence[int]], caps_Bps: Sequence[float]
) -> list[float]:
    """Rate of each flow, bytes/s: equal shares, raised together until a link or a cap binds.

    Flow i crosses the links `paths[i]` (indices into `capacity_Bps`, each at most once) and never
    exceeds `caps_Bps[i]`. O(n log n) for n flows that share one link; links without flows cost
    nothing. Source: progressive filling, Bertsekas and Gallager, Data Networks, 2nd ed., 6.5.2.
    """
    users: dict[int, list[int]] = {}
    for flow, path in enumerate(paths):
        for link in path:
            users.setdefault(link, []).append(flow)
    left_Bps = {link: capacity_Bps[link] for link in users}
    # A cap is a link that no other flow crosses. Its key, ~flow, is negative, unlike any link.
    for flow, cap_Bps in enumerate(caps_Bps):
        if cap_Bps < math.inf:
            users[~flow], left_Bps[~flow] = [flow], cap_Bps
    unfixed = {link: len(flows) for link, flows in users.items()}
    rates = [math.inf] * len(paths)

    # A link's share only grows while others are fixed, so an outdated entry comes up too early,
    # never too late, and is put back with the current share.
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
