"""Runs a study: trainings, ledger, models, report."""

import contextlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace as replaced
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from emulator.common.errors import EmulationError, NotRecordedError, RecordingError, StorageError
from emulator.common.files import held, slug, storage, sweep
from emulator.common.text import counted
from emulator.reports import write
from emulator.results import summary_file
from emulator.results.ledger import Ledger
from emulator.results.privacy import accountant
from emulator.results.stored import LEDGER, Stored, open_run
from emulator.results.summary_file import SummaryFile
from emulator.runner import defaults, run_source, trace_remarks
from emulator.runner.check import require_trainable
from emulator.runner.events import Note, OnEvent, TrainingFinished, TrainingResult, ignore
from emulator.runner.executors import Engine, Options
from emulator.runner.executors.base import Result
from emulator.runner.failures import summary
from emulator.runner.metadata import describe, privacy_account, provenance, remarks, summariser
from emulator.runner.model_cards import write_cards
from emulator.runner.models import copy_models
from emulator.runner.parts import Part, divided, joined, of_training, without_rows
from emulator.runner.recording import archive
from emulator.scenario.study import Study, TrainingJob, titles
from emulator.simulation.event_table import EventTable
from emulator.simulation.records import Emulation, Round
from flasc.common.errors import AssetError, UserError

Keep = Literal["ledger", "summary"]


@dataclass(frozen=True)
class Outcome:
    """Server steps that were computed and that were recorded before, the report, and failures.

    `report` is None without any result. A failure is (training, error); `failure` is one error for
    all of them, or None.
    """

    trained_rounds: int
    reused_rounds: int
    report: write.Report | None
    failures: Sequence[tuple[int, UserError]]
    failure: EmulationError | None


def folder_name(study: Study, networks: Sequence[Path], swept: Iterable[str] = ()) -> str:
    """Name of the results folder; a replay of a recording or a log must not delete a run's models.

    The folder of a run keeps its name, because runs of one scenario have several: toy, toy-on-leo.
    `swept` has the paths of sweeps that were added: toy-over-up.
    """
    over = "".join(f"-over-{slug(path.partition('=')[0].rpartition('.')[2])}" for path in swept)
    if study.run is not None and not networks:
        return study.run.resolve().name + over
    kind = "-recorded" if study.packed else "-logged" if not study.trains else ""
    name = study.scenario.name + kind
    return "-on-".join([name, *(network.stem for network in networks)]) + over


def default_workers() -> int:
    """One process per core that this process may use, at most eight."""
    affinity = getattr(os, "sched_getaffinity", None)
    return min(len(affinity(0)) if affinity else os.cpu_count() or 1, 8)


def options_for(
    study: Study,
    recordings: Path | None,
    device: str = "auto",
    train: bool = True,
    keep: Keep = "ledger",
) -> Options:
    """The options of a run. `recordings` None: those of the run that `study` was read from.

    `keep` says what is stored of simulations: all rows, or a summary of each.

    Raises RecordingError for a packed recording in place of a folder, or beside one.
    """
    if recordings is not None and archive.is_packed(recordings):
        raise RecordingError(
            f"{recordings}: found a packed recording; allowed: a folder of recordings",
            f"replay the file itself: flasc-emu run {recordings}",
        )
    if recordings is not None and study.logs:
        raise RecordingError(
            f"{recordings}: found a folder of recordings beside message logs, which need none",
            "leave --recordings out",
        )
    if recordings is not None and study.packed is not None:
        raise RecordingError(
            f"{recordings}: found a folder of recordings beside the packed recording "
            f"{study.packed}, which has its own",
            "leave --recordings out, or run the scenario that the packed recording was made of",
        )
    store = recordings or study.recordings or run_source.DEFAULT
    summarise = summariser(study) if keep == "summary" else None
    return Options(store, device, train=train, summarise=summarise)


def run(
    study: Study, folder: Path, options: Options, *, engine: Engine, on_event: OnEvent = ignore
) -> Outcome:
    """Run the study and write its results to `folder`, which one run at a time may use.

    The ledger has the study's order, in whatever order trainings end, so that it is the same each
    time. A training that fails does not affect the others.

    Raises StorageError and AssetError, as they would occur in every training, ScenarioError for a
    training that is not recorded and cannot be computed, SupportError if the accountant for
    differential privacy is not installed, and NotRecordedError if nothing may be trained and a
    training is not recorded at all.
    """
    for remark in remarks_on(study, options):
        on_event(Note(None, remark))
    waiting = Note(None, f"{folder}: waiting for the end of another run that writes here")
    with recorded(study, options) as known:
        if absent := run_source.unrecorded(study, known.recordings):
            _announce(study, absent, known, on_event)
        with held(folder, lambda: on_event(waiting)):
            return _run(study, folder, known, engine, on_event)


def remarks_on(study: Study, options: Options) -> list[str]:
    """Remarks on what will be trained. Raises ScenarioError or SupportError if it cannot be."""
    if any(map(privacy_account, study.variants.values())):
        accountant()
    if not (options.train and study.trains):
        return []
    require_trainable(study, options.recordings, options.cache)
    return list(defaults.remarks(study, options.recordings))


def _announce(
    study: Study, absent: Sequence[TrainingJob], options: Options, on_event: OnEvent
) -> None:
    """Refuse what would train, before anything is written, or say that a run trains again."""
    names, whole = "; ".join(titles(absent)), len(study.trainings())
    lacking = f"does not have {len(absent)} of {counted(whole, 'training')}: {names}"
    if not (study.trains or study.packed):
        raise NotRecordedError(
            f"{study.run}: found no copies of its message logs (logs/1.jsonl, ...)",
            "run the logs again: flasc-emu run LOG... --network FILE",
        )
    if options.packed and len(absent) == whole:
        raise NotRecordedError(
            f"{options.packed}: the packed recording {lacking}",
            "run the scenario that it was made of instead: that trains what is missing",
        )
    if not (options.train or options.packed):
        raise NotRecordedError(
            f"nothing may be trained (--no-train), and {options.recordings} {lacking}",
            "leave --no-train out to train them, or give the folder that has them: --recordings",
        )
    if study.recordings is not None:
        text = f"found no recording of {names} in {options.recordings}: it is trained now"
        on_event(Note(None, text))


@contextlib.contextmanager
def recorded(study: Study, options: Options) -> Iterator[Options]:
    """`options`; for a packed recording with its own recordings, and without training."""
    if study.packed is None:
        yield options
    else:
        with archive.extracted(study.packed) as (store, opened):
            yield replaced(options, recordings=store, packed=study.packed, opened=opened)


def _run(
    study: Study, folder: Path, options: Options, engine: Engine, on_event: OnEvent
) -> Outcome:
    trainings = study.trainings()
    parts = divided(trainings, may_train=options.may_train and study.trains)
    with storage(folder):
        sweep(folder)
    described = describe(study)
    meta = described.to_meta()
    results = _Results(parts)
    with contextlib.ExitStack() as stack:
        may_train = options.train and study.trains
        stored: Stored | None = None
        if may_train:
            stored = _begun(study, folder, options, meta)
            stack.callback(stored.close)
        jobs, tell = [part.job for part in parts], of_training(parts, on_event)
        ended = stack.enter_context(contextlib.closing(engine.run_all(jobs, options, tell)))
        for index, result in ended:
            if isinstance(result, StorageError | AssetError):
                raise result
            if stored is None and isinstance(result, TrainingResult):
                stored = _begun(study, folder, options, meta)
                stack.callback(stored.close)
            whole = results.add(index, result)
            if whole is not None:
                on_event(TrainingFinished(parts[index].training, whole))
            if stored:
                results.file(stored)
        done, failures = results.done(), results.failures()
        failure = summary(trainings, failures) if failures else None
        if stored is None:  # a replay without any result leaves the folder as it was
            return Outcome(0, 0, None, failures, failure)
        told = {} if failure is None else {"failure": f"{failure.message}. Hint: {failure.hint}"}
        longest_s = results.longest_s
        if ended_early := trace_remarks.ends(study, longest_s, "the longest simulation takes"):
            told["remark"] = ". ".join([*remarks(study), *ended_early])
        stored.annotate({"provenance": provenance(done), **told})
    copy_models(trainings, done, folder / "models")
    known = described.model_copy(update=told)
    write_cards(trainings, done, known, options.recordings, folder / "models")
    # What a run keeps of its rows, the report need not read again.
    tables = {each: rows for r in done.values() for each, rows in r.emulations.items()}
    report = write_report(folder, tables) if results.stored else None
    trained = sum(result.trained_rounds for result in done.values())
    reused = sum(result.reused_rounds for result in done.values())
    return Outcome(trained, reused, report, failures, failure)


class _Results:
    """The results of parts as they end: files them in order, and joins those of a training.

    Rows of a training with several parts are dropped when they are filed: there may be thousands.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts, self._filed = parts, 0
        self._of: dict[int, Result] = {}
        self._left = Counter(part.training for part in parts)
        self._several = {training for training, count in self._left.items() if count > 1}
        self._whole: dict[int, Result] = {}
        self.longest_s: dict[str, float] = {}  # of the simulations of each variant
        self.stored = False  # whether anything was

    def add(
        self, index: int, result: TrainingResult | UserError
    ) -> TrainingResult | UserError | None:
        """Note the result of a part. Returns that of its training, if it was the last one left."""
        self._of[index] = result
        if isinstance(result, TrainingResult):
            for variant, end_s in _ends_s(result):
                self.longest_s[variant] = max(end_s, self.longest_s.get(variant, 0.0))
        training = self._parts[index].training
        self._left[training] -= 1
        if self._left[training]:
            return None
        own = [i for i, part in enumerate(self._parts) if part.training == training]
        self._whole[training] = joined([self._of[i] for i in own])
        return self._whole[training]

    def file(self, stored: Stored) -> None:
        """Write all results that are due, in the order of their parts."""
        while self._filed in self._of:
            index, result = self._filed, self._of[self._filed]
            if isinstance(result, TrainingResult):
                _file(stored, result)
                self.stored = True
                if self._parts[index].training in self._several:
                    self._of[index] = without_rows(result)
            self._filed += 1

    def done(self) -> dict[int, TrainingResult]:
        """The results of trainings without an error."""
        found = sorted(self._whole.items())
        return {i: r for i, r in found if isinstance(r, TrainingResult)}

    def failures(self) -> list[tuple[int, UserError]]:
        """The errors of trainings, and then those of single simulations."""
        found = sorted(self._whole.items())
        failed = [(i, r) for i, r in found if not isinstance(r, TrainingResult)]
        return failed + [(i, e) for i, r in self.done().items() for e in r.stalled.values()]


def _ends_s(result: TrainingResult) -> Iterator[tuple[str, float]]:
    """The variant and the simulated seconds of each simulation."""
    for emulation, rows in result.emulations.items():
        yield emulation.variant, float(rows.columns(Round)["finish_s"].max(initial=0.0))
    for emulation, found in result.summaries.items():
        yield emulation.variant, found.duration_s


def _begun(study: Study, folder: Path, options: Options, meta: Mapping[str, str]) -> Stored:
    """A new ledger or file of summaries in `folder`, without the report of an earlier one."""
    run_source.keep(study, options.recordings, folder)
    stored: Stored
    if options.summarise is None:
        stored, other = Ledger.create(folder / LEDGER, meta), summary_file.NAME
    else:
        stored, other = SummaryFile.create(folder / summary_file.NAME, meta), LEDGER
    with storage(folder):
        (folder / other).unlink(missing_ok=True)
    write.remove(folder)
    return stored


def _file(stored: Stored, result: TrainingResult) -> None:
    if isinstance(stored, SummaryFile):
        stored.write(result.summaries)
        return
    for emulation, rows in result.emulations.items():
        stored.write(emulation, rows)


def write_report(
    folder: Path, tables: Mapping[Emulation, EventTable] = MappingProxyType({})
) -> write.Report:
    """Write all files that are derived from the results in `folder`.

    Rows that are in `tables` are not read from the ledger.
    """
    with open_run(folder) as stored:
        return write.write(stored, folder, tables)
