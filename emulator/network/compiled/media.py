"""Rates over half-duplex cells, compiled: max-min fair by progressive filling.

Both directions cross the medium of such a cell, so no link has all flows. At each instant that
changes a rate, those of all flows are computed, O(flows) for each link that is filled, and become
their caps. `star` finds the order of finishes; the server's links are endless there.
"""

import math

from emulator.network.compiled import links, star
from emulator.network.compiled.jit import part
from emulator.network.compiled.layout import (
    CELL,
    CLIENT,
    CLIENTS,
    HALF_DUPLEX,
    LINK_FLOWS,
    LINK_LEFT_BPS,
    OWN_BPS,
    PARTIES,
    SHARE_BPS,
    SIDE,
    SLOTS,
    Floats,
    Ints,
)

CROSSED = 3  # shared links of a path: the server's, the cell's, its medium
NOT_FIXED = -1.0  # the share of a flow that is not known yet; of one that is not active: 0


@part
def crossed(i: Ints, flow: int, nth: int) -> int:
    """The nth shared link that a flow crosses, by direction (2: both) and cell; -1: none."""
    shared, way = i[PARTIES] - i[CLIENTS], flow // i[SLOTS]
    if nth == 0:
        return (way + 1) * shared - 1
    cell = i[i[CELL] + i[i[CLIENT] + flow % i[SLOTS]]]
    if cell < 0 or (nth == 2 and not i[i[HALF_DUPLEX] + cell]):
        return -1
    return (way if nth == 1 else 2) * shared + cell - i[CLIENTS]


@part
def capacity(f: Floats, i: Ints, link: int) -> float:
    """Rate of a shared link in use, bytes/s; a medium is as fast as the faster direction."""
    shared = i[PARTIES] - i[CLIENTS]
    way, party = link // shared, i[CLIENTS] + link % shared
    if way < 2:
        return links.rate_now(f, i, way, party)
    return max(links.rate_now(f, i, 0, party), links.rate_now(f, i, 1, party))


@part
def fix(f: Floats, i: Ints, flow: int, share_Bps: float) -> None:
    """Notes the rate of a flow, which its links have no more."""
    f[i[SHARE_BPS] + flow] = share_Bps
    for nth in range(CROSSED):
        link = crossed(i, flow, nth)
        if link >= 0:
            f[i[LINK_LEFT_BPS] + link] -= share_Bps
            i[i[LINK_FLOWS] + link] -= 1


@part
def begin(f: Floats, i: Ints) -> None:
    """Counts the flows of each shared link; none has a rate."""
    for link in range(CROSSED * (i[PARTIES] - i[CLIENTS])):
        f[i[LINK_LEFT_BPS] + link] = capacity(f, i, link)
        i[i[LINK_FLOWS] + link] = 0
    for flow in range(2 * i[SLOTS]):
        f[i[SHARE_BPS] + flow] = 0.0
        if i[i[SIDE] + flow] != star.NO_SIDE:
            f[i[SHARE_BPS] + flow] = NOT_FIXED
            for nth in range(CROSSED):
                link = crossed(i, flow, nth)
                if link >= 0:
                    i[i[LINK_FLOWS] + link] += 1


@part
def share(f: Floats, i: Ints, link: int) -> float:
    """The share of each flow of a link that has no rate yet, bytes/s."""
    return max(0.0, f[i[LINK_LEFT_BPS] + link] / i[i[LINK_FLOWS] + link])


@part
def narrowest(f: Floats, i: Ints) -> int:
    """The link with the least share; -1 if none is limited."""
    found, least_Bps = -1, math.inf
    for link in range(CROSSED * (i[PARTIES] - i[CLIENTS])):
        if i[i[LINK_FLOWS] + link] > 0 and share(f, i, link) < least_Bps:
            found, least_Bps = link, share(f, i, link)
    return found


@part
def fix_slow(f: Floats, i: Ints, least_Bps: float) -> int:
    """Fixes the flows whose own cap is no more than the least share. Returns their number."""
    count = 0
    for flow in range(2 * i[SLOTS]):
        own_Bps = f[i[OWN_BPS] + flow % i[SLOTS]]
        if f[i[SHARE_BPS] + flow] == NOT_FIXED and own_Bps <= least_Bps:
            fix(f, i, flow, own_Bps)
            count += 1
    return count


@part
def fix_all(f: Floats, i: Ints, link: int, share_Bps: float) -> None:
    """Fixes the flows of a link."""
    for flow in range(2 * i[SLOTS]):
        if f[i[SHARE_BPS] + flow] == NOT_FIXED:
            for nth in range(CROSSED):
                if crossed(i, flow, nth) == link:
                    fix(f, i, flow, share_Bps)


@part
def fill(f: Floats, i: Ints, now_s: float) -> None:
    """Limits each flow to its fair rate from `now_s` on."""
    begin(f, i)
    while True:
        # Without the flows that are slower than a link's share, that share is larger.
        link = narrowest(f, i)
        share_Bps = math.inf if link < 0 else share(f, i, link)
        if fix_slow(f, i, share_Bps) > 0:
            continue
        if link < 0:
            break
        fix_all(f, i, link, share_Bps)
    for flow in range(2 * i[SLOTS]):
        if i[i[SIDE] + flow] != star.NO_SIDE:
            way, slot = flow // i[SLOTS], flow % i[SLOTS]
            star.set_cap(f, i, way, slot, f[i[SHARE_BPS] + flow], now_s)
