"""What every policy works with: the parts of the simulation, and the log of rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import simpy
from numpy.typing import NDArray

from emulator.simulation.event_table import EventTable, RowNumber, TableBuilder
from emulator.simulation.records import Row

if TYPE_CHECKING:  # plug-ins import this module before the unions that they extend exist
    from emulator.network.network import Network
    from emulator.simulation.clients.fleet import Fleet
    from emulator.simulation.rounds.client_task import ActiveTasks, ClientTask
    from emulator.simulation.selection.base import Selector
    from emulator.simulation.settings import RoundPlan
    from emulator.simulation.trainer import Trainer
    from flasc.common.messages import MessageInfo

LAST = 9  # a priority after all priorities of SimPy

# Called with each row when it is added, and with each block of rows.
Notice = Callable[["Row | EventTable"], None]


class EventLog:
    """Rows in the order in which they were added; `notice` is called with each row and block.

    The outcome of a client task is known after its rows are logged; `set_outcome` fills it in.
    """

    def __init__(self, notice: Notice = lambda _: None) -> None:
        self._notice = notice
        self._single = TableBuilder()
        self._blocks: list[tuple[int, EventTable]] = []  # and how many single rows are before each

    def add(self, row: Row) -> RowNumber:
        """Adds a row; returns its number for `set_outcome`."""
        number = self._single.add(row)
        self._notice(row)
        return number

    def add_block(self, rows: EventTable) -> None:
        """Adds many rows at once, whose outcomes are known."""
        self._blocks.append((len(self._single), rows))
        self._notice(rows)

    def set_outcome(self, numbers: Iterable[RowNumber], outcome: str, staleness: int = 0) -> None:
        """Stores the outcome of an update in the rows, by number, of the task that sent it."""
        for number in numbers:
            self._single.set(number, "outcome", outcome)
            self._single.set(number, "staleness", staleness)

    @property
    def single_rows(self) -> EventTable:
        """The rows that were added one by one so far."""
        return self._single.table()

    @property
    def rows(self) -> EventTable:
        """The rows so far."""
        single = self._single.table()
        if not self._blocks:
            return single
        before = np.array([number for number, _ in self._blocks], np.int64)
        lengths = np.array([len(block) for _, block in self._blocks], np.int64)
        together = EventTable.joined([block for _, block in self._blocks])
        of_single, own = (
            np.arange(len(single), dtype=np.int64),
            np.arange(len(together), dtype=np.int64),
        )
        ends = np.concatenate([[0], np.cumsum(lengths)])
        of_single += ends[np.searchsorted(before, of_single, side="right")]
        own += np.repeat(before, lengths)
        return EventTable.merged([(single, of_single), (together, own)])


MakeTasks = Callable[["SimulationContext", "Callable[[ClientTask], None]"], "ActiveTasks"]


@dataclass(frozen=True)
class SimulationContext:
    """The parts of one simulation that a policy uses.

    `eligible`, bool [clients]: clients with enough memory for the LoRA rank. `billed_bytes` returns
    the number of bytes of a message that are timed. A training that has not reached its target by
    `give_up_s` ends there.
    """

    env: simpy.Environment
    trainer: Trainer
    build_network: Callable[[], Network]
    fleet: Fleet
    eligible: NDArray[np.bool_]
    training: RoundPlan
    selector: Selector
    billed_bytes: Callable[[MessageInfo], int]
    log: EventLog
    give_up_s: float = math.inf
    compiled_tasks: MakeTasks | None = None  # None: those of the reference

    @cached_property
    def network(self) -> Network:
        """The links, built when they are first needed: not by the compiled network."""
        return self.build_network()


class EndOfInstant(simpy.Event):
    """Occurs at the current simulated instant, after all other events of that instant."""

    def __init__(self, env: simpy.Environment) -> None:
        super().__init__(env)
        self._ok, self._value = True, None
        env.schedule(self, priority=LAST)  # type: ignore[arg-type]  # SimPy accepts any int
