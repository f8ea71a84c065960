"""Files that are whole or not there, their names, a disk that refuses, and taking turns."""

import contextlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from emulator.common.errors import StorageError


@contextlib.contextmanager
def storage(path: Path) -> Iterator[None]:
    """What the disk refuses becomes a StorageError about `path`."""
    try:
        yield
    except OSError as error:
        raise refused(path, error.strerror or str(error)) from error


def refused(path: Path, why: str) -> StorageError:
    """The one thing there is to say of a disk that cannot be written to."""
    return StorageError(
        f"{path}: cannot be written: {why}",
        "free some space or choose another folder, then run the same command again: "
        "what was recorded is kept",
    )


def replace(path: Path, content: bytes) -> None:
    """Write a whole file or nothing. A kill may leave a temporary file: see `sweep`."""
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
    """Delete what a killed `replace` left in `folder`, where no other run writes.

    A user's own files may be there as well, if '--out .' was said: '.env.local' is none of ours.
    """
    for left_over in folder.glob(".*.*"):
        if left_over.suffix[1:].isdecimal():
            left_over.unlink(missing_ok=True)


def slug(name: str) -> str:
    """A short name of a file for a method: 'FLASC 1/4 down' becomes 'flasc-1-4-down'."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60] or "method"


def distinct(names: Iterable[str]) -> list[str]:
    """The same, told apart by number where they coincide: 'a', 'a' become 'a', 'a-2'."""
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
    """Make `folder` and be the only process that holds it; `waiting` is told if another does.

    Raises StorageError. The lock ends with its process, however that ends.
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
