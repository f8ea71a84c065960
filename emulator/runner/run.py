"""Runs a study: trainings, ledger, models, report."""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace as replaced
from pathlib import Path
from types import MappingProxyType

from emulator.common.errors import EmulationError, NotRecordedError, RecordingError, StorageError
from emulator.common.files import held, storage, sweep
from emulator.common.text import counted
from emulator.reports import write
from emulator.results.ledger import Ledger
from emulator.results.privacy import accountant
from emulator.runner import defaults, run_source, trace_remarks
from emulator.runner.check import require_trainable
from emulator.runner.events import Note, OnEvent, TrainingFinished, TrainingResult, ignore
from emulator.runner.executors import Engine, Options
from emulator.runner.failures import summary
from emulator.runner.metadata import describe, privacy_account, provenance, remarks
from emulator.runner.model_cards import write_cards
from emulator.runner.models import copy_models
from emulator.runner.recording import archive
from emulator.scenario.study import Study, TrainingJob, titles
from emulator.simulation.event_table import EventTable
from emulator.simulation.records import Emulation, Round
from flasc.common.errors import AssetError, UserError


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


def folder_name(study: Study, networks: Sequence[Path]) -> str:
    """Name of the results folder; a replay of a recording or a log must not delete a run's models.

    The folder of a run keeps its name, because runs of one scenario have several: toy, toy-on-leo.
    """
    if study.run is not None and not networks:
        return study.run.resolve().name
    kind = "-recorded" if study.packed else "-logged" if not study.trains else ""
    name = study.scenario.name + kind
    return "-on-".join([name, *(network.stem for network in networks)])


def default_workers() -> int:
    """One process per core that this process may use, at most eight."""
    affinity = getattr(os, "sched_getaffinity", None)
    return min(len(affinity(0)) if affinity else os.cpu_count() or 1, 8)


def options_for(
    study: Study, recordings: Path | None, device: str = "auto", train: bool = True
) -> Options:
    """The options of a run. `recordings` None: those of the run that `study` was read from.

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
    return Options(recordings or study.recordings or run_source.DEFAULT, device, train=train)


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
    results: dict[int, TrainingResult | UserError] = {}
    filed = 0
    with storage(folder):
        sweep(folder)
    described = describe(study)
    meta = described.to_meta()
    with contextlib.ExitStack() as stack:
        may_train = options.train and study.trains
        ledger = stack.enter_context(_begun(study, folder, options, meta)) if may_train else None
        ended = stack.enter_context(
            contextlib.closing(engine.run_all(trainings, options, on_event))
        )
        for index, result in ended:
            if isinstance(result, StorageError | AssetError):
                raise result
            if ledger is None and isinstance(result, TrainingResult):
                ledger = stack.enter_context(_begun(study, folder, options, meta))
            results[index] = result
            on_event(TrainingFinished(index, result))
            while ledger and filed in results:
                _file(ledger, results[filed])
                filed += 1
        failures = [(i, r) for i, r in sorted(results.items()) if not isinstance(r, TrainingResult)]
        done = {i: r for i, r in sorted(results.items()) if isinstance(r, TrainingResult)}
        failures += [(i, error) for i, r in done.items() for error in r.stalled.values()]
        failure = summary(trainings, failures) if failures else None
        if ledger is None:  # a replay without any result leaves the folder as it was
            return Outcome(0, 0, None, failures, failure)
        told = {} if failure is None else {"failure": f"{failure.message}. Hint: {failure.hint}"}
        if ended_early := trace_remarks.ends(study, _longest(done), "the longest simulation takes"):
            told["remark"] = ". ".join([*remarks(study), *ended_early])
        ledger.annotate({"provenance": provenance(done), **told})
    copy_models(trainings, done, folder / "models")
    known = described.model_copy(update=told)
    write_cards(trainings, done, known, options.recordings, folder / "models")
    # A run keeps the rows of its simulations until its end, so the report need not read them again.
    tables = {each: rows for r in done.values() for each, rows in r.emulations.items()}
    report = write_report(folder, tables) if done else None
    trained = sum(result.trained_rounds for result in done.values())
    reused = sum(result.reused_rounds for result in done.values())
    return Outcome(trained, reused, report, failures, failure)


def _begun(study: Study, folder: Path, options: Options, meta: Mapping[str, str]) -> Ledger:
    """A new ledger in `folder`, without the report of an earlier one."""
    run_source.keep(study, options.recordings, folder)
    ledger = Ledger.create(folder / "ledger.sqlite", meta)
    write.remove(folder)
    return ledger


def _longest(done: Mapping[int, TrainingResult]) -> dict[str, float]:
    """{variant: simulated seconds of its longest simulation}."""
    found: dict[str, float] = {}
    for result in done.values():
        for emulation, rows in result.emulations.items():
            end_s = float(rows.columns(Round)["finish_s"].max(initial=0.0))
            found[emulation.variant] = max(end_s, found.get(emulation.variant, 0.0))
    return found


def _file(ledger: Ledger, result: TrainingResult | UserError) -> None:
    if isinstance(result, TrainingResult):
        for emulation, rows in result.emulations.items():
            ledger.write(emulation, rows)


def write_report(
    folder: Path, tables: Mapping[Emulation, EventTable] = MappingProxyType({})
) -> write.Report:
    """Write all files that are derived from the ledger in `folder`.

    Rows that are in `tables` are not read from the ledger.
    """
    with Ledger.open(folder / "ledger.sqlite") as ledger:
        return write.write(ledger, folder, tables)
