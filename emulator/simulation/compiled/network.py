"""Runs planned rounds over the links of a fleet, compiled."""

from collections.abc import Mapping
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
from emulator.simulation.compiled.plan import PlannedRounds

FLIGHTS_AT_FIRST = 16  # room for flights of a message; it grows


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

    def run(self, rounds: PlannedRounds, compute_s: Floats, now_s: float) -> tuple[Floats, Floats]:
        """Runs rounds from `now_s` on; `compute_s` [tasks]. Returns their starts and ends.

        Their rows are in `rows` afterwards. Raises StalledError if no byte moves any more.
        """
        f, i = self._world
        f[layout.NOW_S], i[layout.ROWS], self._heard = now_s, 0, 0
        start_s, finish_s = np.zeros(len(rounds.first) - 1), np.zeros(len(rounds.first) - 1)
        client = np.searchsorted(self._clients, rounds.client)
        of_tasks = rounds.first, client, rounds.down_B, rounds.up_B, compute_s
        number, resumes = 0, False
        while True:
            f, i = self._world
            number, why = entry.run_rounds(f, i, *of_tasks, start_s, finish_s, number, resumes)
            if self._planner and self._planner.keeps_connections:
                self._hear(rounds)
            if why == layout.ENDED:
                return start_s, finish_s
            resumes = True
            if why == layout.STALLED:
                raise stalled(float(f[layout.NOW_S]))
            assert why == layout.FLIGHTS, f"the compiled network ended with {why}"
            self._plan_flights()

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
