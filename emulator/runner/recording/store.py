"""The recording of one training, on disk and in memory."""

import contextlib
import errno
import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emulator.common.errors import RecordingError
from emulator.common.files import held, replace, storage, sweep
from emulator.runner.recording.entries import (
    INVALID,
    MessageEntry,
    Step,
    correct_of,
    counts,
    validated,
)
from emulator.runner.recording.identity import require_same, root_of
from emulator.runner.recording.model_export import is_stamped, remove_model, stamp, write_model
from flasc.common.messages import Score, TrainingMetadata


def fingerprint(arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of arrays with their names, types and shapes, as hexadecimal digits."""
    found = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        found.update(f"{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()


class Recording:
    """The entries of one training, on disk and in memory.

    Raises RecordingError for a folder that is not the recording of `settings` or contradicts
    itself, and StorageError for a disk that cannot be written to.
    """

    def __init__(self, store: Path, settings: Mapping[str, Any], *, weights: str = "") -> None:
        """`weights` are those at hand: see `emulator.runner.recording.identity`."""
        self.root = self._choose_root(store, settings, weights)
        self.folder = store / self.root
        self.settings = settings
        self.downloads: dict[tuple[str, int], MessageEntry] = {}
        self.uploads: dict[tuple[str, int], MessageEntry] = {}
        self.steps: dict[str, Step] = {}
        self.scores: dict[tuple[str, str], Score] = {}
        self.about = TrainingMetadata()
        self._read_bytes = 0
        self._check_settings()
        self.refresh()

    # -- reading

    def _choose_root(self, store: Path, settings: Mapping[str, Any], weights: str) -> str:
        return root_of(store, settings, weights)

    def _check_settings(self) -> None:
        path = self.folder / "settings.json"
        try:
            found = json.loads(path.read_text("utf-8"))
            settings = found["settings"]
        except (FileNotFoundError, NotADirectoryError):
            if not (self.folder / "log.jsonl").exists():
                return  # nothing was recorded yet
            raise self._foreign("settings.json is missing") from None
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise self._foreign(f"settings.json cannot be read ({error})") from error
        if settings != self.settings:
            raise self._foreign("its settings do not have the hash in its name")

    def _foreign(self, why: str) -> RecordingError:
        return RecordingError(
            f"{self.folder}: not a recording of this training: {why}",
            "move the folder away to train again, or give another folder with --recordings",
        )

    def refresh(self) -> None:
        """Read the lines that were appended since. An incomplete last line stays."""
        self.apply(self.lines_from(self._read_bytes))

    def apply(self, lines: bytes, parsed: Sequence[dict[str, Any]] | None = None) -> None:
        """Add the entries in further lines of the log; `parsed` are the same, if at hand."""
        for number, line in enumerate(lines.splitlines(), 1):
            try:
                self._apply_entry(json.loads(line) if parsed is None else parsed[number - 1])
            except INVALID as error:
                path = self.folder / "log.jsonl"
                where = f"{path}: line {number} after byte {self._read_bytes}"
                raise RecordingError(
                    f"{where}: not an entry of a recording ({error})",
                    "restore the file, or move its folder away to train again",
                ) from error
        self._read_bytes += len(lines)

    def lines_from(self, start_byte: int) -> bytes:
        """The complete lines of the log from `start_byte` on."""
        path = self.folder / "log.jsonl"
        try:
            with path.open("rb") as log:
                log.seek(start_byte)
                content = log.read()
        except (FileNotFoundError, NotADirectoryError):
            return b""
        except OSError as error:
            raise RecordingError(
                f"{path}: cannot be read: {error.strerror}",
                "fix its permissions, or give another folder with --recordings",
            ) from error
        return content[: content.rfind(b"\n") + 1]

    def _apply_entry(self, entry: dict[str, Any]) -> None:
        match entry.pop("fact"):
            case "download" | "upload" as kind:
                message = validated(MessageEntry(**entry))
                known = self.downloads if kind == "download" else self.uploads
                known[message.state, message.client] = message
            case "aggregate":
                state = entry.pop("state")
                uploads = tuple((str(s), int(c)) for s, c in entry.pop("uploads"))
                weights = tuple(map(float, entry.pop("weights")))
                step = Step(uploads=uploads, weights=weights, **entry)
                if step.id != state:
                    raise ValueError("its id is not the hash of its content")
                self.steps[state] = step
            case "evaluate":
                state, split = entry.pop("state"), entry.pop("split")
                by_label = tuple(map(correct_of, entry.pop("by_label", ())))
                self.scores[state, split] = validated(Score(**entry, by_label=by_label))
            case "about":
                examples = counts(entry.pop("examples"))
                flop = float(entry.pop("flop_per_example"))
                labels = entry.pop("labels", None)
                counted = None if labels is None else tuple(map(counts, labels))
                if not 0 <= flop < math.inf or (counted and len(counted) != len(examples)):
                    raise ValueError("found counts that are impossible")
                self.about = TrainingMetadata(examples, flop, counted)
            case other:
                raise ValueError(f"unknown entry {other!r}")

    def provenance(self) -> dict[str, str]:
        """The device and versions that the recording was made with."""
        try:
            found = json.loads((self.folder / "settings.json").read_text("utf-8"))["provenance"]
            return {str(name): str(value) for name, value in dict(found).items()}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise self._foreign(f"settings.json names no provenance ({error})") from error

    def depth(self, state: str) -> int:
        """Number of aggregations between the root and `state`."""
        count = 0
        while state != self.root:
            state, count = self.steps[state].parent, count + 1
        return count

    # -- writing

    def fill(self, entries: Sequence[dict[str, Any]]) -> None:
        """Write a new log, and add its entries, which must not be used any more."""
        lines = "".join(json.dumps(entry) + "\n" for entry in entries).encode()
        with storage(self.folder):
            (self.folder / "log.jsonl").write_bytes(lines)
        self.apply(lines, entries)

    @contextlib.contextmanager
    def writing(
        self, provenance: Mapping[str, str], waiting: Callable[[], None] = lambda: None
    ) -> Iterator[None]:
        """Lock the recording for writing; `waiting` is called if another process has locked it.

        Afterwards the recording has the entries that the other process added. Raises RecordingError
        if it was trained from other weights.
        """
        with held(self.folder, waiting):
            with storage(self.folder):
                self._repair()
                require_same(self.folder, provenance)
                if not (path := self.folder / "settings.json").exists():
                    settings = {"settings": self.settings, "provenance": dict(provenance)}
                    text = json.dumps(settings, indent=2, sort_keys=True) + "\n"
                    replace(path, text.encode())
            self.refresh()
            yield

    def _repair(self) -> None:
        """Remove incomplete files and lines that a kill or a full disk left."""
        (self.folder / "states").mkdir(exist_ok=True)
        for folder in (self.folder, self.folder / "states"):
            sweep(folder)
        path = self.folder / "log.jsonl"
        if path.exists() and not (content := path.read_bytes()).endswith(b"\n"):
            os.truncate(path, content.rfind(b"\n") + 1)

    def add(self, kind: str, durable: bool = False, **entry: Any) -> None:
        """Append one entry in one write; `durable` waits until it is on the disk."""
        text = json.dumps({"fact": kind, **entry}, separators=(",", ":"), allow_nan=False)
        line = text.encode() + b"\n"
        with storage(self.folder), (self.folder / "log.jsonl").open("ab", buffering=0) as log:
            size = log.tell()
            try:
                if log.write(line) < len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError:
                log.truncate(size)
                raise
            if durable:
                os.fsync(log.fileno())
        self._read_bytes += len(line)
        self._apply_entry(json.loads(line))

    # -- states

    def _state_path(self, state: str) -> Path:
        return self.folder / "states" / f"{state}.safetensors"

    def has_state(self, state: str) -> bool:
        """Whether `state` was saved."""
        return self._state_path(state).exists()

    def save_state(self, state: str, arrays: dict[str, np.ndarray]) -> None:
        """Save a state to restart from, with a hash that detects damage."""
        from safetensors.numpy import save

        self.write_state(state, save(arrays, metadata={"sha256": fingerprint(arrays)}))

    def write_state(self, state: str, content: bytes) -> None:
        """Save a state, given the content of its file."""
        with storage(self.folder):
            replace(self._state_path(state), content)

    def load_state(self, state: str) -> dict[str, np.ndarray]:
        """Read a saved state. Raises RecordingError if it is damaged.

        Older states have no hash and are not verified.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self._state_path(state), "numpy") as file:
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                kept = (file.metadata() or {}).get("sha256")
        except (OSError, ValueError, TypeError, KeyError, SafetensorError) as error:
            raise self.damaged(state, str(error)) from error
        if kept is not None and kept != fingerprint(arrays):
            raise self.damaged(state, "its content does not have its hash")
        return arrays

    def damaged(self, state: str, why: str) -> RecordingError:
        """The error of a saved state that cannot be used."""
        return RecordingError(
            f"{self._state_path(state)}: cannot be read ({why})",
            "delete the file: the state is then trained again",
        )

    def drop_state(self, state: str) -> None:
        """Delete a state that a newer one replaces. Raises StorageError."""
        with storage(self.folder):
            self._state_path(state).unlink(missing_ok=True)

    # -- the model

    def model(self, state: str) -> Path | None:
        """The folder with the model of `state`, if that is the newest exported model."""
        folder = self.folder / "adapter"
        return folder if is_stamped(folder, stamp(state)) else None

    def keep_model(self, state: str, write: Callable[[Path], None]) -> Path:
        """Replace the exported model by that of `state`, which `write` writes to a folder.

        Raises StorageError.
        """
        folder = self.folder / "adapter"
        with storage(folder):
            remove_model(folder)
            write_model(folder, write)
            replace(folder / "state.txt", stamp(state))
        return folder
