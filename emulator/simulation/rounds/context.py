"""What every policy works with: the parts of the simulation, and the log of rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import simpy
from numpy.typing import NDArray

from emulator.simulation.records import Absence, Computation, Row, Transfer

if TYPE_CHECKING:  # plug-ins import this module before the unions that they extend exist
    from emulator.network.network import Network
    from emulator.simulation.clients.fleet import Fleet
    from emulator.simulation.selection.base import Selector
    from emulator.simulation.settings import RoundPlan
    from emulator.simulation.trainer import Trainer
    from flasc.common.messages import MessageInfo

LAST = 9  # a priority after all priorities of SimPy
WORK = (Transfer, Computation, Absence)  # rows of client tasks


class EventLog:
    """Rows in the order in which they were added; `notice` is called with each.

    The outcome of a client task is known after its rows are logged; `set_outcome` fills it in.
    """

    def __init__(self, notice: Callable[[Row], None] = lambda _: None) -> None:
        self.rows: list[Row] = []
        self._notice = notice

    def add(self, row: Row) -> int:
        """Adds a row; returns its number."""
        self.rows.append(row)
        self._notice(row)
        return len(self.rows) - 1

    def set_outcome(self, numbers: Iterable[int], outcome: str, staleness: int = 0) -> None:
        """Stores the outcome of an update in the rows, by number, of the task that sent it."""
        for number in numbers:
            row = self.rows[number]
            assert isinstance(row, WORK)
            if (row.outcome, row.staleness) != (outcome, staleness):
                self.rows[number] = row._replace(outcome=outcome, staleness=staleness)


@dataclass(frozen=True)
class SimulationContext:
    """The parts of one simulation that a policy uses.

    `eligible`, bool [clients]: clients with enough memory for the LoRA rank. `billed_bytes` returns
    the number of bytes of a message that are timed. A training that has not reached its target by
    `give_up_s` ends there.
    """

    env: simpy.Environment
    trainer: Trainer
    network: Network
    fleet: Fleet
    eligible: NDArray[np.bool_]
    training: RoundPlan
    selector: Selector
    billed_bytes: Callable[[MessageInfo], int]
    log: EventLog
    give_up_s: float = math.inf


class EndOfInstant(simpy.Event):
    """Occurs at the current simulated instant, after all other events of that instant."""

    def __init__(self, env: simpy.Environment) -> None:
        super().__init__(env)
        self._ok, self._value = True, None
        env.schedule(self, priority=LAST)  # type: ignore[arg-type]  # SimPy accepts any int
