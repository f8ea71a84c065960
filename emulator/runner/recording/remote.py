"""A recording used by a worker that cannot access its folder, such as one on another machine.

`RemoteRecording` is the worker's side, a Recording without a disk. `RecordingServer` is the side of
the folder and handles the worker's requests. Each entry is recorded as soon as it arrives, so that
the loss of a worker costs only what it had not sent. A training may have several servers, one after
another.
"""

import contextlib
import functools
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from typing_extensions import override

from emulator.common.errors import EmulatorError
from emulator.common.files import storage
from emulator.runner.recording.model_export import write_model
from emulator.runner.recording.store import Recording

POLL_WALL_S = 0.5  # while another process has locked the recording
# Methods of `Recording` that `RecordingServer` calls as they are.
FORWARDED = (
    *("lines_from", "provenance", "model"),
    *("has_state", "write_state", "load_state", "drop_state"),
)


class Pipe(Protocol):
    """One end of a pipe, as of `multiprocessing.Pipe`."""

    def send(self, message: Any, /) -> None:
        """Send a message to the other end."""

    def recv(self) -> Any:
        """The next message of the other end; waits for it. Raises EOFError after its end."""


@dataclass(frozen=True)
class Request:
    """To `RecordingServer`: call a method. The worker waits for the Response if `asked`."""

    method: str
    args: tuple[Any, ...]
    asked: bool


@dataclass(frozen=True)
class Response:
    """The result of a request: a value, or an error that the worker raises."""

    value: Any


class RecordingServer:
    """The side of the folder, one per worker and training; `close` releases the recording."""

    def __init__(self, store: Path, settings: Mapping[str, Any], *, weights: str = "") -> None:
        self._store, self._settings, self._weights = store, settings, weights
        self._held = contextlib.ExitStack()

    def do(self, request: Request) -> Response:
        """Handle a request. Raises the EmulatorError of a request without a response."""
        try:
            if request.method in FORWARDED:
                return Response(getattr(self._recording, request.method)(*request.args))
            return Response(getattr(self, f"do_{request.method}")(*request.args))
        except EmulatorError as error:
            if not request.asked:
                raise
            return Response(error)

    def close(self) -> None:
        """Release the recording."""
        self._held.close()

    @functools.cached_property
    def _recording(self) -> Recording:
        return Recording(self._store, self._settings, weights=self._weights)

    def do_root(self) -> str:
        """The id of the first state."""
        return self._recording.root

    def do_lock(self, provenance: Mapping[str, str], start_byte: int) -> bytes | None:
        """Lock it for writing; returns the lines from `start_byte` on, or None if it is locked."""
        try:
            self._held.enter_context(self._recording.writing(provenance, _refuse))
        except _BusyError:
            return None
        return self._recording.lines_from(start_byte)

    def do_add(self, kind: str, durable: bool, entry: Mapping[str, Any]) -> None:
        """Append an entry."""
        self._recording.add(kind, durable, **entry)

    def do_keep_model(self, state: str, files: Mapping[str, bytes]) -> None:
        """Take in an exported model."""

        def write(folder: Path) -> None:
            for name, content in files.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)

        self._recording.keep_model(state, write)


class RemoteRecording(Recording):
    """A Recording whose `folder` is at the other end of a pipe."""

    def __init__(
        self, store: Path, settings: Mapping[str, Any], pipe: Pipe, *, weights: str = ""
    ) -> None:
        self._pipe = pipe
        super().__init__(store, settings, weights=weights)

    def _ask(self, method: str, *args: Any) -> Any:
        self._pipe.send(Request(method, args, asked=True))
        answer: Response = self._pipe.recv()
        if isinstance(answer.value, Exception):
            raise answer.value
        return answer.value

    def _tell(self, method: str, *args: Any) -> None:
        self._pipe.send(Request(method, args, asked=False))

    @override
    def _choose_root(self, store: Path, settings: Mapping[str, Any], weights: str) -> str:
        # Weights that are not known leave no choice.
        return str(self._ask("root")) if weights else super()._choose_root(store, settings, "")

    @override
    def _check_settings(self) -> None:
        pass  # the server does

    @override
    def lines_from(self, start_byte: int) -> bytes:
        return bytes(self._ask("lines_from", start_byte))

    @override
    def provenance(self) -> dict[str, str]:
        return dict(self._ask("provenance"))

    @override
    @contextlib.contextmanager
    def writing(
        self, provenance: Mapping[str, str], waiting: Callable[[], None] = lambda: None
    ) -> Iterator[None]:
        # The lock ends with the server.
        unread = self._ask("lock", dict(provenance), self._read_bytes)
        if unread is None:
            waiting()
        while unread is None:
            time.sleep(POLL_WALL_S)
            unread = self._ask("lock", dict(provenance), self._read_bytes)
        self.apply(unread)
        yield

    @override
    def add(self, kind: str, durable: bool = False, **entry: Any) -> None:
        entry = json.loads(json.dumps(entry, allow_nan=False))  # as it will be read
        self._apply_entry({"fact": kind, **entry})
        (self._ask if durable else self._tell)("add", kind, durable, entry)

    @override
    def has_state(self, state: str) -> bool:
        return bool(self._ask("has_state", state))

    @override
    def write_state(self, state: str, content: bytes) -> None:
        self._tell("write_state", state, content)

    @override
    def load_state(self, state: str) -> dict[str, np.ndarray]:
        arrays = self._ask("load_state", state)
        return {name: array.copy() for name, array in arrays.items()}  # Ray's may be read-only

    @override
    def drop_state(self, state: str) -> None:
        self._tell("drop_state", state)

    @override
    def model(self, state: str) -> Path | None:
        folder: Path | None = self._ask("model", state)
        return folder

    @override
    def keep_model(self, state: str, write: Callable[[Path], None]) -> Path:
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
    """Another process has locked the recording."""


def _refuse() -> None:
    raise _BusyError
