"""Writes a message log while a training runs, one line per call."""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeVar

from emulator.common.errors import MessageLogError
from emulator.common.files import storage
from emulator.common.text import printable
from emulator.integrations.message_log.problems import validated
from emulator.integrations.message_log.records import (
    MARK,
    VERSION,
    ClientInfo,
    Header,
    Program,
    Record,
    Untimed,
    Visit,
    kinds,
    to_line,
)
from flasc.common.settings import Settings

R = TypeVar("R", bound=Settings)


class Writer:
    """A log in JSONL. Each call appends one whole line, so a kill loses at most the last one.

    Methods raise MessageLogError for a value that the format does not allow, and StorageError.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        run: str,
        method: str,
        clients: int | None = None,
        metric: str = "accuracy",
        direction: Literal["higher", "lower"] = "higher",
        target: float | None = None,
        seed: int = 0,
    ) -> None:
        """Begin the file at `path`, which must not exist yet."""
        self.path = Path(path)
        values = {
            MARK: VERSION, "run": run, "method": method, "clients": clients, "metric": metric,
            "direction": direction, "target": target, "seed": seed,
        }  # fmt: skip
        header = self._checked(Header, values)
        with storage(self.path):
            if self.path.exists():
                raise MessageLogError(
                    f"{printable(str(self.path))}: found a file; allowed: a new name",
                    "delete the file or choose another name: a log is never overwritten",
                )
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("xb", buffering=0)
        self._kinds = kinds(header)
        self._append(header)

    def visit(
        self,
        round_: int,
        client: int | str,
        *,
        bytes_down: int,
        bytes_up: int | None = None,
        seconds: float | None = None,
        examples: int | None = None,
        steps: int | None = None,
        failed: bool = False,
        merged: bool = True,
    ) -> None:
        """Append one request to a client: see `Visit`."""
        values = {
            "round": round_, "client": client, "bytes_down": bytes_down, "bytes_up": bytes_up,
            "seconds": seconds, "examples": examples, "steps": steps, "failed": failed,
            "merged": merged,
        }  # fmt: skip
        self._append(self._checked(Visit, values))

    def untimed(
        self,
        round_: int,
        client: int | str,
        *,
        bytes_down: int,
        bytes_up: int = 0,
        purpose: str = "evaluate",
    ) -> None:
        """Append one request to a client that is no training: see `Untimed`."""
        values = {
            "round": round_, "client": client, "bytes_down": bytes_down, "bytes_up": bytes_up,
            "purpose": purpose,
        }  # fmt: skip
        self._append(self._checked(Untimed, values))

    def program(
        self,
        *,
        preset: str | None = None,
        arrays: int | None = None,
        requests: int | None = None,
        calls: int | None = None,
        parallel: int | None = None,
    ) -> None:
        """Append how the program sends its messages: see `Program`."""
        values = {
            "preset": preset, "arrays": arrays, "requests": requests, "calls": calls,
            "parallel": parallel,
        }  # fmt: skip
        self._append(self._checked(Program, values))

    def score(
        self,
        round_: int,
        value: float,
        *,
        split: Literal["validation", "test"] = "validation",
        loss: float | None = None,
        examples: int | None = None,
    ) -> None:
        """Append the value of the metric after a round: see `Score`."""
        values = {
            "round": round_, "value": value, "split": split, "loss": loss, "examples": examples
        }  # fmt: skip
        self._append(self._checked(self._kinds["score"], values))

    def client(
        self,
        client: int | str,
        *,
        group: str | None = None,
        partition: int | None = None,
        examples: int | None = None,
    ) -> None:
        """Append what is known of a client: see `ClientInfo`."""
        values = {
            "client": client, "group": group, "partition": partition, "examples": examples
        }  # fmt: skip
        self._append(self._checked(ClientInfo, values))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> "Writer":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _checked(self, model: type[R], values: Mapping[str, Any]) -> R:
        """The record; numbers of numpy and torch become those of Python."""
        plain = {name: _plain(value) for name, value in values.items() if value is not None}
        return validated(model, plain, self.path, None)

    def _append(self, record: Record) -> None:
        line = to_line(record).encode() + b"\n"
        with storage(self.path):
            if self._file.write(line) != len(line):
                raise OSError("no space left on the device")


def _plain(value: object) -> object:
    item = getattr(value, "item", None)
    return item() if callable(item) else value
