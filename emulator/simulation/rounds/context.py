"""What every policy works with, and the rows that it leaves behind."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import simpy
from numpy.typing import NDArray

from emulator.network.network import Network
from emulator.scenario.scenario import Training
from emulator.simulation.clients.fleet import Fleet
from emulator.simulation.records import Absence, Computation, Row, Transfer
from emulator.simulation.selection.uniform import Selector
from emulator.simulation.trainer import Download, Trainer, Upload

LAST = 9  # a priority behind all of SimPy's own
WORK = (Transfer, Computation, Absence)  # rows that an update hangs on


class Journal:
    """Rows in the order in which they came about.

    What became of a client's work is known later than the work itself, and filled in by `judge`.
    """

    def __init__(self, notice: Callable[[Row], None] = lambda _: None) -> None:
        self.rows: list[Row] = []
        self._notice = notice

    def add(self, row: Row) -> int:
        """Take up a row; its place."""
        self.rows.append(row)
        self._notice(row)
        return len(self.rows) - 1

    def judge(self, places: Iterable[int], outcome: str, staleness: int = 0) -> None:
        """Say of the rows at `places` what became of the update that they led to."""
        for place in places:
            row = self.rows[place]
            assert isinstance(row, WORK)
            if (row.outcome, row.staleness) != (outcome, staleness):
                self.rows[place] = row._replace(outcome=outcome, staleness=staleness)


@dataclass(frozen=True)
class World:
    """One emulation as a policy sees it. `charge` gives the bytes that a message costs.

    `able` is bool [clients]: who can hold what is trained.
    """

    env: simpy.Environment
    trainer: Trainer
    network: Network
    fleet: Fleet
    able: NDArray[np.bool_]
    training: Training
    selector: Selector
    charge: Callable[[Download | Upload], int]
    journal: Journal


class Settled(simpy.Event):
    """Happens now, once everything else that happens at this instant has."""

    def __init__(self, env: simpy.Environment) -> None:
        super().__init__(env)
        self._ok, self._value = True, None
        env.schedule(self, priority=LAST)  # type: ignore[arg-type]  # any whole number will do
