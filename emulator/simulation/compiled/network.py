"""Runs planned rounds over the links of a fleet, compiled."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from emulator.common.errors import StalledError
from emulator.common.units import format_duration
from emulator.network.compiled import entry, layout
from emulator.network.compiled.layout import Floats, Ints
from emulator.network.flights import FlightPlanner
from emulator.network.tcp import Direction, Tcp
from emulator.network.topology import Profiles
from emulator.simulation.clients.fleet import Fleet
from emulator.simulation.compiled import fleet_world
from emulator.simulation.compiled.plan import Interrupted, PlannedRounds

FLIGHTS_AT_FIRST = 16  # room for flights of a message; it grows
Train = Callable[[], tuple[Sequence[int], Sequence[float]]]


class CompiledNetwork:
    """The links of `clients` of a fleet, with room for `slots` tasks at a time.

    With a `planner`, it makes the flights of each message; without, the compiled functions do.
    """

    def __init__(
        self,
        fleet: Fleet,
        clients: NDArray[np.int64],
        transport: Tcp | None,
        profiles: Profiles | None,
        planner: FlightPlanner | None,
        slots: int,
        rows: int,
    ) -> None:
        self._clients, self._planner, self._slots = clients, planner, slots
        self._world = fleet_world.build(
            fleet,
            clients,
            transport,
            profiles,
            slots=slots,
            rows=rows + 3 * slots,
            given=FLIGHTS_AT_FIRST if planner else 0,
        )
        self._varies = profiles is not None
        self._heard = 0  # rows that the planner knows of

    def run(
        self,
        rounds: PlannedRounds,
        compute_s: Floats,
        now_s: float,
        ends: Ints | None = None,
        lasts_s: float = math.inf,
        train: Train | None = None,
    ) -> tuple[Floats, Floats]:
        """Runs rounds from `now_s` on; `compute_s` [tasks]. Returns their starts and ends.

        A round ends when `ends` [rounds] of its tasks have (None: all), or after `lasts_s`. With
        `train`, uploads of `rounds` are not known until it is called: bytes and compute seconds by
        task. Their rows are in `rows` afterwards. Raises StalledError if no byte moves any more.
        """
        f, i = self._world
        f[layout.NOW_S], i[layout.ROWS], self._heard = now_s, 0, 0
        start_s, finish_s = np.zeros(len(rounds.first) - 1), np.zeros(len(rounds.first) - 1)
        client = np.searchsorted(self._clients, rounds.client)
        up_B = np.full_like(rounds.up_B, layout.UNKNOWN) if train else rounds.up_B
        of_tasks = rounds.first, client, rounds.down_B, up_B, compute_s
        limits = np.diff(rounds.first) if ends is None else ends, lasts_s
        number, resumes = 0, False
        while True:
            f, i = self._world
            number, why = entry.run_rounds(
                f, i, *of_tasks, start_s, finish_s, *limits, number, resumes
            )
            if self._planner and self._planner.keeps_connections:
                self._hear(rounds)
            resumes = True
            match why:
                case layout.ENDED:
                    return start_s, finish_s
                case layout.TRAIN:
                    assert train is not None
                    for slot, (nbytes, seconds) in enumerate(zip(*train(), strict=True)):
                        entry.trained(f, i, slot, nbytes, seconds)
                case layout.FLIGHTS:
                    self._plan_flights()
                case layout.STALLED:
                    raise stalled(float(f[layout.NOW_S]))
                case _:
                    raise AssertionError(f"the compiled network ended with {why}")

    def interrupt(self, rounds: PlannedRounds) -> list[Interrupted]:
        """Stops all tasks of the only one of `rounds` that are active now, in their order."""
        f, i = self._world
        found = []
        for slot in range(len(rounds.client)):
            phase = int(self._world.ints(layout.PHASE)[slot])
            if phase == layout.IDLE:
                continue
            begun_s = float(self._world.floats(layout.BEGUN_S)[slot])
            moved_B, total_B = entry.interrupt(f, i, slot)
            if phase == layout.COMPUTING:
                whole_s = float(self._world.floats(layout.COMPUTE_S)[slot])
                share = (float(f[layout.NOW_S]) - begun_s) / whole_s if whole_s else 0.0
                done = int(rounds.examples[slot]), int(rounds.steps[slot])
                amounts = tuple(min(round(share * whole), whole) for whole in done)
                found.append(Interrupted(layout.COMPUTE_ROW, slot, begun_s, *amounts))
                continue
            is_down = phase == layout.DOWNLOADING
            nbytes = int((rounds.down_B if is_down else rounds.up_B)[slot])
            moved = min(round(nbytes * moved_B / total_B), nbytes) if total_B else 0
            kind = layout.DOWNLOAD_ROW if is_down else layout.UPLOAD_ROW
            found.append(Interrupted(kind, slot, begun_s, moved, 0))
            if self._planner:
                self._planner.cancelled(int(rounds.client[slot]))
        return found

    def rows(self) -> tuple[Ints, Ints, Floats, Floats]:
        """Kinds, tasks, starts and ends of the rows of the latest `run`, in order."""
        world, count = self._world, int(self._world.i[layout.ROWS])
        return (
            world.ints(layout.ROW_KIND)[:count].copy(),
            world.ints(layout.ROW_TASK)[:count].copy(),
            world.floats(layout.START_S)[:count].copy(),
            world.floats(layout.FINISH_S)[:count].copy(),
        )

    def _plan_flights(self) -> None:
        """Makes the flights of all messages that wait for them."""
        assert self._planner is not None
        world = self._world
        for slot in np.flatnonzero(world.ints(layout.ASKS)[: self._slots]).tolist():
            is_down = world.ints(layout.PHASE)[slot] == layout.DOWNLOADING
            local = world.ints(layout.CLIENT)[slot]
            flights = self._planner.flights(
                int(self._clients[local]),
                "down" if is_down else "up",
                int(world.ints(layout.DOWN_B if is_down else layout.UP_B)[slot]),
                float(world.floats(layout.RATE_BPS)[slot]),
                float(world.f[layout.NOW_S]),
                self._varying(local, 0 if is_down else 1),
            )
            world = self._world = layout.with_room(world, len(flights))
            entry.give(*world, slot, np.array(flights, np.float64))

    def _hear(self, rounds: PlannedRounds) -> None:
        """Tells the planner of the messages that have arrived since the last call."""
        assert self._planner is not None
        kind, task, _, finish_s = self.rows()
        names: Mapping[int, str] = {layout.DOWNLOAD_ROW: "down", layout.UPLOAD_ROW: "up"}
        for at in range(self._heard, len(kind)):
            if (way := names.get(int(kind[at]))) is not None:
                client = int(rounds.client[task[at]])
                self._planner.arrived(client, cast("Direction", way), float(finish_s[at]))
        self._heard = len(kind)

    def _varying(self, client: int, way: int) -> bool:
        """Whether the rate of a path changes in time."""
        world = self._world
        if not self._varies:
            return False
        parties = int(world.i[layout.PARTIES])
        cell = int(world.ints(layout.CELL)[client])
        of_path = [client, parties - 1] + ([cell] if cell >= 0 else [])
        return any(world.ints(layout.PROFILE)[way * parties + party] >= 0 for party in of_path)


def stalled(now_s: float) -> StalledError:
    """No byte has moved for very long; see `emulator.network.network`."""
    return StalledError(
        f"no byte has moved during {1_000_000:,} capacity changes in a row, until "
        f"{format_duration(now_s)} of simulated time: the links that a message crosses are never "
        "up at the same time",
        "check the traces of clients, cells and the server: links that a message crosses need "
        "rates above zero at the same time",
    )
