"""A study from scenario to report: trainings carried out, rows filed, results written."""

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from dataclasses import replace as replaced
from pathlib import Path

from emulator import __version__
from emulator.common.errors import EmulatorError, StorageError
from emulator.common.files import distinct, held, replace, slug, storage, sweep
from emulator.reports import write
from emulator.results import privacy
from emulator.results.ledger import Ledger
from emulator.runner import metadata, remarks
from emulator.runner.executors import Done, Engine, Options, Progress
from emulator.runner.recording import archive
from emulator.runner.recording.model_export import is_stamped, remove_model
from emulator.scenario import document
from emulator.scenario.study import Study, Training
from flasc.common.errors import AssetError, FlascError

Failure = EmulatorError | FlascError


@dataclass(frozen=True)
class Outcome:
    """What a run came to: server steps computed and reused, files, (index, error) of failures."""

    trained_rounds: int
    reused_rounds: int
    written: Sequence[Path]
    failures: Sequence[tuple[int, Failure]]


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
    finished: Callable[[int, Done | Failure], None] = lambda *_: None,
    say: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Carry the study out into `folder`, which one run at a time may write to.

    `notify` and `finished` hear how each training, by its index in `study.trainings()`, goes and
    ends. Rows are filed in the study's order whatever order trainings end in, so that the ledger is
    the same each time. A failing training leaves the others be.

    Raises StorageError and AssetError: what a machine refuses one training it refuses them all;
    SupportError where privacy is asked for and could not be accounted for.
    """
    privacy.require(study.variants.values())
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
        with archive.unpacked(study.packed) as store:
            yield replaced(options, recordings=store, replay=True)


def _run(
    study: Study,
    folder: Path,
    options: Options,
    engine: Engine,
    notify: Callable[[int, Progress], None],
    finished: Callable[[int, Done | Failure], None],
) -> Outcome:
    trainings = study.trainings()
    results: dict[int, Done | Failure] = {}
    filed = 0
    with storage(folder):
        sweep(folder)
    with Ledger.create(folder / "ledger.sqlite", describe(study)) as ledger:
        with contextlib.closing(engine.carry_out_all(trainings, options, notify)) as ended:
            for index, result in ended:
                if isinstance(result, StorageError | AssetError):
                    raise result
                results[index] = result
                finished(index, result)
                while filed in results:
                    _file(ledger, results[filed])
                    filed += 1
        failures = [(i, r) for i, r in sorted(results.items()) if not isinstance(r, Done)]
        done = {i: r for i, r in sorted(results.items()) if isinstance(r, Done)}
        failures += [(i, error) for i, r in done.items() for error in r.stalled.values()]
        ledger.annotate({"provenance": _provenance(done)})
    _copy_models(trainings, done, folder / "models")
    written = write_report(folder) if done else []
    trained = sum(result.trained_rounds for result in done.values())
    reused = sum(result.reused_rounds for result in done.values())
    return Outcome(trained, reused, written, failures)


def _file(ledger: Ledger, result: Done | Failure) -> None:
    if isinstance(result, Done):
        for emulation, rows in result.emulations.items():
            ledger.write(emulation, rows)


def write_report(folder: Path) -> Sequence[Path]:
    """Everything that is derived from the ledger in `folder`, written anew."""
    with Ledger.open(folder / "ledger.sqlite") as ledger:
        return write.write(ledger, folder)


def describe(study: Study) -> dict[str, str]:
    """What a ledger says of the study behind its rows."""
    training = study.scenario.training
    examples = training.evaluation.examples
    meta = {
        "name": study.scenario.name,
        "split": f"validation, first {examples} examples" if examples else "validation",
        "metric": " or ".join(dict.fromkeys(v.task.metric for v in study.variants.values())),
        "methods": json.dumps(study.methods),
        "variants": json.dumps(list(study.variants)),
        "seeds": json.dumps(training.seeds),
        "densities": json.dumps(metadata.densities(study)),
        "fleet": json.dumps(metadata.fleets(study)),
        "scenario": document.written(study.document.data),
    }
    if training.target:
        meta["target"] = repr(training.target.accuracy)
    if remark := remarks.round_trips(study):
        meta["remark"] = remark
    accounts = {label: privacy.account(variant) for label, variant in study.variants.items()}
    if private := {label: asdict(account) for label, account in accounts.items() if account}:
        meta["privacy"] = json.dumps(private)
    return meta


def _provenance(done: dict[int, Done]) -> str:
    """Where the results come from; trainings made on different things are all named."""
    made_on: dict[str, set[str]] = {"flasc-emu": {__version__}}
    for result in done.values():
        for name, value in result.provenance.items():
            made_on.setdefault(name, set()).add(value)
    return json.dumps({name: ", ".join(sorted(values)) for name, values in made_on.items()})


def model_folders(trainings: Sequence[Training]) -> list[str]:
    """One folder name a training, told apart by number where names would coincide."""
    return distinct(f"{slug(each.method)}-seed-{each.seed}" for each in trainings)


def _copy_models(trainings: Sequence[Training], done: dict[int, Done], folder: Path) -> None:
    """Bring `folder` up to date: the results' models, as far as they are kept, and no others.

    A recording keeps the newest one alone, and another run may train on from it at any time.
    """
    names = model_folders(trainings)
    results = {names[index]: result for index, result in done.items()}
    with storage(folder):
        for stamped in folder.glob("*/state.txt"):
            result = results.get(stamped.parent.name)
            if result is None or not is_stamped(stamped.parent, result.stamp):
                remove_model(stamped.parent)
        for name, result in results.items():
            if result.model and not is_stamped(folder / name, result.stamp):
                _copy_model(result.model, folder / name, result.stamp)


def _copy_model(model: Path, target: Path, stamp: bytes) -> None:
    """Copy `model`, if it has this stamp before and after: else somebody is replacing it."""
    if not is_stamped(model, stamp):
        return
    remove_model(target)
    try:
        shutil.copytree(model, target, ignore=shutil.ignore_patterns("state.txt"))
    except OSError:
        if is_stamped(model, stamp):
            raise
    if is_stamped(model, stamp):
        replace(target / "state.txt", stamp)
    else:
        remove_model(target)
