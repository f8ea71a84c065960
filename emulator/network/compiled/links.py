"""Rates of links in time, and the fair share of a cell, compiled.

A link whose rate changes is looked up when a flow begins to use it, and at each change while one
does. The share of its cell caps a flow at the server's link: that is max-min fair on a tree.
"""

import math

from emulator.network.compiled import star
from emulator.network.compiled.heaps import first_item, first_key, pop, push
from emulator.network.compiled.jit import part
from emulator.network.compiled.layout import (
    CAP_BPS,
    CELL,
    CHANGE_HEAP,
    CHANGES,
    CLIENT,
    CLIENTS,
    ENTRIES,
    FIRST_IN_CELL,
    HALF_DUPLEX,
    HEAP_ITEM,
    HEAP_KEY,
    LINK_BPS,
    LINK_NOW_BPS,
    MEAN_BPS,
    MEDIA,
    NEXT_CHANGE_S,
    NEXT_IN_CELL,
    OWN_BPS,
    PARTIES,
    PROFILE,
    QUEUED_S,
    SIZE,
    SLOT_OF,
    SLOTS,
    STALE,
    Floats,
    Ints,
)
from emulator.network.compiled.profiles import piece_at, rate_of, start_of


@part
def profile_of(i: Ints, link: int) -> int:
    """The profile of a link; -1: its rate is constant."""
    return i[i[PROFILE] + link] if i[CHANGES] else -1


@part
def rate_alone(f: Floats, i: Ints, way: int, party: int, now_s: float) -> float:
    """Rate of a link at `now_s`, bytes/s; its long-term mean in place of zero."""
    link = way * i[PARTIES] + party
    profile = profile_of(i, link)
    if profile < 0:
        return f[i[LINK_BPS] + link]
    rate_Bps = rate_of(f, i, profile, piece_at(f, i, profile, now_s))
    return rate_Bps if rate_Bps > 0.0 else f[i[MEAN_BPS] + profile]


@part
def rate_now(f: Floats, i: Ints, way: int, party: int) -> float:
    """Rate of a link in use, bytes/s."""
    link = way * i[PARTIES] + party
    return f[i[LINK_BPS if profile_of(i, link) < 0 else LINK_NOW_BPS] + link]


@part
def use(f: Floats, i: Ints, way: int, party: int, now_s: float) -> None:
    """Looks the rate of a link up, from now on, if it changes in time; notes its next change.

    The server's link gets its rate at once; the caller limits the flows of others.
    """
    link = way * i[PARTIES] + party
    profile = profile_of(i, link)
    if profile < 0:
        return
    piece = piece_at(f, i, profile, now_s)
    until_s = start_of(f, i, profile, piece + 1)
    f[i[LINK_NOW_BPS] + link] = rate_of(f, i, profile, piece)
    f[i[NEXT_CHANGE_S] + link] = until_s
    if party == i[PARTIES] - 1:
        rate_Bps = math.inf if i[MEDIA] else f[i[LINK_NOW_BPS] + link]
        star.set_capacity(f, i, way, rate_Bps, now_s)
    if until_s < math.inf and f[i[QUEUED_S] + link] != until_s:
        if i[SIZE + i[CHANGE_HEAP]] == i[ENTRIES]:
            clean(f, i)
        f[i[QUEUED_S] + link] = until_s
        push(f, i, i[CHANGE_HEAP], until_s, link, link)


@part
def unuse(f: Floats, i: Ints, way: int, party: int) -> None:
    """A link is no longer in use."""
    if i[CHANGES]:
        f[i[NEXT_CHANGE_S] + way * i[PARTIES] + party] = math.inf


@part
def clean(f: Floats, i: Ints) -> None:
    """Removes changes of links that are not in use."""
    size, first = i[SIZE + i[CHANGE_HEAP]], i[CHANGE_HEAP] * i[ENTRIES]
    i[SIZE + i[CHANGE_HEAP]] = 0
    for entry in range(first, first + size):
        link, time_s = i[i[HEAP_ITEM] + entry], f[i[HEAP_KEY] + entry]
        if f[i[NEXT_CHANGE_S] + link] == time_s:
            push(f, i, i[CHANGE_HEAP], time_s, link, link)
        elif f[i[QUEUED_S] + link] == time_s:
            f[i[QUEUED_S] + link] = -1.0


@part
def drop(f: Floats, i: Ints) -> None:
    """Removes the first change."""
    link = first_item(i, i[CHANGE_HEAP])
    if f[i[QUEUED_S] + link] == first_key(f, i, i[CHANGE_HEAP]):
        f[i[QUEUED_S] + link] = -1.0
    pop(f, i, i[CHANGE_HEAP])


@part
def next_change(f: Floats, i: Ints) -> float:
    """Time of the next change of a link in use, seconds; inf if there is none."""
    while i[SIZE + i[CHANGE_HEAP]] > 0:
        time_s = first_key(f, i, i[CHANGE_HEAP])
        if f[i[NEXT_CHANGE_S] + first_item(i, i[CHANGE_HEAP])] == time_s:
            return time_s
        drop(f, i)
    return math.inf


@part
def change(f: Floats, i: Ints, now_s: float) -> None:
    """Changes all links whose time has come, and limits their flows."""
    while next_change(f, i) <= now_s:
        link = first_item(i, i[CHANGE_HEAP])
        drop(f, i)
        way, party = link // i[PARTIES], link % i[PARTIES]
        use(f, i, way, party, now_s)
        if party < i[CLIENTS]:
            slot = i[i[SLOT_OF] + party]
            f[i[OWN_BPS] + slot] = min(f[i[CAP_BPS] + slot], rate_now(f, i, way, party))
            limit(f, i, way, slot, now_s)
        elif party < i[PARTIES] - 1:
            limit_cell(f, i, way, party, cell_share(f, i, way, party), now_s)


@part
def limit(f: Floats, i: Ints, way: int, slot: int, now_s: float) -> None:
    """Limits a flow to its own cap, and with it the flows in its cell."""
    cell = i[i[CELL] + i[i[CLIENT] + slot]]
    if i[MEDIA]:
        i[STALE + way] = 1  # `media` limits all flows
    elif cell < 0:
        star.set_cap(f, i, way, slot, f[i[OWN_BPS] + slot], now_s)
    else:
        limit_cell(f, i, way, cell, cell_share(f, i, way, cell), now_s)


@part
def cell_share(f: Floats, i: Ints, way: int, cell: int) -> float:
    """The fair share of a cell, bytes/s: no flow of it gets more."""
    if i[MEDIA]:
        return math.inf
    capacity_Bps, share_Bps, slow_before = rate_now(f, i, way, cell), math.inf, -1
    while True:
        spare_Bps, fast, slow = capacity_Bps, 0, 0
        slot = i[i[FIRST_IN_CELL] + way * i[PARTIES] + cell]
        while slot >= 0:
            own_Bps = f[i[OWN_BPS] + slot]
            if slow_before >= 0 and own_Bps <= share_Bps:
                spare_Bps -= own_Bps
                slow += 1
            else:
                fast += 1
            slot = i[i[NEXT_IN_CELL] + way * i[SLOTS] + slot]
        if fast == 0:
            return math.inf
        if slow == slow_before:
            return share_Bps
        slow_before, share_Bps = slow, max(0.0, spare_Bps / fast)


@part
def limit_cell(f: Floats, i: Ints, way: int, cell: int, share_Bps: float, now_s: float) -> None:
    """Limits the flows of a cell to its share."""
    if i[MEDIA]:
        i[STALE + way] = 1
        return
    slot = i[i[FIRST_IN_CELL] + way * i[PARTIES] + cell]
    while slot >= 0:
        star.set_cap(f, i, way, slot, min(f[i[OWN_BPS] + slot], share_Bps), now_s)
        slot = i[i[NEXT_IN_CELL] + way * i[SLOTS] + slot]


@part
def enter_cell(f: Floats, i: Ints, way: int, slot: int, cell: int, now_s: float) -> float:
    """Adds a flow to its cell. Returns the cell's share."""
    head = i[FIRST_IN_CELL] + way * i[PARTIES] + cell
    if i[head] < 0:
        use(f, i, way, cell, now_s)
        if i[i[HALF_DUPLEX] + cell]:  # its medium is as fast as the faster direction
            use(f, i, 1 - way, cell, now_s)
    i[i[NEXT_IN_CELL] + way * i[SLOTS] + slot] = i[head]
    i[head] = slot
    return cell_share(f, i, way, cell)


@part
def leave_cell(f: Floats, i: Ints, way: int, slot: int, cell: int) -> None:
    """Removes a flow from its cell."""
    head, after = i[FIRST_IN_CELL] + way * i[PARTIES] + cell, i[NEXT_IN_CELL] + way * i[SLOTS]
    if i[head] == slot:
        i[head] = i[after + slot]
    else:
        before = i[head]
        while i[after + before] != slot:
            before = i[after + before]
        i[after + before] = i[after + slot]
    other_way, is_half = 1 - way, i[i[HALF_DUPLEX] + cell]
    other_head = i[FIRST_IN_CELL] + other_way * i[PARTIES] + cell
    if i[head] < 0 and (not is_half or i[other_head] < 0):
        unuse(f, i, way, cell)
        if is_half:
            unuse(f, i, other_way, cell)
