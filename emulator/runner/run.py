"""Runs a study: trainings, ledger, models, report."""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace as replaced
from pathlib import Path

from emulator.common.errors import StorageError
from emulator.common.files import held, storage, sweep
from emulator.reports import write
from emulator.results.ledger import Ledger
from emulator.results.privacy import accountant
from emulator.runner import defaults, trace_remarks
from emulator.runner.check import require_trainable
from emulator.runner.events import Note, OnEvent, TrainingFinished, TrainingResult, ignore
from emulator.runner.executors import Engine, Options
from emulator.runner.metadata import describe, privacy_account, provenance, remarks
from emulator.runner.models import copy_models
from emulator.runner.recording import archive
from emulator.scenario.study import Study
from emulator.simulation.records import Round
from flasc.common.errors import AssetError, UserError


@dataclass(frozen=True)
class Outcome:
    """Server steps computed and reused, files written, and (training, error) of each failure."""

    trained_rounds: int
    reused_rounds: int
    written: Sequence[Path]
    failures: Sequence[tuple[int, UserError]]


def folder_name(study: Study, networks: Sequence[Path]) -> str:
    """Name of the results folder; a replay of a packed recording must not delete a run's models."""
    name = study.scenario.name + ("-recorded" if study.packed else "")
    return "-on-".join([name, *(network.stem for network in networks)])


def default_workers() -> int:
    """One process per core that this process may use, at most eight."""
    affinity = getattr(os, "sched_getaffinity", None)
    return min(len(affinity(0)) if affinity else os.cpu_count() or 1, 8)


def run(
    study: Study, folder: Path, options: Options, *, engine: Engine, on_event: OnEvent = ignore
) -> Outcome:
    """Run the study and write its results to `folder`, which one run at a time may use.

    The ledger has the study's order, in whatever order trainings end, so that it is the same each
    time. A training that fails does not affect the others.

    Raises StorageError and AssetError, as they would occur in every training, ScenarioError for a
    training that is not recorded and cannot be computed, and SupportError if the accountant for
    differential privacy is not installed.
    """
    if any(map(privacy_account, study.variants.values())):
        accountant()
    if not options.replay:
        require_trainable(study, options.recordings, options.cache)
        for remark in defaults.remarks(study, options.recordings):
            on_event(Note(None, remark))
    waiting = Note(None, f"{folder}: waiting for the end of another run that writes here")
    with held(folder, lambda: on_event(waiting)), recorded(study, options) as known:
        return _run(study, folder, known, engine, on_event)


@contextlib.contextmanager
def recorded(study: Study, options: Options) -> Iterator[Options]:
    """`options`; for a packed recording with its own recordings, and without training."""
    if study.packed is None:
        yield options
    else:
        with archive.extracted(study.packed) as store:
            yield replaced(options, recordings=store, replay=True)


def _run(
    study: Study, folder: Path, options: Options, engine: Engine, on_event: OnEvent
) -> Outcome:
    trainings = study.trainings()
    results: dict[int, TrainingResult | UserError] = {}
    filed = 0
    with storage(folder):
        sweep(folder)
    with Ledger.create(folder / "ledger.sqlite", describe(study).to_meta()) as ledger:
        with contextlib.closing(engine.run_all(trainings, options, on_event)) as ended:
            for index, result in ended:
                if isinstance(result, StorageError | AssetError):
                    raise result
                results[index] = result
                on_event(TrainingFinished(index, result))
                while filed in results:
                    _file(ledger, results[filed])
                    filed += 1
        failures = [(i, r) for i, r in sorted(results.items()) if not isinstance(r, TrainingResult)]
        done = {i: r for i, r in sorted(results.items()) if isinstance(r, TrainingResult)}
        failures += [(i, error) for i, r in done.items() for error in r.stalled.values()]
        ledger.annotate({"provenance": provenance(done)})
        if ended_early := trace_remarks.ends(study, _longest(done), "the longest simulation takes"):
            ledger.annotate({"remark": ". ".join([*remarks(study), *ended_early])})
    copy_models(trainings, done, folder / "models")
    written = write_report(folder) if done else []
    trained = sum(result.trained_rounds for result in done.values())
    reused = sum(result.reused_rounds for result in done.values())
    return Outcome(trained, reused, written, failures)


def _longest(done: Mapping[int, TrainingResult]) -> dict[str, float]:
    """{variant: simulated seconds of its longest simulation}."""
    found: dict[str, float] = {}
    for result in done.values():
        for emulation, rows in result.emulations.items():
            end_s = max((row.finish_s for row in rows if isinstance(row, Round)), default=0.0)
            found[emulation.variant] = max(end_s, found.get(emulation.variant, 0.0))
    return found


def _file(ledger: Ledger, result: TrainingResult | UserError) -> None:
    if isinstance(result, TrainingResult):
        for emulation, rows in result.emulations.items():
            ledger.write(emulation, rows)


def write_report(folder: Path) -> Sequence[Path]:
    """Write all files that are derived from the ledger in `folder`; returns their paths."""
    with Ledger.open(folder / "ledger.sqlite") as ledger:
        return write.write(ledger, folder)
