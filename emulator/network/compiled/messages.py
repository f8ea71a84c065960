"""Messages as flights over the links of a star, compiled: `emulator.network.network` and `tcp`."""

import math

from emulator.network.compiled import links, star
from emulator.network.compiled.heaps import first_item, first_key, first_order, pop, push
from emulator.network.compiled.jit import part
from emulator.network.compiled.layout import (
    ASKING,
    ASKS,
    BEGUN_S,
    CAP_BPS,
    CAPPED,
    CELL,
    CLIENT,
    DELAY_S,
    DOWN_RTTS,
    DOWNLOADING,
    ENTRIES,
    EVENT,
    EVENT_HEAP,
    EVENTS,
    FLIGHT_B,
    FLOWS,
    FLUID,
    FREE,
    GIVEN,
    GIVEN_AT,
    GIVEN_B,
    GIVEN_BPS,
    GIVEN_COUNT,
    GIVEN_ROOM,
    GIVEN_S,
    HEAP_ITEM,
    HEAP_KEY,
    HEAP_ORDER,
    INITIAL_B,
    JOINED,
    LEFT_B,
    MOVED_B,
    MSS_B,
    OVERHEAD_B,
    OWN_BPS,
    PARTIES,
    PHASE,
    RATE_BPS,
    READY_S,
    SEGMENT_B,
    SIZE,
    SLOTS,
    SLOW_START,
    TOKEN_BUCKET,
    TRANSPORT,
    UP_RTTS,
    WINDOW_B,
    Floats,
    Ints,
)

# Kinds of events in the queue, in their order at one instant.
FLIGHT, ARRIVAL, COMPUTED = 0, 1, 2
KIND = 1 << 56  # kinds are in the upper bits of an event's order


@part
def schedule(f: Floats, i: Ints, slot: int, kind: int, time_s: float) -> None:
    """Adds the next event of a slot to the queue; a slot waits for one event at most."""
    i[EVENTS] += 1
    order = kind * KIND + i[EVENTS]
    i[i[EVENT] + slot] = order
    if i[SIZE + i[EVENT_HEAP]] == i[ENTRIES]:  # old entries fill it: keep the others
        first = i[EVENT_HEAP] * i[ENTRIES]
        i[SIZE + i[EVENT_HEAP]] = 0
        for entry in range(first, first + i[ENTRIES]):
            other = i[i[HEAP_ITEM] + entry]
            if i[i[EVENT] + other] == i[i[HEAP_ORDER] + entry]:
                push(f, i, i[EVENT_HEAP], f[i[HEAP_KEY] + entry], i[i[HEAP_ORDER] + entry], other)
    push(f, i, i[EVENT_HEAP], time_s, order, slot)


@part
def next_event(f: Floats, i: Ints) -> float:
    """Time of the first event of the queue, seconds; inf if there is none."""
    while i[SIZE + i[EVENT_HEAP]] > 0:
        if i[i[EVENT] + first_item(i, i[EVENT_HEAP])] == first_order(i, i[EVENT_HEAP]):
            return first_key(f, i, i[EVENT_HEAP])
        pop(f, i, i[EVENT_HEAP])
    return math.inf


@part
def way_of(i: Ints, slot: int) -> int:
    """Direction of the message of a slot."""
    return 0 if i[i[PHASE] + slot] == DOWNLOADING else 1


@part
def send(f: Floats, i: Ints, slot: int, nbytes: int, now_s: float) -> None:
    """Starts the message of a slot, in the direction of its phase."""
    client, way = i[i[CLIENT] + slot], way_of(i, slot)
    f[i[BEGUN_S] + slot] = f[i[READY_S] + slot] = now_s
    f[i[MOVED_B] + slot] = f[i[FLIGHT_B] + slot] = 0.0
    rtt_s = 2.0 * f[i[DELAY_S] + client]
    if i[TRANSPORT] == FLUID:
        f[i[LEFT_B] + slot], f[i[WINDOW_B] + slot] = nbytes, math.inf
        f[i[READY_S] + slot] = now_s + rtt_s / 2.0
        queue_flight(f, i, slot)
        return
    rate_Bps, cell = links.rate_alone(f, i, way, client, now_s), i[i[CELL] + client]
    if cell >= 0:
        rate_Bps = min(rate_Bps, links.rate_alone(f, i, way, cell, now_s))
    rate_Bps = min(rate_Bps, links.rate_alone(f, i, way, i[PARTIES] - 1, now_s))
    f[i[RATE_BPS] + slot] = rate_Bps
    if i[TRANSPORT] == GIVEN:
        i[EVENTS] += 1
        i[ASKING] += 1
        i[i[ASKS] + slot], f[i[LEFT_B] + slot] = i[EVENTS], 0.0
        return
    wire_B = nbytes + f[OVERHEAD_B] * math.ceil(nbytes / f[MSS_B])
    base_s = f[DOWN_RTTS if way == 0 else UP_RTTS] * rtt_s
    if i[TOKEN_BUCKET]:
        base_s = max(0.0, base_s - min(wire_B, f[SEGMENT_B]) / rate_Bps)
    f[i[LEFT_B] + slot] = wire_B
    f[i[WINDOW_B] + slot] = f[INITIAL_B] if i[SLOW_START] else math.inf
    f[i[READY_S] + slot] = now_s + base_s
    queue_flight(f, i, slot)


@part
def queue_flight(f: Floats, i: Ints, slot: int) -> None:
    """Schedules the next flight with bytes, or the arrival if there is none."""
    if i[TRANSPORT] == GIVEN:
        first, count = slot * i[GIVEN_ROOM], i[i[GIVEN_COUNT] + slot]
        at = i[i[GIVEN_AT] + slot]
        while at < count and f[i[GIVEN_B] + first + at] == 0.0:
            f[i[READY_S] + slot] += f[i[GIVEN_S] + first + at]
            at += 1
        i[i[GIVEN_AT] + slot] = at
        more = at < count
    else:
        more = f[i[LEFT_B] + slot] > 0.0
    schedule(f, i, slot, FLIGHT if more else ARRIVAL, f[i[READY_S] + slot])


@part
def take_flight(f: Floats, i: Ints, slot: int, now_s: float) -> None:
    """Takes the bytes, the round and the cap of a slot's next flight."""
    size_B, round_s, cap_Bps = f[i[LEFT_B] + slot], 0.0, math.inf
    window_B = f[i[WINDOW_B] + slot]
    if i[TRANSPORT] == GIVEN:
        at = slot * i[GIVEN_ROOM] + i[i[GIVEN_AT] + slot]
        i[i[GIVEN_AT] + slot] += 1
        size_B, round_s = f[i[GIVEN_B] + at], f[i[GIVEN_S] + at]
        cap_Bps = f[i[GIVEN_BPS] + at]
    elif window_B < size_B:
        rate_Bps = f[i[RATE_BPS] + slot]
        whole_s = 2.0 * f[i[DELAY_S] + i[i[CLIENT] + slot]] + f[SEGMENT_B] / rate_Bps
        f[i[WINDOW_B] + slot] = math.inf
        if window_B / rate_Bps < whole_s:
            size_B, round_s = window_B, whole_s
            f[i[WINDOW_B] + slot] = 2.0 * window_B
    f[i[LEFT_B] + slot] -= size_B
    f[i[FLIGHT_B] + slot], f[i[CAP_BPS] + slot] = size_B, cap_Bps
    f[i[READY_S] + slot] = now_s + round_s


@part
def fly(f: Floats, i: Ints, slot: int, now_s: float) -> None:
    """Starts the next flight of a slot: a flow over its client's, its cell's, the server's link."""
    take_flight(f, i, slot, now_s)
    way, client = way_of(i, slot), i[i[CLIENT] + slot]
    if i[FREE + way] + i[CAPPED + way] == 0:
        links.use(f, i, way, i[PARTIES] - 1, now_s)
    links.use(f, i, way, client, now_s)
    own_Bps = min(f[i[CAP_BPS] + slot], links.rate_now(f, i, way, client))
    f[i[OWN_BPS] + slot] = own_Bps
    i[FLOWS] += 1
    i[i[JOINED] + way * i[SLOTS] + slot] = i[FLOWS]
    cell = i[i[CELL] + client]
    if cell < 0:
        star.join(f, i, way, slot, f[i[FLIGHT_B] + slot], own_Bps, now_s)
    else:
        share_Bps = links.enter_cell(f, i, way, slot, cell, now_s)
        star.join(f, i, way, slot, f[i[FLIGHT_B] + slot], min(own_Bps, share_Bps), now_s)
        links.limit_cell(f, i, way, cell, share_Bps, now_s)


@part
def land(f: Floats, i: Ints, way: int, slot: int) -> None:
    """Frees the other links of a flow that left the server's. The caller limits its cell."""
    client = i[i[CLIENT] + slot]
    links.unuse(f, i, way, client)
    if i[FREE + way] + i[CAPPED + way] == 0:
        links.unuse(f, i, way, i[PARTIES] - 1)
    if i[i[CELL] + client] >= 0:
        links.leave_cell(f, i, way, slot, i[i[CELL] + client])
