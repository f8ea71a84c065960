"""Where the trainings of a run are, kept in its folder, so that the folder can be replayed later.

A run that replays a packed recording or message logs keeps a copy. Any other run keeps the path of
the folder of its recordings and their ids, which are hashes of the settings of the trainings.
"""

import itertools
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from emulator.common.errors import LedgerError, RecordingError
from emulator.common.files import replace, storage
from emulator.runner.recording.identity import root_of
from emulator.scenario.study import Study, TrainingJob

DEFAULT = Path("runs/recordings")  # of a run that does not name the folder of its recordings
COPY = "replayed.json.gz"
PLACE = "recordings.json"
LOGS = "logs"  # a folder: 1.jsonl, 2.jsonl, ...


@dataclass(frozen=True)
class RunSource:
    """The packed recording or the logs that a run replayed, or the folder of its recordings."""

    packed: Path | None
    recordings: Path | None
    logs: tuple[Path, ...] = ()


def recording_id(training: TrainingJob, recordings: Path) -> str:
    """The name of the folder in `recordings` of a training's recording."""
    return root_of(recordings, training.settings.model_dump(mode="json"), training.weights)


def unrecorded(study: Study, recordings: Path) -> list[TrainingJob]:
    """The trainings of which nothing is recorded. Reads no recording."""
    jobs = [each for each in study.trainings() if each.log is None]
    return [
        each
        for each in jobs
        if not (recordings / recording_id(each, recordings) / "log.jsonl").exists()
    ]


def require_recorded(study: Study, name: str) -> None:
    """Raise RecordingError for message logs, which are not recordings; `name` is their file."""
    if not study.trains and study.packed is None:
        raise RecordingError(
            f"{name}: found message logs; allowed: trainings of this program",
            f"a message log is its own recording: share the file, or those in {LOGS}/ of the run",
        )


def keep(study: Study, recordings: Path, folder: Path) -> None:
    """Note in the run's `folder` where its trainings are. Raises RecordingError, StorageError."""
    with storage(folder):
        _keep_logs(study.log_texts, folder)
        if study.log_texts:
            (folder / PLACE).unlink(missing_ok=True)
            (folder / COPY).unlink(missing_ok=True)
        elif study.packed is None:
            ids = sorted({recording_id(each, recordings) for each in study.trainings()})
            place = Path(os.path.relpath(recordings, folder)).as_posix()
            text = json.dumps({"recordings": place, "trainings": ids}, indent=1) + "\n"
            replace(folder / PLACE, text.encode())
            (folder / COPY).unlink(missing_ok=True)
        elif study.packed.resolve() != (folder / COPY).resolve():
            replace(folder / COPY, _content(study.packed))
            (folder / PLACE).unlink(missing_ok=True)


def _keep_logs(texts: Sequence[str], folder: Path) -> None:
    """Write the logs to the run's `folder`, which then has no others."""
    for old in logs_in(folder)[len(texts) :]:
        old.unlink()
    for number, text in enumerate(texts, 1):
        (folder / LOGS).mkdir(exist_ok=True)
        replace(folder / LOGS / f"{number}.jsonl", text.encode())


def logs_in(folder: Path) -> tuple[Path, ...]:
    """The message logs in the folder of a run, in their order: logs/1.jsonl and so on."""
    paths = (folder / LOGS / f"{number}.jsonl" for number in itertools.count(1))
    return tuple(itertools.takewhile(Path.is_file, paths))


def _content(packed: Path) -> bytes:
    try:
        return packed.read_bytes()
    except OSError as error:
        raise RecordingError(f"{packed}: cannot be read: {error.strerror}") from error


def of_run(folder: Path) -> RunSource:
    """The source of the run in `folder`, as far as it is still there. Raises LedgerError.

    A folder of recordings is used only if it has a training of the run: the path comes from a file
    that another person may have written, and the folder may have been moved.
    """
    if logs := logs_in(folder):
        return RunSource(None, None, logs)
    if (folder / COPY).is_file():
        return RunSource(folder / COPY, None)
    path = folder / PLACE
    try:
        found = json.loads(path.read_text("utf-8"))
        recordings, ids = folder / str(found["recordings"]), [str(i) for i in found["trainings"]]
    except FileNotFoundError:
        return RunSource(None, DEFAULT)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise LedgerError(
            f"{path}: found no folder of recordings and their ids ({error!r:.200})",
            "delete the file and give the folder with --recordings",
        ) from None
    known = any((recordings / Path(each).name / "log.jsonl").is_file() for each in ids)
    return RunSource(None, _short(recordings) if known else DEFAULT)


def _short(path: Path) -> Path:
    """`path` without '..', relative to the current folder if it is inside."""
    whole = path.resolve()
    return whole.relative_to(Path.cwd()) if whole.is_relative_to(Path.cwd()) else whole
