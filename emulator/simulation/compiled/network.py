"""Runs planned rounds over the links of a fleet, compiled."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from emulator.network.compiled import entry, layout
from emulator.network.compiled.layout import Floats, Ints
from emulator.network.flights import FlightPlanner
from emulator.network.network import never_up
from emulator.network.tcp import Direction, Tcp
from emulator.network.topology import Profiles
from emulator.simulation.clients.fleet import Fleet
from emulator.simulation.compiled import fleet_world
from emulator.simulation.compiled.plan import Interrupted, PlannedRounds, Work

PHASES = {  # by kind of row
    layout.DOWNLOAD_ROW: layout.DOWNLOADING,
    layout.COMPUTE_ROW: layout.COMPUTING,
    layout.UPLOAD_ROW: layout.UPLOADING,
}
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
        self._clients, self._planner, self.slots = clients, planner, slots
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
                self._hear(lambda task: int(rounds.client[task]))
            resumes = True
            match why:
                case layout.ENDED:
                    return start_s, finish_s
                case layout.TRAIN:
                    assert train is not None
                    nbytes, seconds = train()
                    # Those whose download has arrived go on in the order of their arrivals.
                    for slot in dict.fromkeys([*self.rows()[1].tolist(), *range(len(nbytes))]):
                        entry.trained(f, i, slot, nbytes[slot], seconds[slot])
                case layout.FLIGHTS:
                    self._plan_flights()
                case layout.STALLED:
                    raise never_up(self.now_s)
                case _:
                    raise AssertionError(f"the compiled network ended with {why}")

    def begin(self, slot: int, number: int, client: int, nbytes: int, now_s: float) -> None:
        """Starts a task in a free slot: a download of `nbytes` to a client."""
        self._reach(now_s)
        f, i = self._world
        entry.begin(f, i, slot, number, int(np.searchsorted(self._clients, client)), nbytes)

    def trained(self, slot: int, nbytes: int, compute_s: float) -> None:
        """What a task that was begun uploads, and after which seconds."""
        entry.trained(*self._world, slot, nbytes, compute_s)

    def advance(
        self, limit_s: float, ends: int, resumes: bool, client_of: Callable[[int], int]
    ) -> int:
        """Runs until `ends` tasks have ended, or until `limit_s`. Returns why it stopped.

        If it `resumes`, the tasks that ended before count as well. `client_of` tells the client of
        a task by its number.
        """
        while True:
            why = int(entry.advance(*self._world, limit_s, ends, resumes))
            resumes = True
            if self._planner and self._planner.keeps_connections:
                self._hear(client_of)
            if why != layout.FLIGHTS:
                return why
            self._plan_flights()

    def _reach(self, now_s: float) -> None:
        """Sets the time, before which nothing is due."""
        self._world.f[layout.NOW_S] = max(now_s, self.now_s)

    @property
    def now_s(self) -> float:
        """The time that it has reached, seconds."""
        return float(self._world.f[layout.NOW_S])

    def taken_rows(self) -> list[tuple[int, int, float, float]]:
        """The rows since the last call: kind, task, start, end."""
        found = list(zip(*(column.tolist() for column in self.rows()), strict=True))
        self._world.i[layout.ROWS] = self._heard = 0
        return found

    def interrupt(
        self, slot: int, client: int, whole: Work, left: Work, now_s: float
    ) -> Interrupted | None:
        """Stops the activity of a task now; None if the task is over.

        The `whole` work of the task, and what is `left` of it by its earlier rows, tell what was
        done since the activity began.
        """
        self._reach(now_s)
        f, i = self._world
        phase, number = (
            int(self._world.ints(part)[slot]) for part in (layout.PHASE, layout.NUMBER)
        )
        if phase == layout.IDLE:
            return None
        begun_s = float(self._world.floats(layout.BEGUN_S)[slot])
        moved_B, total_B = entry.interrupt(f, i, slot)
        if phase == layout.COMPUTING:
            whole_s = float(self._world.floats(layout.COMPUTE_S)[slot])
            share = (self.now_s - begun_s) / whole_s if whole_s else 0.0
            examples = min(round(share * whole.examples), left.examples)
            steps = min(round(share * whole.steps), left.steps)
            return Interrupted(layout.COMPUTE_ROW, number, begun_s, examples, steps)
        if self._planner:
            self._planner.cancelled(client)
        kind = layout.DOWNLOAD_ROW if phase == layout.DOWNLOADING else layout.UPLOAD_ROW
        nbytes, _ = left.of(kind)
        moved = min(round(nbytes * moved_B / total_B), nbytes) if total_B else 0
        return Interrupted(kind, number, begun_s, moved, 0)

    def resume(self, slot: int, kind: int, left: Work, left_s: float, now_s: float) -> None:
        """Continues the activity of a task whose row has this kind: a computation for `left_s`.

        The rest of a message is a message of its own.
        """
        self._reach(now_s)
        nbytes, _ = left.of(kind)
        entry.resume(*self._world, slot, PHASES[kind], nbytes, left_s)

    def interrupt_all(self, rounds: PlannedRounds) -> list[Interrupted]:
        """Stops all tasks of the only one of `rounds`, in their order."""
        columns = rounds.down_B, rounds.up_B, rounds.examples, rounds.steps
        works = map(Work, *(column.tolist() for column in columns))
        found = [
            self.interrupt(slot, client, work, work, self.now_s)
            for slot, (client, work) in enumerate(zip(rounds.client.tolist(), works, strict=True))
        ]
        return [each for each in found if each is not None]

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
        """Makes the flights of all messages that wait for them, in the order in which they do."""
        assert self._planner is not None
        world = self._world
        asks = world.ints(layout.ASKS)[: self.slots].copy()
        for slot in np.argsort(asks)[np.count_nonzero(asks == 0) :].tolist():
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

    def _hear(self, client_of: Callable[[int], int]) -> None:
        """Tells the planner of the messages that have arrived since the last call."""
        assert self._planner is not None
        kind, task, _, finish_s = self.rows()
        names: Mapping[int, str] = {layout.DOWNLOAD_ROW: "down", layout.UPLOAD_ROW: "up"}
        for at in range(self._heard, len(kind)):
            if (way := names.get(int(kind[at]))) is not None:
                client = client_of(int(task[at]))
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
        profile, half_duplex = world.ints(layout.PROFILE), world.ints(layout.HALF_DUPLEX)
        return any(
            profile[way * parties + party] >= 0
            or (half_duplex[party] and profile[(1 - way) * parties + party] >= 0)
            for party in of_path
        )
