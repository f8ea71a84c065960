"""Recorded trainings in memory, simulated under any network without a ledger on disk."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

from emulator.common.errors import NotRecordedError
from emulator.results.metrics import curve, outcome
from emulator.results.summary_file import Measured
from emulator.runner.executors import Options
from emulator.runner.recording import Recording, RecordingTrainer
from emulator.runner.recording.identity import root_of
from emulator.runner.run import recorded
from emulator.runner.run_source import unrecorded
from emulator.runner.training_job import lora_rank
from emulator.scenario.scenario import Scenario
from emulator.scenario.study import Study, TrainingJob
from emulator.simulation.compiled.plan import Plans
from emulator.simulation.records import Emulation
from emulator.simulation.rounds.logged import LoggedTrainer
from emulator.simulation.simulate import simulate
from emulator.simulation.trainer import Trainer

MANY = 1_000_000  # simulations: the compiled network is worth its loading


class Run(NamedTuple):
    """One simulation of a scenario: method, seed of the training, draw of the fleet."""

    method: str
    seed: int
    draw: int | None = None

    def emulation(self, variant: str) -> Emulation:
        """The simulation under a variant."""
        return Emulation(self.method, variant, self.seed, self.draw)


@dataclass(frozen=True)
class _Training:
    """A training, its recording and the plans of its rounds."""

    job: TrainingJob
    recording: Recording | None
    plans: Plans

    def trainer(self, scenario: Scenario) -> Trainer:
        """A trainer at the start of the training, which answers from the recording or the log."""
        if self.job.log is not None:
            return LoggedTrainer(self.job.log, modelled=scenario.compute is not None)
        assert self.recording is not None, "a training is recorded or logged"
        return RecordingTrainer(self.recording, self._refuse)

    def _refuse(self) -> NoReturn:
        assert self.recording is not None
        if not self.recording.steps:
            raise NotRecordedError("it is not recorded", "run the study first: flasc-emu run")
        rounds = len(self.recording.steps)
        raise NotRecordedError(
            f"it asks for a round that is not among the {rounds} recorded",
            "copy the scenario and run it: flasc-emu run trains what is missing",
        )


def require_recorded(study: Study, options: Options, name: str) -> None:
    """Raise NotRecordedError if no training of the study at `name` is recorded."""
    lacking = [] if study.packed or study.logs else unrecorded(study, options.recordings)
    if lacking and len(lacking) == len(study.trainings()):
        raise NotRecordedError(
            f"{name}: found none of its trainings in {options.recordings}",
            f"run it first: flasc-emu run {name}",
        )


class Replays:
    """All trainings of a study, in the memory of this process. Raises RecordingError."""

    def __init__(self, study: Study, options: Options) -> None:
        with recorded(study, options) as known:
            self._trainings = {
                (each.method, each.settings.model_dump_json()): _Training(
                    each, _opened(each, known), Plans()
                )
                for each in study.trainings()
            }

    def measured(
        self,
        scenario: Scenario,
        run: Run,
        notice: Callable[[object], None] = lambda _: None,
        simulations: int = 1,
    ) -> Measured:
        """The outcome and the curve of one simulation; the outcome has no target.

        `notice` is called with each row when it is created. `simulations` are expected in all,
        which decides the engine. Raises NotRecordedError, StalledError and EmulationError.
        """
        settings = scenario.training_settings(run.method, run.seed)
        training = self._trainings[run.method, settings.model_dump_json()]
        rows = simulate(
            scenario,
            run.seed,
            training.trainer(scenario),
            notice,
            lora_rank(settings),
            network_seed=run.draw,
            simulations=simulations,
            plans=training.plans,
        )
        found = outcome(run.emulation(""), rows, None, metric=scenario.metric_measure)
        return Measured(found, curve(rows))


def _opened(training: TrainingJob, options: Options) -> Recording | None:
    """The recording of a training; None for a message log, which is its own."""
    if training.log is not None:
        return None
    settings = training.settings.model_dump(mode="json")
    opened: Mapping[str, Recording] = options.opened
    root = root_of(options.recordings, settings, training.weights)
    return opened.get(root) or Recording(options.recordings, settings, weights=training.weights)
