"""Files that are whole or not there, and a disk that refuses in one voice."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from emulator.errors import StorageError


@contextlib.contextmanager
def storage(path: Path) -> Iterator[None]:
    """What the disk refuses becomes a StorageError about `path`."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{path}: cannot be written: {error.strerror or error}",
            "free some space or choose another folder, then run the same command again: "
            "what was recorded is kept",
        ) from error


def replace(path: Path, content: bytes) -> None:
    """Write a whole file or nothing."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
