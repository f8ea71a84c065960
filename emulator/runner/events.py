"""Results of trainings, and what a run reports while it is in progress."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from emulator.common.errors import StalledError
from emulator.results.summary_file import Summary
from emulator.simulation.event_table import EventTable
from emulator.simulation.records import Emulation
from flasc.common.errors import UserError


@dataclass(frozen=True)
class TrainingResult:
    """All simulations of a training, its cost, and its exported model, if there is one.

    The exported model is valid while the folder `model` has this `stamp`: another run may train on
    from there. `stalled` has the error of each simulation that could not continue to its end;
    `trained` and `replayed` are the server steps that were computed and that were recorded before.
    A run that keeps no rows has `summaries` in place of `emulations`.
    """

    emulations: Mapping[Emulation, EventTable]
    trained: frozenset[str]
    model: Path | None
    stamp: bytes
    provenance: Mapping[str, str]
    stalled: Mapping[Emulation, StalledError] = field(default_factory=dict)
    replayed: frozenset[str] = frozenset()
    summaries: Mapping[Emulation, Summary] = field(default_factory=dict)

    @property
    def trained_rounds(self) -> int:
        """The number of server steps that were computed."""
        return len(self.trained)

    @property
    def reused_rounds(self) -> int:
        """The number of server steps that were recorded before, each once."""
        return len(self.replayed - self.trained)


@dataclass(frozen=True, slots=True)
class Note:
    """A text for a person about a training, or about the run as a whole (None)."""

    training: int | None
    text: str


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """The state of a training (its index in `Study.trainings()`) under one variant.

    `clock_s` is simulated seconds. `accuracy` (0 to 1) is the newest score on validation, or on
    `split` if that was scored just now, and `scored_round` the round of that score. `trained` is
    the number of server steps computed so far, `bytes_down` and `bytes_up` are the bytes charged so
    far. `split` was scored just now; it is empty at the end of a round, which is scored later or
    not at all.
    """

    training: int
    variant: str = ""
    round: int = 0
    rounds: int = 0
    clock_s: float = 0.0
    accuracy: float | None = None
    scored_round: int | None = None
    split: str = ""
    trained: int = 0
    bytes_down: int = 0
    bytes_up: int = 0


@dataclass(frozen=True, slots=True)
class TrainingFinished:
    """The end of a training: its result, or the error that it failed with."""

    training: int
    result: TrainingResult | UserError


@dataclass(frozen=True, slots=True)
class Simulated:
    """Simulations of a training that have ended since the last event of this kind."""

    training: int
    count: int


Event = Note | TrainingProgress | Simulated | TrainingFinished
OnEvent = Callable[[Event], None]


def ignore(_: Event) -> None:
    """Drop an event."""
