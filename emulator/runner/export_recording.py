"""Exports studies as a packed recording: the entries that their simulations need.

A store may have entries that other scenarios added to the same trainings. Therefore each simulation
is replayed, and what it reads is recorded again. Packed recordings are taken as they are.
"""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emulator.common.errors import RecordingError
from emulator.common.text import printable
from emulator.runner import run_source
from emulator.runner.recording import Recording, RecordingTrainer, archive
from emulator.runner.recording.identity import root_of
from emulator.runner.recording.merge import conflict, merge
from emulator.runner.training_job import lora_rank
from emulator.scenario import document, join
from emulator.scenario.study import Study, TrainingJob
from emulator.simulation.simulate import simulate


class _Recorded(RecordingTrainer):
    """A recording used as a real trainer, whose state is an id."""

    def snapshot(self) -> dict[str, np.ndarray]:
        return {"state": np.frombuffer(bytes.fromhex(self.state), np.uint8)}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        self.state = arrays["state"].tobytes().hex()


class _IncompleteError(RecordingError):
    """A recording that lacks something that a simulation reads."""


@dataclass(frozen=True)
class Packed:
    """The content of a packed recording, and what its scenario needs and no recording has."""

    content: bytes
    missing: Sequence[str]


@dataclass(frozen=True)
class _Held:
    """The recording of one training, and the names of the files that it is from."""

    recording: Recording
    files: str


def packed_recording(
    studies: Mapping[str, Study], stores: Mapping[str, Path], only: Sequence[str] = ()
) -> Packed:
    """The trainings of `studies`, given by their files, in the format of `archive`.

    With `only`, those of these methods. A study that is not packed is read from its folder in
    `stores`. Raises ScenarioError if the studies differ in more than methods, seeds and rounds,
    and RecordingError if the store lacks a training or if two recordings contradict each other.
    """
    for name, study in studies.items():
        run_source.require_recorded(study, printable(name))
    join.check_alike(studies)
    held: dict[str, _Held] = {}
    with contextlib.ExitStack() as stack:
        for name, study in studies.items():
            for job, recording in _read(study, stores[name], only, stack):
                mine = _Held(recording, printable(name))
                known = held.get(_root(job))
                held[_root(job)] = _merged(job, known, mine) if known else mine
        whole = join.joined(list(studies.values()), only)
        missing = _missing(whole, held)
        if len(missing) == len(whole.trainings()):
            raise RecordingError(
                f"{', '.join(map(printable, studies))}: found no complete recording of "
                f"{missing[0]}",
                "ask for what is recorded, or run the scenario first",
            )
        roots = dict.fromkeys(_root(job) for job in whole.trainings())
        kept = [held[root].recording for root in roots if root in held]
        scenario = document.dump(whole.document.data)
        return Packed(archive.pack(scenario, whole.methods, kept), missing)


def _settings(job: TrainingJob) -> dict[str, Any]:
    return job.settings.model_dump(mode="json")


def _root(job: TrainingJob) -> str:
    return root_of(Path(), _settings(job), "")


def _read(
    study: Study, recordings: Path, only: Sequence[str], stack: contextlib.ExitStack
) -> Iterator[tuple[TrainingJob, Recording]]:
    """The recorded trainings of a study, in folders that exist until `stack` is closed."""
    if study.packed:
        store = stack.enter_context(archive.extracted(study.packed)).folder
    else:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="flasc-emu-"))
        store = Path(folder)
    for job in study.trainings():
        if only and job.method not in only:
            continue
        if not study.packed:
            yield job, _copied(job, recordings, store)
        elif (store / _root(job)).exists():
            yield job, Recording(store, _settings(job))


def _merged(job: TrainingJob, known: _Held, mine: _Held) -> _Held:
    if what := conflict(known.recording, mine.recording):
        raise RecordingError(
            f"{known.files} and {mine.files}: two recordings of {job.method}, seed {job.seed}, "
            f"that differ in {what}",
            "join one of the two, or leave the training out with --method or --set training.seeds",
        )
    return _Held(merge(known.recording, mine.recording), f"{known.files}, {mine.files}")


def _missing(study: Study, held: Mapping[str, _Held]) -> list[str]:
    """The trainings of `study` that cannot be replayed from `held`."""
    return [
        f"{job.method}, seed {job.seed}"
        for job in study.trainings()
        if (root := _root(job)) not in held or not _complete(job, held[root].recording)
    ]


def _complete(job: TrainingJob, recording: Recording) -> bool:
    try:
        _simulate_all(job, RecordingTrainer(recording, _incomplete(job, "")))
    except _IncompleteError:
        return False
    return True


def _copied(job: TrainingJob, recordings: Path, store: Path) -> Recording:
    source = Recording(recordings, _settings(job), weights=job.weights)
    copy = Recording(store, _settings(job))
    recorded: Any = _Recorded(source, _incomplete(job, f"{recordings}: "))
    provenance = source.provenance() if source.steps else {}
    _simulate_all(job, RecordingTrainer(copy, lambda: (recorded, provenance)))
    return copy


def _incomplete(job: TrainingJob, where: str) -> Callable[[], Any]:
    """A function that raises _IncompleteError, in place of one that makes a real trainer."""

    def make() -> Any:
        raise _IncompleteError(
            f"{where}found no complete recording of {job.method}, seed {job.seed}, in this folder",
            "run the scenario first, or give its folder with --recordings",
        )

    return make


def _simulate_all(job: TrainingJob, trainer: RecordingTrainer) -> None:
    try:
        for emulation, scenario in job.simulations():
            trainer.restart()
            rank, draw = lora_rank(job.settings), emulation.network_seed
            simulate(
                scenario, job.seed, trainer, rank=rank, stalled=lambda _: None, network_seed=draw
            )
    finally:
        trainer.close()
