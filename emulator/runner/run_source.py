"""Where the trainings of a run are, kept in its folder, so that the folder can be replayed later.

A run that replays a packed recording keeps a copy of it. Any other run keeps the path of the folder
of its recordings and their ids, which are hashes of the settings of the trainings.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from emulator.common.errors import LedgerError, RecordingError
from emulator.common.files import replace, storage
from emulator.runner.recording.identity import root_of
from emulator.scenario.study import Study, TrainingJob

DEFAULT = Path("runs/recordings")  # of a run that does not name the folder of its recordings
COPY = "replayed.json.gz"
PLACE = "recordings.json"


@dataclass(frozen=True)
class RunSource:
    """The packed recording that a run replayed, or the folder of its recordings."""

    packed: Path | None
    recordings: Path | None


def recording_id(training: TrainingJob, recordings: Path) -> str:
    """The name of the folder in `recordings` of a training's recording."""
    return root_of(recordings, training.settings.model_dump(mode="json"), training.weights)


def unrecorded(study: Study, recordings: Path) -> list[TrainingJob]:
    """The trainings of which nothing is recorded. Reads no recording."""
    return [
        each
        for each in study.trainings()
        if not (recordings / recording_id(each, recordings) / "log.jsonl").exists()
    ]


def keep(study: Study, recordings: Path, folder: Path) -> None:
    """Note in the run's `folder` where its trainings are. Raises RecordingError, StorageError."""
    with storage(folder):
        if study.packed is None:
            ids = sorted({recording_id(each, recordings) for each in study.trainings()})
            place = Path(os.path.relpath(recordings, folder)).as_posix()
            text = json.dumps({"recordings": place, "trainings": ids}, indent=1) + "\n"
            replace(folder / PLACE, text.encode())
            (folder / COPY).unlink(missing_ok=True)
        elif study.packed.resolve() != (folder / COPY).resolve():
            replace(folder / COPY, _content(study.packed))
            (folder / PLACE).unlink(missing_ok=True)


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
