"""Client tasks in time, compiled: download, compute, upload, many at once.

`begin` starts tasks and `advance` runs until something has to be decided elsewhere: who works next,
what was trained, what a message's flights are.
"""

import math

from emulator.network.compiled import links, media, messages, star
from emulator.network.compiled.heaps import first_item, first_order, pop
from emulator.network.compiled.jit import part
from emulator.network.compiled.layout import (
    ASKING,
    ASKS,
    BEGUN_S,
    CELL,
    CHANGES,
    CLIENT,
    COMPUTE_ROW,
    COMPUTE_S,
    COMPUTING,
    DONE,
    DOWN_B,
    DOWNLOAD_ROW,
    DOWNLOADING,
    ENDED,
    ENDS,
    EVENT,
    EVENT_HEAP,
    FINISH_S,
    FLIGHT_B,
    FLIGHTS,
    FULL,
    GIVEN_AT,
    GIVEN_B,
    GIVEN_BPS,
    GIVEN_COUNT,
    GIVEN_ROOM,
    GIVEN_S,
    IDLE,
    IDLE_CHANGES,
    LEFT_B,
    LIMIT,
    MEDIA,
    MOVED_B,
    NO_UPLOAD,
    NOTHING,
    NOW_S,
    NUMBER,
    PHASE,
    READY_S,
    ROOM,
    ROW_KIND,
    ROW_TASK,
    ROWS,
    SIDE,
    SLOT_OF,
    SLOTS,
    STALE,
    STALLED,
    START_S,
    TRAIN,
    UNKNOWN,
    UP_B,
    UPLOAD_ROW,
    UPLOADING,
    WAITING,
    WAITS,
    Floats,
    Ints,
)
from emulator.network.compiled.messages import ARRIVAL, FLIGHT, KIND

ROUNDING = 1e-12  # of a time, relative
PATIENCE = 1_000_000  # as in `emulator.network.network`


@part
def begin(
    f: Floats,
    i: Ints,
    slot: int,
    number: int,
    client: int,
    down_B: int,
    up_B: int,
    compute_s: float,
) -> None:
    """Starts a task in a free slot, now. `up_B` may be UNKNOWN or NO_UPLOAD."""
    i[i[NUMBER] + slot], i[i[CLIENT] + slot] = number, client
    i[i[DOWN_B] + slot], i[i[UP_B] + slot] = down_B, up_B
    f[i[COMPUTE_S] + slot] = compute_s
    if i[CHANGES]:
        i[i[SLOT_OF] + client] = slot
    i[i[PHASE] + slot] = DOWNLOADING
    messages.send(f, i, slot, down_B, f[NOW_S])


@part
def add_row(f: Floats, i: Ints, kind: int, slot: int, now_s: float) -> None:
    """Adds the row of a phase that ends now."""
    at = i[ROWS]
    i[i[ROW_KIND] + at], i[i[ROW_TASK] + at] = kind, i[i[NUMBER] + slot]
    f[i[START_S] + at], f[i[FINISH_S] + at] = f[i[BEGUN_S] + slot], now_s
    i[ROWS] += 1


@part
def trained(f: Floats, i: Ints, slot: int, up_B: int, compute_s: float) -> None:
    """What a task uploads, and after how long; it may be waiting for it."""
    i[i[UP_B] + slot], f[i[COMPUTE_S] + slot] = up_B, compute_s
    if i[i[PHASE] + slot] == WAITING:
        i[WAITS] -= 1
        compute(f, i, slot, compute_s, f[NOW_S])


@part
def compute(f: Floats, i: Ints, slot: int, seconds: float, now_s: float) -> None:
    """Starts, or continues, the computation of a task."""
    i[i[PHASE] + slot], f[i[BEGUN_S] + slot] = COMPUTING, now_s
    if seconds > 0.0:
        messages.schedule(f, i, slot, messages.COMPUTED, now_s + seconds)
    else:
        computed(f, i, slot, now_s)


@part
def computed(f: Floats, i: Ints, slot: int, now_s: float) -> None:
    """After the computation: uploads, if there is something."""
    add_row(f, i, COMPUTE_ROW, slot, now_s)
    if i[i[UP_B] + slot] == NO_UPLOAD:
        i[i[PHASE] + slot] = IDLE
        i[ENDS] += 1
        return
    i[i[PHASE] + slot] = UPLOADING
    messages.send(f, i, slot, i[i[UP_B] + slot], now_s)


@part
def arrive(f: Floats, i: Ints, slot: int, now_s: float) -> None:
    """After the last byte of a message."""
    if i[i[PHASE] + slot] == UPLOADING:
        add_row(f, i, UPLOAD_ROW, slot, now_s)
        i[i[PHASE] + slot] = IDLE
        i[ENDS] += 1
        return
    add_row(f, i, DOWNLOAD_ROW, slot, now_s)
    if i[i[UP_B] + slot] == UNKNOWN:
        i[i[PHASE] + slot], f[i[BEGUN_S] + slot] = WAITING, now_s
        i[WAITS] += 1
    else:
        compute(f, i, slot, f[i[COMPUTE_S] + slot], now_s)


@part
def finish(f: Floats, i: Ints, way: int, now_s: float) -> None:
    """Ends all flights of a direction that finish now."""
    count = star.finish(f, i, way, now_s)
    for at in range(count):
        slot = i[i[DONE] + at]
        i[IDLE_CHANGES] = 0
        f[i[MOVED_B] + slot] += f[i[FLIGHT_B] + slot]
        f[i[FLIGHT_B] + slot] = 0.0
        f[i[READY_S] + slot] = max(f[i[READY_S] + slot], now_s)
        messages.land(f, i, way, slot)
        messages.queue_flight(f, i, slot)
    for at in range(count):
        cell = i[i[CELL] + i[i[CLIENT] + i[i[DONE] + at]]]
        if cell >= 0:
            links.limit_cell(f, i, way, cell, links.cell_share(f, i, way, cell), now_s)


@part
def run(f: Floats, i: Ints, now_s: float) -> None:
    """Processes one instant: finishes, changes of links, then starts and ends of work."""
    for way in range(2):
        finish(f, i, way, now_s)
    links.change(f, i, now_s)
    while messages.next_event(f, i) <= now_s:
        slot, kind = first_item(i, i[EVENT_HEAP]), first_order(i, i[EVENT_HEAP]) // KIND
        i[i[EVENT] + slot] = 0
        pop(f, i, i[EVENT_HEAP])
        if kind == FLIGHT:
            messages.fly(f, i, slot, now_s)
        elif kind == ARRIVAL:
            arrive(f, i, slot, now_s)
        else:
            computed(f, i, slot, now_s)


@part
def reason(i: Ints, ends: int) -> int:
    """Why to return at the end of an instant; -1: go on."""
    if i[ROWS] + 3 * i[SLOTS] > i[ROOM]:
        return FULL
    if i[ASKING]:
        return FLIGHTS
    if i[WAITS]:
        return TRAIN
    return ENDED if i[ENDS] >= ends else -1


@part
def advance(f: Floats, i: Ints, limit_s: float, ends: int) -> int:
    """Runs until `ends` tasks have ended, or until `limit_s`, and processes all of that instant.

    Returns why it stopped.
    """
    while True:
        now_s = f[NOW_S]
        finish_s = math.inf
        if i[MEDIA] and (i[STALE] or i[STALE + 1]):
            media.fill(f, i, now_s)
        for way in range(2):
            star.settle(f, i, way, now_s)
            finish_s = min(finish_s, star.next_finish(f, i, way))
        start_s, change_s = messages.next_event(f, i), links.next_change(f, i)
        # A finish that rounding puts just after the change comes first: its last bytes must not
        # wait for the end of an outage.
        if change_s < finish_s <= change_s * (1 + ROUNDING):
            change_s = finish_s
        next_s = min(finish_s, start_s, change_s)
        if next_s > now_s or next_s == math.inf:
            why = reason(i, ends)
            if why >= 0:
                return why
            if next_s > limit_s or next_s == math.inf:
                if limit_s == math.inf:
                    return NOTHING
                f[NOW_S] = limit_s
                return LIMIT
        if change_s == next_s and min(start_s, limit_s) == math.inf:
            i[IDLE_CHANGES] = i[IDLE_CHANGES] + 1 if finish_s == math.inf else 0
            if i[IDLE_CHANGES] > PATIENCE:
                return STALLED
        f[NOW_S] = next_s
        run(f, i, next_s)


@part
def give(f: Floats, i: Ints, slot: int, at: int, size_B: float, round_s: float, cap: float) -> None:
    """Sets one of the flights of a message that asked for them."""
    place = slot * i[GIVEN_ROOM] + at
    f[i[GIVEN_B] + place], f[i[GIVEN_S] + place] = size_B, round_s
    f[i[GIVEN_BPS] + place] = cap
    f[i[LEFT_B] + slot] += size_B


@part
def given(f: Floats, i: Ints, slot: int, count: int) -> None:
    """After all flights of a message were set."""
    i[i[ASKS] + slot] = i[i[GIVEN_AT] + slot] = 0
    i[ASKING] -= 1
    i[i[GIVEN_COUNT] + slot] = count
    messages.queue_flight(f, i, slot)


@part
def resume(f: Floats, i: Ints, slot: int, phase: int, nbytes: int, seconds: float) -> None:
    """Continues what was interrupted, now: a new message with the rest, or a computation."""
    if phase == COMPUTING:
        compute(f, i, slot, seconds, f[NOW_S])
        return
    i[i[PHASE] + slot] = phase
    i[i[DOWN_B if phase == DOWNLOADING else UP_B] + slot] = nbytes
    messages.send(f, i, slot, nbytes, f[NOW_S])


@part
def interrupt(f: Floats, i: Ints, slot: int) -> tuple[float, float]:
    """Stops the activity of a task now.

    Returns the wire bytes of its message that have arrived, and all of them; both 0 without one.
    """
    i[ASKING] -= i[i[ASKS] + slot] > 0
    i[WAITS] -= i[i[PHASE] + slot] == WAITING
    i[i[EVENT] + slot] = i[i[ASKS] + slot] = 0
    phase, way = i[i[PHASE] + slot], messages.way_of(i, slot)
    i[i[PHASE] + slot] = IDLE
    if phase not in (DOWNLOADING, UPLOADING):
        return 0.0, 0.0
    moved_B = f[i[MOVED_B] + slot]
    total_B = moved_B + f[i[FLIGHT_B] + slot] + f[i[LEFT_B] + slot]
    if i[i[SIDE] + way * i[SLOTS] + slot] != star.NO_SIDE:
        moved_B += f[i[FLIGHT_B] + slot] - star.leave(f, i, way, slot, f[NOW_S])
        messages.land(f, i, way, slot)
        cell = i[i[CELL] + i[i[CLIENT] + slot]]
        if cell >= 0:
            links.limit_cell(f, i, way, cell, links.cell_share(f, i, way, cell), f[NOW_S])
    return moved_B, total_B
