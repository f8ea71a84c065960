"""One training and all its simulations: what every engine runs."""

import functools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from emulator.common.errors import NotRecordedError, StalledError
from emulator.results.metrics import SPLIT
from emulator.results.summary_file import Summariser, Summary
from emulator.runner import training_pace
from emulator.runner.events import Event, Note, OnEvent, Simulated, TrainingProgress, TrainingResult
from emulator.runner.recording import LiveTrainer, Recording, RecordingTrainer
from emulator.runner.recording.identity import root_of
from emulator.runner.recording.model_export import stamp
from emulator.scenario.scenario import Scenario
from emulator.scenario.study import TrainingJob
from emulator.simulation.compiled.plan import Plans
from emulator.simulation.event_table import DIRECTIONS, Columns, EventTable
from emulator.simulation.records import Client, Emulation, Evaluation, Round, Row, Transfer, drawn
from emulator.simulation.rounds.logged import LoggedTrainer, LoggedTraining
from emulator.simulation.simulate import simulate
from emulator.simulation.target import hardest
from flasc.training.settings import TrainingSettings
from flasc.training.shared_models import SharedModels

TELL_EVERY_WALL_S = 0.2  # numbers of simulations
COMPILING = "compiling the network, once per installation: about 15 s of processor time"


@dataclass(frozen=True)
class Options:
    """How trainings are run; no option changes a result.

    With `train` False, what is not recorded is an error. `packed` is the packed recording that
    `recordings` were unpacked from; it has no states to train on from. `opened` are those of the
    `recordings` that this process has read already, by the names of their folders. With
    `summarise`, summaries are kept in place of rows.
    """

    recordings: Path
    device: str = "auto"
    cache: Path | None = None
    train: bool = True
    packed: Path | None = None
    summarise: Summariser | None = None
    opened: Mapping[str, Recording] = field(default_factory=dict, compare=False, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process gets, which reads recordings itself."""
        return vars(self) | {"opened": {}}

    @property
    def may_train(self) -> bool:
        """Whether what is not recorded may be trained."""
        return self.train and self.packed is None


OpenRecording = Callable[..., Recording]


def lora_rank(settings: TrainingSettings) -> int | None:
    """The rank of the LoRA that is trained; None without LoRA."""
    return settings.lora.rank if settings.method.has_rank else None


def _real_trainer(
    settings: TrainingSettings,
    options: Options,
    notify: Callable[[str], None],
    shared: SharedModels,
) -> tuple[LiveTrainer, Mapping[str, str]]:
    """The real trainer and its provenance: the only import of torch; a replay does without."""
    notify("loading data and model")
    from flasc.training import trainer

    live: Any = trainer.make(
        settings, device=options.device, cache=options.cache, notify=notify, shared=shared
    )
    return live, trainer.provenance(live)


def prepare(settings: TrainingSettings, options: Options, shared: SharedModels) -> LiveTrainer:
    """A trainer at version 0, for a worker that helps another one with the same settings."""
    return _real_trainer(settings, options, lambda _: None, shared)[0]


def _not_recorded(
    recording: Recording, state: str, training: TrainingJob, options: Options
) -> NotRecordedError:
    """The error of a training that would have to be trained on from `state` and may not."""
    why, hint = "nothing may be trained (--no-train)", "leave it out to train what is missing"
    if options.packed:
        why = "a packed recording has no states to train on from"
        hint = "run the scenario that it was made of instead: that trains what is missing"
    if not recording.steps:
        return NotRecordedError(f"is not recorded, and {why}", hint)
    rounds = len(recording.steps)
    is_end = all(step.parent != state for step in recording.steps.values())
    scores = [score for (_, split), score in recording.scores.items() if split == SPLIT]
    goals = [goal for v in training.variants.values() if (goal := v.training.goal)]
    if is_end and scores and (missed := hardest([g for g in goals if not g.is_met_by(scores)])):
        best = missed.best(scores)
        text = f"target {missed} was not reached within the recording: best {best:.3f}"
        return NotRecordedError(f"{text} in {rounds} rounds", hint, str(missed), best)
    text = f"asks for a round that is not among the {rounds} recorded, and {why}"
    return NotRecordedError(text, hint)


class ProgressReporter:
    """Reports each round and each score of one simulation, from its rows as they come."""

    def __init__(
        self, start: TrainingProgress, on_event: OnEvent, trained: Callable[[], int]
    ) -> None:
        self._progress = start
        self._moved = {"down": 0, "up": 0}
        self._on_event, self._trained = on_event, trained

    def __call__(self, row: Row | EventTable) -> None:
        """Report a row of the simulation, or a block of rows, if it changes what is shown."""
        match row:
            case Transfer():
                self._moved[row.direction] += row.nbytes
            case EventTable():
                sent = row.columns(Transfer)
                for way in DIRECTIONS:
                    self._moved[way] += int(sent["nbytes"][sent.having("direction", way)].sum())
            case Evaluation():
                before = self._progress
                self._progress = replace(before, accuracy=row.accuracy, scored_round=row.round)
                self._report(row.round, row.time_s, row.split)
                if row.split == "test":  # the rounds that follow show the score on validation
                    self._progress = replace(
                        self._progress, accuracy=before.accuracy, scored_round=before.scored_round
                    )
            case Round():
                self._report(row.round, row.finish_s, "")

    def _report(self, number: int, clock_s: float, split: str) -> None:
        self._progress = replace(
            self._progress,
            round=number,
            clock_s=clock_s,
            split=split,
            trained=self._trained(),
            bytes_down=self._moved["down"],
            bytes_up=self._moved["up"],
        )
        self._on_event(self._progress)


def run_training(
    index: int,
    training: TrainingJob,
    options: Options,
    on_event: OnEvent,
    shared: SharedModels,
    open_recording: OpenRecording = Recording,
) -> TrainingResult:
    """Train (or replay) and simulate each variant; `index` identifies the training in events.

    Raises UserError.
    """
    if training.log is not None:
        return _run_log(index, training, training.log, options, on_event)
    settings = training.settings.model_dump(mode="json")
    recording = options.opened.get(root_of(options.recordings, settings, training.weights))
    if recording is None:
        recording = open_recording(options.recordings, settings, weights=training.weights)

    def notify(text: str) -> None:
        on_event(Note(index, text))

    def tell_of_mixing(differences: str) -> None:
        # A note about the run, as the live view soon replaces one about a training.
        text = f"{training.method}, seed {training.seed}: the recording was made with {differences}"
        hint = "to train all of it here, give another folder with --recordings"
        on_event(Note(None, f"{text}. Results may differ from those of one machine; {hint}"))

    begun: list[tuple[float, str]] = []  # when training began, and on which device

    def make() -> tuple[LiveTrainer, Mapping[str, str]]:
        if not options.may_train:
            raise _not_recorded(recording, trainer.state, training, options)
        live, provenance = _real_trainer(training.settings, options, notify, shared)
        begun.append((time.monotonic(), provenance.get("device", "")))
        return live, provenance

    trainer = RecordingTrainer(
        recording,
        make,
        lambda: notify("waiting for another process that trains the same"),
        tell_of_mixing,
    )
    kept = _Kept(index, options.summarise, on_event, brief=training.brief)
    stalled: dict[Emulation, StalledError] = {}
    rank, state = lora_rank(training.settings), trainer.state
    plans = Plans(lambda: notify(COMPILING))
    try:
        for emulation, scenario in training.simulations():
            trainer.restart()
            on_stall = functools.partial(stalled.__setitem__, emulation)
            on_row = _reporter(
                index, emulation, scenario, on_event, lambda: trainer.trained, training.brief
            )
            rows = simulate(
                scenario,
                training.seed,
                trainer,
                on_row if options.may_train or not training.brief else _unheard,
                rank,
                on_stall,
                training.give_up_s,
                emulation.network_seed,
                training.of_study,
                plans,
            )
            if begun:
                wall_s, device = time.monotonic() - begun[0][0], begun.pop()[1]
                updates = sum(len(recording.steps[step].uploads) for step in trainer.trained_steps)
                training_pace.store(training.settings, device, wall_s, updates, options.cache)
            # A simulation by a plan leaves the trainer at its start.
            state = state if trainer.state == recording.root else trainer.state
            if emulation not in stalled or len(rows.columns(Evaluation)):
                kept.add(emulation, rows)
        if not (kept.rows or kept.summaries):
            raise next(iter(stalled.values()))
        kept.tell()
        trainer.state = state
        model = trainer.export() if training.exports or trainer.trained else None
        return TrainingResult(
            kept.rows,
            trainer.trained_steps,
            model,
            stamp(trainer.state),
            {**recording.provenance(), **_engine(plans)},
            stalled,
            trainer.replayed_steps,
            kept.summaries,
        )
    finally:
        trainer.close()


def _engine(plans: Plans) -> dict[str, str]:
    """The provenance of simulations by the compiled network; nothing for the reference."""
    return {"network": "compiled"} if plans.compiled else {}


def _unheard(_: Row | EventTable) -> None:
    """Report nothing of a row."""


class _Kept:
    """What a job keeps of its simulations: rows, or summaries; tells of them if it is brief."""

    def __init__(
        self, index: int, summarise: Summariser | None, on_event: OnEvent, *, brief: bool
    ) -> None:
        self.rows: dict[Emulation, EventTable] = {}
        self.summaries: dict[Emulation, Summary] = {}
        self._index, self._summarise = index, summarise
        self._on_event, self._brief = on_event, brief
        self._untold, self._told_wall_s = 0, time.monotonic()

    def add(self, emulation: Emulation, rows: EventTable) -> None:
        """Keep a simulation that has ended."""
        if self._summarise is None:
            self.rows[emulation] = rows
        else:
            self.summaries[emulation] = self._summarise(emulation, rows)
        self._untold += 1
        if time.monotonic() - self._told_wall_s > TELL_EVERY_WALL_S:
            self.tell()

    def tell(self) -> None:
        """Report the simulations that were not reported."""
        if self._brief and self._untold:
            self._on_event(Simulated(self._index, self._untold))
        self._untold, self._told_wall_s = 0, time.monotonic()


def _reporter(
    index: int,
    of: Emulation,
    scenario: Scenario,
    on_event: OnEvent,
    trained: Callable[[], int],
    brief: bool = False,
) -> ProgressReporter:
    """A reporter of rounds; a brief one reports them while something is trained."""

    def if_trained(event: Event) -> None:
        if trained():
            on_event(event)

    tell = if_trained if brief else on_event
    label = drawn(of.variant, of.network_seed)
    start = TrainingProgress(index, label, rounds=scenario.training.rounds)
    return ProgressReporter(start, tell, trained)


def _run_log(
    index: int, training: TrainingJob, log: LoggedTraining, options: Options, on_event: OnEvent
) -> TrainingResult:
    """Simulate each variant of a training that is in a message log."""
    kept = _Kept(index, options.summarise, on_event, brief=training.brief)
    plans = Plans(lambda: on_event(Note(index, COMPILING)))
    for emulation, scenario in training.simulations():
        on_row = _reporter(index, emulation, scenario, on_event, lambda: 0, training.brief)
        trainer = LoggedTrainer(log, modelled=scenario.compute is not None)
        rows = simulate(
            scenario,
            training.seed,
            trainer,
            on_row,
            network_seed=emulation.network_seed,
            simulations=training.of_study,
            plans=plans,
        )
        if scenario.network.groups is None:
            rows = _in_groups(rows, log.groups)
        kept.add(emulation, rows)
    kept.tell()
    provenance = {"message log": f"{training.method}: {log.source}", **_engine(plans)}
    rounds = frozenset(map(str, range(len(log.rounds))))
    return TrainingResult(
        kept.rows, frozenset(), None, b"", provenance, replayed=rounds, summaries=kept.summaries
    )


def _in_groups(rows: EventTable, groups: Mapping[int, str]) -> EventTable:
    """The rows with the groups of clients that the log names."""
    clients = rows.columns(Client)
    named = (row._replace(group=groups.get(row.client, row.group)) for row in clients)
    return rows.replaced(Columns.of(Client, named))
