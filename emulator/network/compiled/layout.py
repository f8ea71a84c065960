"""Where the state of a compiled simulation is: one array of floats, one of whole numbers.

Two arrays, since numba compiles functions of many arrays slowly, and such functions run slowly (45
times, when each part was an array of its own). `i` begins with single numbers and with the place
of each part: `f[i[READY_S] + slot]` is an element of a part of floats, `i[i[PHASE] + slot]` one of
a part of whole numbers, and `f[NOW_S]` and `i[ROWS]` are single numbers.

A task takes a slot while it is active. Directions are numbers: 0 down, from the server to a client,
1 up. Parties are the clients, then the cells, then the server; a link is `way * parties + party`.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from emulator.network.compiled.source import source_digest

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

UNKNOWN, NO_UPLOAD = -1, -2  # bytes of an upload: not trained yet; the task has none
# Phases of a task. WAITING: for its training.
IDLE, DOWNLOADING, WAITING, COMPUTING, UPLOADING = range(5)
# Kinds of rows.
DOWNLOAD_ROW, COMPUTE_ROW, UPLOAD_ROW = range(3)
# Why `advance` returns: tasks ended; the limit came; uploads or flights are needed; no room for
# rows; no byte moves; nothing is left to do.
ENDED, LIMIT, TRAIN, FLIGHTS, FULL, STALLED, NOTHING = range(7)
# Ways to make flights.
FLUID, TCP, GIVEN = range(3)
# Heaps of each direction: capped flows by finish time, free ones by V at their finish, free ones by
# cap (the smallest first), capped ones by cap (the largest first). Then the two others: starts and
# ends of work by slot, changes of rates by link. Their numbers are in `i`: numba would compile all
# that has to do with heaps once more for each constant.
BY_TIME, BY_CLOCK, FREE_CAPS, CAPPED_CAPS = range(4)
WAY_HEAPS = 4
HEAPS = 10

# Single floats; two places for what each direction has.
NOW_S = 0
CLOCK_B = 1  # V: bytes that a free flow was given since there is one
AT_S = 3  # the time of V
LEVEL_BPS = 5  # theta
CAPACITY_BPS = 7
TAKEN_BPS = 9  # the sum of caps of capped flows
ROUNDED_BPS = 11  # what that sum rounds away
DOWN_RTTS, UP_RTTS, OVERHEAD_B, MSS_B, SEGMENT_B, INITIAL_B = range(13, 19)  # as in `Tcp`
FIRST_FLOAT = 19

# Single whole numbers.
SLOTS, ENTRIES, CLIENTS, PARTIES = range(4)
TRANSPORT, SLOW_START, TOKEN_BUCKET, CHANGES = range(4, 8)  # CHANGES: some rates change in time
EVENTS, FLOWS, ENDS, ROWS, IDLE_CHANGES, ROOM, GIVEN_ROOM = range(8, 15)
EVENT_HEAP, CHANGE_HEAP = 32, 33
WAITS, ASKING = 34, 35  # numbers of tasks that wait for training, and for flights
SOURCE = 15  # `source_digest` of the code that fills this
MEDIA = 36  # some cells are half-duplex
FREE, CAPPED, STALE = 16, 18, 20  # by direction
SIZE = 22  # by heap

# Parts of floats, by slot.
(
    COMPUTE_S,
    BEGUN_S,  # the phase
    READY_S,  # earliest start of the next flight, or the arrival
    RATE_BPS,  # of the path, alone, when the message began
    LEFT_B,  # wire bytes of later flights
    MOVED_B,  # of finished flights
    FLIGHT_B,  # of the active flight; 0: none
    WINDOW_B,
    CAP_BPS,  # of the active flight
    OWN_BPS,  # the same, by its client's link too
    # By direction and slot: the flow. `KEY` is when it finishes: a time if it is capped, a reading
    # of V if it is free. A capped flow had `THEN_B` bytes left at `SINCE_S`.
    KEY,
    FLOW_BPS,
    SINCE_S,
    THEN_B,
    SHARE_BPS,  # the rate that `media` finds
    # By slot and flight: flights that were given.
    GIVEN_B,
    GIVEN_S,
    GIVEN_BPS,
    # By link; the delay by client.
    LINK_BPS,
    DELAY_S,
    LINK_NOW_BPS,  # of the links in use that change
    NEXT_CHANGE_S,  # of the links in use; inf: none
    QUEUED_S,  # time of the newest entry in the heap of changes; -1: none
    LINK_LEFT_BPS,  # by shared link, as in `media`
    # By profile, and by piece of any profile.
    PERIOD_S,  # 0: it ends
    OFFSET_S,
    SCALE,
    MEAN_BPS,
    TIMES_S,
    RATES_BPS,
    # By heap and entry; by row.
    HEAP_KEY,
    START_S,
    FINISH_S,
) = range(37, 70)
FLOAT_PARTS = range(37, 70)

# Parts of whole numbers, by slot.
(
    NUMBER,
    CLIENT,
    PHASE,
    DOWN_B,
    UP_B,
    EVENT,  # its event in the queue; 0: none
    ASKS,  # a number that grows: its flights are needed; 0: they are not
    GIVEN_AT,  # next flight that was given
    GIVEN_COUNT,
    DONE,  # room for slots that finish together
    # By direction and slot. Entries of heaps are valid if they have the flow's version.
    SIDE,
    VERSION,
    JOINED,  # number of the flow, in the order in which flows joined
    NEXT_IN_CELL,  # lists of the flows of a cell
    FIRST_IN_CELL,  # by direction and cell
    CELL,  # by client: its party; -1: none
    HALF_DUPLEX,  # by party
    LINK_FLOWS,  # by shared link
    SLOT_OF,  # by client
    PROFILE,  # by link; -1: its rate is constant
    FIRST_PIECE,  # by profile
    PIECES,
    HEAP_ORDER,
    HEAP_ITEM,
    ROW_KIND,
    ROW_TASK,
) = range(70, 96)
INT_PARTS = range(70, 96)
FIRST_INT = 96


class World(NamedTuple):
    """The two arrays: functions of `emulator.network.compiled` take them as `f` and `i`."""

    f: Floats
    i: Ints

    def floats(self, part: int) -> Floats:
        """A part of floats, as a view from its first element on."""
        return self.f[self.i[part] :]

    def ints(self, part: int) -> Ints:
        """A part of whole numbers, as a view from its first element on."""
        return self.i[self.i[part] :]


class ProfileTable(NamedTuple):
    """Profiles one after the other, and the profile of each link.

    `of_link` int64 [links], -1 for none; the others float64: [profiles] each, except the pieces.
    """

    of_link: Ints
    first: Ints
    pieces: Ints
    period_s: Floats
    offset_s: Floats
    scale: Floats
    mean_Bps: Floats
    times_s: Floats
    rates_Bps: Floats


def build(
    link_Bps: Floats,
    delay_s: Floats,
    cell: Ints,
    half_duplex: Ints,
    slots: int,
    rows: int,
    profiles: ProfileTable | None = None,
    given: int = 0,
) -> World:
    """A world without tasks, at time 0, over fluid.

    `link_Bps` [2, parties], `delay_s` [clients], `cell` [clients] the party of each one's cell or
    -1, `half_duplex` [parties] 0 or 1. There is room for `slots` tasks, `rows` rows and `given`
    flights a slot.
    """
    clients, parties, entries = len(delay_s), link_Bps.shape[1], 4 * slots + 64
    has_media = bool(half_duplex[clients:].any())
    changing = 0 if profiles is None else 2 * parties
    by_slot, by_flow, by_flight = slots, 2 * slots, slots * given
    sizes = dict.fromkeys((*range(COMPUTE_S, KEY), *range(NUMBER, SIDE)), by_slot)
    sizes |= dict.fromkeys((*range(KEY, GIVEN_B), *range(SIDE, FIRST_IN_CELL)), by_flow)
    sizes |= dict.fromkeys(range(GIVEN_B, LINK_BPS), by_flight)
    sizes |= dict.fromkeys((LINK_NOW_BPS, NEXT_CHANGE_S, QUEUED_S), changing)
    sizes |= dict.fromkeys((HEAP_KEY, HEAP_ORDER, HEAP_ITEM), HEAPS * entries)
    sizes |= dict.fromkeys((START_S, FINISH_S, ROW_KIND, ROW_TASK), rows)
    sizes |= {FIRST_IN_CELL: 2 * parties, SLOT_OF: clients if changing else 0}
    sizes |= dict.fromkeys((LINK_LEFT_BPS, LINK_FLOWS), 3 * (parties - clients))
    filled: dict[int, Floats | Ints] = {LINK_BPS: link_Bps.ravel(), DELAY_S: delay_s}
    filled |= {CELL: cell, HALF_DUPLEX: half_duplex}
    if profiles is not None:
        filled |= {
            PROFILE: profiles.of_link,
            FIRST_PIECE: profiles.first,
            PIECES: profiles.pieces,
            PERIOD_S: profiles.period_s,
            OFFSET_S: profiles.offset_s,
            SCALE: profiles.scale,
            MEAN_BPS: profiles.mean_Bps,
            TIMES_S: profiles.times_s,
            RATES_BPS: profiles.rates_Bps,
        }
    sizes |= {part: len(values) for part, values in filled.items()}
    world = _allocated(sizes)
    for part, values in filled.items():
        (world.floats(part) if part in FLOAT_PARTS else world.ints(part))[: len(values)] = values
    f, i = world
    i[SLOTS], i[ENTRIES], i[CLIENTS], i[PARTIES] = slots, entries, clients, parties
    i[CHANGES], i[MEDIA], i[ROOM], i[GIVEN_ROOM] = changing > 0, has_media, rows, given
    i[SOURCE], i[EVENT_HEAP], i[CHANGE_HEAP] = source_digest(), HEAPS - 2, HEAPS - 1
    f[LEVEL_BPS : LEVEL_BPS + 2] = math.inf
    f[CAPACITY_BPS : CAPACITY_BPS + 2] = math.inf if has_media else link_Bps[:, -1]
    world.floats(NEXT_CHANGE_S)[:changing] = math.inf
    world.floats(QUEUED_S)[:changing] = -1.0
    world.ints(FIRST_IN_CELL)[: 2 * parties] = -1
    return world


def _allocated(sizes: Mapping[int, int]) -> World:
    places: dict[int, int] = {}
    ends = {True: FIRST_FLOAT, False: FIRST_INT}
    for part in (*FLOAT_PARTS, *INT_PARTS):
        is_float = part in FLOAT_PARTS
        places[part] = ends[is_float]
        ends[is_float] += sizes.get(part, 0)
    world = World(np.zeros(ends[True]), np.zeros(ends[False], np.int64))
    for part, place in places.items():
        world.i[part] = place
    return world


def with_room(world: World, flights: int) -> World:
    """A world with room for so many given flights a slot: the same one if it has it."""
    f, i = world
    before, slots = int(i[GIVEN_ROOM]), int(i[SLOTS])
    if flights <= before:
        return world
    sizes: dict[int, int] = {}
    for parts, whole in ((FLOAT_PARTS, len(f)), (INT_PARTS, len(i))):
        places = [int(i[part]) for part in parts] + [whole]
        sizes |= {part: places[n + 1] - places[n] for n, part in enumerate(parts)}
    room = max(2 * before, flights)
    grown = _allocated(sizes | dict.fromkeys(range(GIVEN_B, LINK_BPS), slots * room))
    places = [int(grown.i[part]) for part in (*FLOAT_PARTS, *INT_PARTS)]
    grown.f[:FIRST_FLOAT], grown.i[:FIRST_INT] = f[:FIRST_FLOAT], i[:FIRST_INT]
    grown.i[[*FLOAT_PARTS, *INT_PARTS]] = places
    grown.i[GIVEN_ROOM] = room
    for part, size in sizes.items():
        if part in range(GIVEN_B, LINK_BPS):
            old = world.floats(part)[:size].reshape(slots, before)
            grown.floats(part)[: slots * room].reshape(slots, room)[:, :before] = old
        elif part in FLOAT_PARTS:
            grown.floats(part)[:size] = world.floats(part)[:size]
        else:
            grown.ints(part)[:size] = world.ints(part)[:size]
    return grown
