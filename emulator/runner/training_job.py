"""What any engine runs: one training, and every emulation that it serves."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from emulator.common.errors import RecordingError, StalledError
from emulator.runner.recording import LiveTrainer, Recording, RecordingTrainer
from emulator.runner.recording.model_export import stamp
from emulator.scenario.study import TrainingJob
from emulator.simulation.records import Emulation, Evaluation, Round, Row, Transfer
from emulator.simulation.simulate import simulate
from flasc.training.settings import TrainingSettings
from flasc.training.shared_models import SharedModels


@dataclass(frozen=True)
class Options:
    """How to carry out, as opposed to what: nothing here changes a result."""

    recordings: Path
    device: str = "auto"
    cache: Path | None = None
    replay: bool = False  # what is not recorded is an error, and not trained


@dataclass(frozen=True)
class Progress:
    """How far a training is under one variant, or (`note`) what it is waiting for.

    `clock_s` is simulated seconds, `accuracy` (0 to 1) the newest on any split, `trained` the
    number of server steps really computed so far, `bytes_down` and `bytes_up` what has moved.
    `split` is what was scored just now; empty where a round ended.
    """

    round: int = 0
    rounds: int = 0
    clock_s: float = 0.0
    accuracy: float | None = None
    trained: int = 0
    note: str = ""
    variant: str = ""
    bytes_down: int = 0
    bytes_up: int = 0
    split: str = ""


@dataclass(frozen=True)
class TrainingResult:
    """All emulations of a training, what it cost, and where its model was exported, if it was.

    `stamp` is that of its model: `model` has it for as long as nobody trains on from there.
    `stalled` says which of them could not go on to their end, and why; `reused_rounds` counts the
    server steps that were read from the recording instead of computed.
    """

    emulations: Mapping[Emulation, list[Row]]
    trained_rounds: int
    model: Path | None
    stamp: bytes
    provenance: Mapping[str, str]
    stalled: Mapping[Emulation, StalledError] = field(default_factory=dict)
    reused_rounds: int = 0


def lora_rank(settings: TrainingSettings) -> int | None:
    """The rank of the LoRA that is trained; None where none is."""
    return settings.lora.rank if settings.method.has_rank else None


def _real_trainer(
    settings: TrainingSettings,
    options: Options,
    notify: Callable[[str], None],
    workshop: SharedModels,
) -> tuple[LiveTrainer, Mapping[str, str]]:
    """The one door to torch; whoever only replays never opens it."""
    notify("loading data and model")
    from flasc.training import trainer

    live: Any = trainer.make(
        settings, device=options.device, cache=options.cache, notify=notify, shared=workshop
    )
    return live, trainer.provenance(live)


def _unrecorded(recording: Recording) -> RecordingError:
    """Somebody else would take part, or more rounds are asked for; that has to be trained."""
    rounds = len(recording.steps)
    return RecordingError(
        f"{f'asks for a round that is not among the {rounds}' if rounds else 'is not'} recorded, "
        "and a packed recording has no states to train on from",
        "run the scenario that it was made of instead: that trains what is missing",
    )


def prepare(settings: TrainingSettings, options: Options, workshop: SharedModels) -> LiveTrainer:
    """A trainer at version 0, to help another one with the same settings."""
    return _real_trainer(settings, options, lambda _: None, workshop)[0]


class ProgressReporter:
    """Tells of each round and each score, from the rows of one emulation as they come."""

    def __init__(
        self,
        variant: str,
        rounds: int,
        notify: Callable[[Progress], None],
        trained: Callable[[], int],
    ) -> None:
        self._told = Progress(rounds=rounds, variant=variant)
        self._moved = {"down": 0, "up": 0}
        self._notify, self._trained = notify, trained

    def __call__(self, row: Row) -> None:
        """Report a row of the simulation, if it changes what is shown."""
        match row:
            case Transfer():
                self._moved[row.direction] += row.nbytes
            case Evaluation():
                self._tell(row.round, row.time_s, row.accuracy, row.split)
            case Round():
                self._tell(row.round, row.finish_s, self._told.accuracy, "")

    def _tell(self, number: int, clock_s: float, accuracy: float | None, split: str) -> None:
        self._told = replace(
            self._told,
            round=number,
            clock_s=clock_s,
            accuracy=accuracy,
            split=split,
            trained=self._trained(),
            bytes_down=self._moved["down"],
            bytes_up=self._moved["up"],
        )
        self._notify(self._told)


def run_training(
    training: TrainingJob,
    options: Options,
    notify: Callable[[Progress], None],
    workshop: SharedModels,
    recorded: Callable[[Path, Mapping[str, Any]], Recording] = Recording,
) -> TrainingResult:
    """Train (or replay) and emulate each variant. Raises the typed errors of either side.

    `recorded` opens the recording.
    """
    recording = recorded(options.recordings, training.settings.model_dump(mode="json"))

    def say(note: str) -> None:
        notify(Progress(note=note))

    def make() -> tuple[LiveTrainer, Mapping[str, str]]:
        if options.replay:
            raise _unrecorded(recording)
        return _real_trainer(training.settings, options, say, workshop)

    trainer = RecordingTrainer(
        recording, make, lambda: say("waiting for another process that trains the same")
    )
    emulations: dict[Emulation, list[Row]] = {}
    stalled: dict[Emulation, StalledError] = {}
    reused = 0
    try:
        for label, scenario in training.variants.items():
            trainer.restart()
            emulation = Emulation(training.method, label, training.seed)
            rank = lora_rank(training.settings)
            before = trainer.replayed
            halt = functools.partial(stalled.__setitem__, emulation)
            notice = ProgressReporter(
                label, scenario.training.rounds, notify, lambda: trainer.trained
            )
            rows = simulate(scenario, training.seed, trainer, notice, rank, halt)
            if emulation not in stalled or any(isinstance(row, Evaluation) for row in rows):
                emulations[emulation] = rows
            reused += trainer.replayed - before
        if not emulations:
            raise next(iter(stalled.values()))
        model, made_on = trainer.export(), recording.provenance()
        of_it = stamp(trainer.state)
        return TrainingResult(emulations, trainer.trained, model, of_it, made_on, stalled, reused)
    finally:
        trainer.close()
