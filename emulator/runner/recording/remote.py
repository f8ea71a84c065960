"""A recording used far from its folder: by a worker on another machine, say.

`RemoteRecording` is the worker's side, a Recording without a disk; `RecordingServer` the folder's,
which does what calls
ask for. One `RecordingServer` after the other may serve a training: what was told is recorded at
once, so
that a worker that is lost costs what it had not told yet.
"""

import contextlib
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from emulator.common.errors import EmulatorError
from emulator.common.files import storage
from emulator.runner.recording.model_export import write_model
from emulator.runner.recording.store import Recording

POLL_WALL_S = 0.5  # for another process to let go of the recording


class Pipe(Protocol):
    """Two ends, as of `multiprocessing.Pipe`."""

    def send(self, message: Any, /) -> None:
        """Say something to the other end."""

    def recv(self) -> Any:
        """Wait for what the other end says. Raises EOFError where it is gone."""


@dataclass(frozen=True)
class Request:
    """To `RecordingServer`: do this. Its Answer is waited for where it is `asked`."""

    method: str
    args: tuple[Any, ...]
    asked: bool


@dataclass(frozen=True)
class Response:
    """What came of a call: a value, or an error that is the caller's to raise."""

    value: Any


class RecordingServer:
    """The folder's side. Made anew for each who records; `close` lets go of the recording."""

    def __init__(self, store: Path, settings: Mapping[str, Any]) -> None:
        self._store, self._settings = store, settings
        self._made: Recording | None = None
        self._held = contextlib.ExitStack()

    def do(self, call: Request) -> Response:
        """Carry out a call. Raises the StorageError of one that nobody waits for."""
        try:
            return Response(getattr(self, f"do_{call.method}")(*call.args))
        except EmulatorError as error:
            if not call.asked:
                raise
            return Response(error)

    def close(self) -> None:
        """Let go of the recording."""
        self._held.close()

    @property
    def _recording(self) -> Recording:
        if self._made is None:
            self._made = Recording(self._store, self._settings)
        return self._made

    def do_unread(self, start_byte: int) -> bytes:
        """The log's whole lines from there on."""
        return self._recording.lines_from(start_byte)

    def do_hold(self, provenance: Mapping[str, str], start_byte: int) -> bytes | None:
        """Hold it for writing, and the log's lines from there on; None while another does."""
        try:
            self._held.enter_context(self._recording.writing(provenance, _refuse))
        except _BusyError:
            return None
        return self._recording.lines_from(start_byte)

    def do_provenance(self) -> dict[str, str]:
        """What it was made on."""
        return self._recording.provenance()

    def do_add(self, fact: str, durable: bool, entry: Mapping[str, Any]) -> None:
        """Append a fact."""
        self._recording.add(fact, durable, **entry)

    def do_has_state(self, state: str) -> bool:
        """Whether it was kept."""
        return self._recording.has_state(state)

    def do_file_state(self, state: str, content: bytes) -> None:
        """Keep a state."""
        self._recording.write_state(state, content)

    def do_load_state(self, state: str) -> dict[str, np.ndarray]:
        """A kept state."""
        return self._recording.load_state(state)

    def do_drop_state(self, state: str) -> None:
        """Forget a state."""
        self._recording.drop_state(state)

    def do_model(self, state: str) -> Path | None:
        """Where the newest exported model is, if it is that of `state`."""
        return self._recording.model(state)

    def do_keep_model(self, state: str, files: Mapping[str, bytes]) -> None:
        """Take in an exported model."""

        def write(folder: Path) -> None:
            for name, content in files.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)

        self._recording.keep_model(state, write)


class RemoteRecording(Recording):
    """A Recording whose `folder` is at the other end of a pipe."""

    def __init__(self, store: Path, settings: Mapping[str, Any], pipe: Pipe) -> None:
        self._pipe = pipe
        super().__init__(store, settings)

    def _ask(self, method: str, *args: Any) -> Any:
        self._pipe.send(Request(method, args, asked=True))
        answer: Response = self._pipe.recv()
        if isinstance(answer.value, Exception):
            raise answer.value
        return answer.value

    def _tell(self, method: str, *args: Any) -> None:
        self._pipe.send(Request(method, args, asked=False))

    def _check_settings(self) -> None:
        """Home does."""

    def lines_from(self, start_byte: int) -> bytes:
        """The log's whole lines from there on."""
        content: bytes = self._ask("unread", start_byte)
        return content

    def provenance(self) -> dict[str, str]:
        """What the recording was made on, as it says itself."""
        found: dict[str, str] = self._ask("provenance")
        return found

    @contextlib.contextmanager
    def writing(
        self, provenance: Mapping[str, str], waiting: Callable[[], None] = lambda: None
    ) -> Iterator[None]:
        """Have the recording held for writing, until Home is closed."""
        unread = self._ask("hold", dict(provenance), self._read_bytes)
        if unread is None:
            waiting()
        while unread is None:
            time.sleep(POLL_WALL_S)
            unread = self._ask("hold", dict(provenance), self._read_bytes)
        self.apply(unread)
        yield

    def add(self, fact: str, durable: bool = False, **entry: Any) -> None:
        """Have one fact appended; `durable` waits until it is on the disk at home."""
        entry = json.loads(json.dumps(entry, allow_nan=False))  # as it will be read again
        self._learn({"fact": fact, **entry})
        (self._ask if durable else self._tell)("add", fact, durable, entry)

    def has_state(self, state: str) -> bool:
        """Whether `state` was kept."""
        return bool(self._ask("has_state", state))

    def write_state(self, state: str, content: bytes) -> None:
        """Have a state kept."""
        self._tell("file_state", state, content)

    def load_state(self, state: str) -> dict[str, np.ndarray]:
        """Fetch a kept state. Raises RecordingError where it is damaged."""
        arrays = self._ask("load_state", state)
        return {name: array.copy() for name, array in arrays.items()}  # theirs may be read-only

    def drop_state(self, state: str) -> None:
        """Have a state forgotten that something newer replaces."""
        self._tell("drop_state", state)

    def model(self, state: str) -> Path | None:
        """Where the model of `state` was exported to, at home."""
        folder: Path | None = self._ask("model", state)
        return folder

    def keep_model(self, state: str, write: Callable[[Path], None]) -> Path:
        """Have `write` make a model, and send it home. Raises StorageError of the disk here."""
        with storage(Path(tempfile.gettempdir())):
            temporary = tempfile.TemporaryDirectory(prefix="flasc-emu-")
        with temporary as name:
            folder = Path(name) / "adapter"
            with storage(folder):
                write_model(folder, write)
                files = {
                    path.relative_to(folder).as_posix(): path.read_bytes()
                    for path in sorted(folder.rglob("*"))
                    if path.is_file()
                }
        self._tell("keep_model", state, files)
        return self.folder / "adapter"


class _BusyError(Exception):
    """Another process holds the recording."""


def _refuse() -> None:
    raise _BusyError
