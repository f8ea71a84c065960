"""Flows that share one link, each with its own cap: max-min fair, O(log n) an event.

`emulator.network.fairness.star` has the method. Here every flow is a class of its own, bytes are
floats, and there is one link per direction. A flow is named by its direction and slot. The sum of
the caps is kept in two floats, so that what it leaves of the link is exact.
"""

import math

from emulator.network.compiled.heaps import first_item, first_key, first_order, pop, push
from emulator.network.compiled.jit import part
from emulator.network.compiled.layout import (
    AT_S,
    BY_CLOCK,
    BY_TIME,
    CAPACITY_BPS,
    CAPPED,
    CAPPED_CAPS,
    CLOCK_B,
    DONE,
    ENTRIES,
    FLOW_BPS,
    FREE,
    FREE_CAPS,
    HEAP_ITEM,
    HEAP_KEY,
    HEAP_ORDER,
    JOINED,
    KEY,
    LEVEL_BPS,
    ROUNDED_BPS,
    SIDE,
    SINCE_S,
    SIZE,
    SLOTS,
    STALE,
    TAKEN_BPS,
    THEN_B,
    VERSION,
    WAY_HEAPS,
    Floats,
    Ints,
)

NO_SIDE, AT_CAP, AT_LEVEL = 0, 1, 2
ROUNDING = 1e-15  # of a rate, relative
# Flows whose finishes differ by less, relative to the time, finish together: with exact numbers, as
# in the reference, they would.
TOGETHER = 1e-13


@part
def add_cap(f: Floats, way: int, cap_Bps: float) -> None:
    """Adds to the sum of caps, without a rounding error (Knuth's two-sum)."""
    high = f[TAKEN_BPS + way]
    total = high + cap_Bps
    part = total - high
    error = (high - (total - part)) + (cap_Bps - part) + f[ROUNDED_BPS + way]
    f[TAKEN_BPS + way] = total + error
    f[ROUNDED_BPS + way] = error - (f[TAKEN_BPS + way] - total)


@part
def tick(f: Floats, i: Ints, way: int, now_s: float) -> None:
    """Brings V to `now_s`."""
    if now_s > f[AT_S + way]:
        if i[FREE + way] > 0:
            f[CLOCK_B + way] += (now_s - f[AT_S + way]) * f[LEVEL_BPS + way]
        f[AT_S + way] = now_s


@part
def put(f: Floats, i: Ints, heap: int, key: float, slot: int) -> None:
    """Adds a flow to a heap of its direction."""
    if i[SIZE + heap] == i[ENTRIES]:
        clean(f, i, heap)
    push(f, i, heap, key, i[i[VERSION] + heap // WAY_HEAPS * i[SLOTS] + slot], slot)


@part
def clean(f: Floats, i: Ints, heap: int) -> None:
    """Removes old entries: at most one per slot stays."""
    way, size, first = heap // WAY_HEAPS, i[SIZE + heap], heap * i[ENTRIES]
    i[SIZE + heap] = 0
    for entry in range(first, first + size):
        slot, version = i[i[HEAP_ITEM] + entry], i[i[HEAP_ORDER] + entry]
        if version == i[i[VERSION] + way * i[SLOTS] + slot]:
            push(f, i, heap, f[i[HEAP_KEY] + entry], version, slot)


@part
def has_first(f: Floats, i: Ints, heap: int) -> bool:
    """Whether a heap has a flow; old entries before it are removed."""
    versions = i[VERSION] + heap // WAY_HEAPS * i[SLOTS]
    while i[SIZE + heap] > 0:
        if first_order(i, heap) == i[versions + first_item(i, heap)]:
            return True
        pop(f, i, heap)
    return False


@part
def enter(f: Floats, i: Ints, way: int, slot: int, left_B: float, now_s: float, side: int) -> None:
    """Puts a flow that is on no side on `side`."""
    flow, heaps = way * i[SLOTS] + slot, WAY_HEAPS * way
    cap_Bps = f[i[FLOW_BPS] + flow]
    i[i[SIDE] + flow] = side
    i[i[VERSION] + flow] += 1
    if side == AT_CAP:
        i[CAPPED + way] += 1
        add_cap(f, way, cap_Bps)
        f[i[SINCE_S] + flow], f[i[THEN_B] + flow] = now_s, left_B
        key = now_s + left_B / cap_Bps if cap_Bps > 0.0 else math.inf
        put(f, i, heaps + CAPPED_CAPS, -cap_Bps, slot)
        if key < math.inf:
            put(f, i, heaps + BY_TIME, key, slot)
    else:
        i[FREE + way] += 1
        key = f[CLOCK_B + way] + left_B
        put(f, i, heaps + FREE_CAPS, cap_Bps, slot)
        put(f, i, heaps + BY_CLOCK, key, slot)
    f[i[KEY] + flow] = key


@part
def left(f: Floats, i: Ints, way: int, slot: int, now_s: float) -> float:
    """Bytes of a flow that are left; V is at `now_s`."""
    flow = way * i[SLOTS] + slot
    if i[i[SIDE] + flow] == AT_CAP:
        gone_B = f[i[FLOW_BPS] + flow] * (now_s - f[i[SINCE_S] + flow])
        return max(0.0, f[i[THEN_B] + flow] - gone_B)
    return max(0.0, f[i[KEY] + flow] - f[CLOCK_B + way])


@part
def step_out(f: Floats, i: Ints, way: int, slot: int) -> None:
    """Takes a flow off its side."""
    flow = way * i[SLOTS] + slot
    if i[i[SIDE] + flow] == AT_CAP:
        i[CAPPED + way] -= 1
        add_cap(f, way, -f[i[FLOW_BPS] + flow])
        if i[CAPPED + way] == 0:
            f[TAKEN_BPS + way] = f[ROUNDED_BPS + way] = 0.0
    else:
        i[FREE + way] -= 1
        if i[FREE + way] == 0:
            f[CLOCK_B + way] = 0.0
    i[i[SIDE] + flow] = NO_SIDE
    i[i[VERSION] + flow] += 1


@part
def join(
    f: Floats, i: Ints, way: int, slot: int, size_B: float, cap_Bps: float, now_s: float
) -> None:
    """Starts a flow; its side follows from the latest level, and `settle` corrects it."""
    tick(f, i, way, now_s)
    f[i[FLOW_BPS] + way * i[SLOTS] + slot] = cap_Bps
    is_capped = cap_Bps <= f[LEVEL_BPS + way] and cap_Bps < math.inf
    enter(f, i, way, slot, size_B, now_s, AT_CAP if is_capped else AT_LEVEL)
    i[STALE + way] = 1


@part
def leave(f: Floats, i: Ints, way: int, slot: int, now_s: float) -> float:
    """Ends a flow. Returns the bytes that were left."""
    tick(f, i, way, now_s)
    left_B = left(f, i, way, slot, now_s)
    step_out(f, i, way, slot)
    i[STALE + way] = 1
    return left_B


@part
def set_cap(f: Floats, i: Ints, way: int, slot: int, cap_Bps: float, now_s: float) -> None:
    """Limits a flow to `cap_Bps` from `now_s` on."""
    if cap_Bps != f[i[FLOW_BPS] + way * i[SLOTS] + slot]:
        join(f, i, way, slot, leave(f, i, way, slot, now_s), cap_Bps, now_s)


@part
def set_capacity(f: Floats, i: Ints, way: int, capacity_Bps: float, now_s: float) -> None:
    """Sets the capacity of a shared link from `now_s` on."""
    tick(f, i, way, now_s)
    f[CAPACITY_BPS + way] = capacity_Bps
    i[STALE + way] = 1


@part
def cross(f: Floats, i: Ints, heap: int, now_s: float) -> None:
    """Moves the first flow of a heap of caps to the other side."""
    way, slot = heap // WAY_HEAPS, first_item(i, heap)
    pop(f, i, heap)
    left_B = left(f, i, way, slot, now_s)
    step_out(f, i, way, slot)
    is_capped = heap % WAY_HEAPS == FREE_CAPS
    enter(f, i, way, slot, left_B, now_s, AT_CAP if is_capped else AT_LEVEL)


@part
def settle(f: Floats, i: Ints, way: int, now_s: float) -> None:
    """Computes the level of this instant. Every flow that changes sides raises it, so it ends."""
    if not i[STALE + way]:
        return
    i[STALE + way], heaps = 0, WAY_HEAPS * way
    while True:
        spare_Bps = (f[CAPACITY_BPS + way] - f[TAKEN_BPS + way]) - f[ROUNDED_BPS + way]
        if i[FREE + way] > 0:
            level_Bps = spare_Bps / i[FREE + way]
        else:
            level_Bps = math.inf if spare_Bps >= 0.0 else -math.inf
        f[LEVEL_BPS + way] = level_Bps
        # Without the tolerance, rounding could move a flow to and fro forever.
        most_Bps = level_Bps * (1.0 + ROUNDING)
        if (
            has_first(f, i, heaps + CAPPED_CAPS)
            and -first_key(f, i, heaps + CAPPED_CAPS) > most_Bps
        ):
            cross(f, i, heaps + CAPPED_CAPS, now_s)
        elif has_first(f, i, heaps + FREE_CAPS) and first_key(f, i, heaps + FREE_CAPS) < level_Bps:
            cross(f, i, heaps + FREE_CAPS, now_s)
        else:
            return


@part
def time_of(f: Floats, way: int, clock_B: float) -> float:
    """When V reads `clock_B`, seconds; rounding may put V just past it: then now."""
    ahead_B = clock_B - f[CLOCK_B + way]
    if ahead_B <= 0.0:
        return f[AT_S + way]
    if f[LEVEL_BPS + way] <= 0.0:
        return math.inf
    return f[AT_S + way] + ahead_B / f[LEVEL_BPS + way]


@part
def next_finish(f: Floats, i: Ints, way: int) -> float:
    """Time of the next finish if nothing changes until then, seconds; inf if there is none."""
    first_s, heaps = math.inf, WAY_HEAPS * way
    if has_first(f, i, heaps + BY_TIME):
        first_s = first_key(f, i, heaps + BY_TIME)
    if has_first(f, i, heaps + BY_CLOCK):
        first_s = min(first_s, time_of(f, way, first_key(f, i, heaps + BY_CLOCK)))
    return first_s


@part
def finish(f: Floats, i: Ints, way: int, now_s: float) -> int:
    """Removes the flows that finish at `now_s`. Returns their number.

    Part DONE has their slots, in the order in which they joined.
    """
    count, done, joined, heaps = 0, i[DONE], i[JOINED] + way * i[SLOTS], WAY_HEAPS * way
    tick(f, i, way, now_s)
    until_s = now_s * (1.0 + TOGETHER)
    while True:
        if has_first(f, i, heaps + BY_TIME) and first_key(f, i, heaps + BY_TIME) <= until_s:
            slot = first_item(i, heaps + BY_TIME)
        elif (
            has_first(f, i, heaps + BY_CLOCK)
            and time_of(f, way, first_key(f, i, heaps + BY_CLOCK)) <= until_s
        ):
            slot = first_item(i, heaps + BY_CLOCK)
        else:
            return count
        step_out(f, i, way, slot)
        i[STALE + way] = 1
        at = count
        while at > 0 and i[joined + i[done + at - 1]] > i[joined + slot]:
            i[done + at] = i[done + at - 1]
            at -= 1
        i[done + at] = slot
        count += 1
