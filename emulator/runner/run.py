"""A study from scenario to report: trainings carried out, rows filed, results written."""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from dataclasses import replace as replaced
from pathlib import Path

from emulator.common.errors import StorageError
from emulator.common.files import held, storage, sweep
from emulator.reports import write
from emulator.results.ledger import Ledger
from emulator.runner.executors import Engine, Options, Progress, TrainingResult
from emulator.runner.metadata import describe, provenance, require_accountant
from emulator.runner.models import copy_models
from emulator.runner.recording import archive
from emulator.scenario.study import Study
from flasc.common.errors import AssetError, UserError


@dataclass(frozen=True)
class Outcome:
    """What a run came to: server steps computed and reused, files, (index, error) of failures."""

    trained_rounds: int
    reused_rounds: int
    written: Sequence[Path]
    failures: Sequence[tuple[int, UserError]]


def folder_name(study: Study, networks: Sequence[Path]) -> str:
    """Of a run's results; a packed recording has no models and shall not take a run's away."""
    name = study.scenario.name + ("-recorded" if study.packed else "")
    return "-on-".join([name, *(network.stem for network in networks)])


def default_workers() -> int:
    """One process a core that this process may use, at most eight."""
    affinity = getattr(os, "sched_getaffinity", None)
    return min(len(affinity(0)) if affinity else os.cpu_count() or 1, 8)


def run(
    study: Study,
    folder: Path,
    options: Options,
    *,
    engine: Engine,
    notify: Callable[[int, Progress], None] = lambda *_: None,
    finished: Callable[[int, TrainingResult | UserError], None] = lambda *_: None,
    say: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Carry the study out into `folder`, which one run at a time may write to.

    `notify` and `finished` hear how each training, by its index in `study.trainings()`, goes and
    ends. Rows are filed in the study's order whatever order trainings end in, so that the ledger is
    the same each time. A failing training leaves the others be.

    Raises StorageError and AssetError: what a machine refuses one training it refuses them all;
    SupportError where privacy is asked for and could not be accounted for.
    """
    require_accountant(study.variants.values())
    with (
        held(folder, lambda: say(f"{folder}: another run writes here; waiting for its end")),
        recorded(study, options) as known,
    ):
        return _run(study, folder, known, engine, notify, finished)


@contextlib.contextmanager
def recorded(study: Study, options: Options) -> Iterator[Options]:
    """`options` with the study's own recordings, where it is read from a packed one."""
    if study.packed is None:
        yield options
    else:
        with archive.extracted(study.packed) as store:
            yield replaced(options, recordings=store, replay=True)


def _run(
    study: Study,
    folder: Path,
    options: Options,
    engine: Engine,
    notify: Callable[[int, Progress], None],
    finished: Callable[[int, TrainingResult | UserError], None],
) -> Outcome:
    trainings = study.trainings()
    results: dict[int, TrainingResult | UserError] = {}
    filed = 0
    with storage(folder):
        sweep(folder)
    with Ledger.create(folder / "ledger.sqlite", describe(study).to_meta()) as ledger:
        with contextlib.closing(engine.run_all(trainings, options, notify)) as ended:
            for index, result in ended:
                if isinstance(result, StorageError | AssetError):
                    raise result
                results[index] = result
                finished(index, result)
                while filed in results:
                    _file(ledger, results[filed])
                    filed += 1
        failures = [(i, r) for i, r in sorted(results.items()) if not isinstance(r, TrainingResult)]
        done = {i: r for i, r in sorted(results.items()) if isinstance(r, TrainingResult)}
        failures += [(i, error) for i, r in done.items() for error in r.stalled.values()]
        ledger.annotate({"provenance": provenance(done)})
    copy_models(trainings, done, folder / "models")
    written = write_report(folder) if done else []
    trained = sum(result.trained_rounds for result in done.values())
    reused = sum(result.reused_rounds for result in done.values())
    return Outcome(trained, reused, written, failures)


def _file(ledger: Ledger, result: TrainingResult | UserError) -> None:
    if isinstance(result, TrainingResult):
        for emulation, rows in result.emulations.items():
            ledger.write(emulation, rows)


def write_report(folder: Path) -> Sequence[Path]:
    """Everything that is derived from the ledger in `folder`, written anew."""
    with Ledger.open(folder / "ledger.sqlite") as ledger:
        return write.write(ledger, folder)
