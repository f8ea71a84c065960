"""Atomic writes, file names, errors of the disk, and locks on folders."""

import contextlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from emulator.common.errors import StorageError


@contextlib.contextmanager
def storage(path: Path) -> Iterator[None]:
    """Turn an OSError into a StorageError about `path`."""
    try:
        yield
    except OSError as error:
        raise refused(path, error.strerror or str(error)) from error


def refused(path: Path, why: str) -> StorageError:
    """The StorageError for a path that cannot be written."""
    return StorageError(
        f"{path}: cannot be written: {why}",
        "free some space or choose another folder, then run the same command again: "
        "what was recorded is kept",
    )


def replace(path: Path, content: bytes) -> None:
    """Write a file atomically. A killed process may leave a temporary file: see `sweep`."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Delete the temporary files of a killed `replace` in `folder`; no other run may write there.

    Other files stay, like '.env.local' after '--out .'.
    """
    for temporary in folder.glob(".*.*"):
        if temporary.suffix[1:].isdecimal():
            temporary.unlink(missing_ok=True)


def slug(name: str) -> str:
    """A short file name for a method: 'FLASC 1/4 down' becomes 'flasc-1-4-down'."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60] or "method"


def distinct(names: Iterable[str]) -> list[str]:
    """The names, with numbers where they are equal: 'a', 'a' become 'a', 'a-2'."""
    found: dict[str, None] = {}
    for base in names:
        number, name = 1, base
        while name in found:
            number += 1
            name = f"{base}-{number}"
        found[name] = None
    return list(found)


@contextlib.contextmanager
def held(folder: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Create `folder` and lock it; `waiting` is called if another process holds the lock.

    Raises StorageError. The lock ends with its process.
    """
    with storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / "lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            waiting()
            lock.acquire()
    try:
        yield
    finally:
        lock.release()
