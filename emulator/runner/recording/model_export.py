"""Exported models: a folder each, whose `state.txt` is written last and says of which state."""

import shutil
from collections.abc import Callable
from pathlib import Path

from emulator.common.files import refused, storage

EXPORT = 2  # goes up when exported models change; 1 left the round's mask out


def stamp(state: str) -> bytes:
    """What `state.txt` beside an exported model of `state` says."""
    return f"{state} {EXPORT}".encode()


def is_stamped(folder: Path, said: bytes) -> bool:
    """Whether a whole model of that stamp is in `folder`, and can be read."""
    try:
        return (folder / "state.txt").read_bytes() == said
    except OSError:
        return False


def remove_model(folder: Path) -> None:
    """Its stamp first: a kill in between must not leave half a model that passes for one."""
    (folder / "state.txt").unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def write_model(folder: Path, write: Callable[[Path], None]) -> None:
    """Have `write` make a folder with a model. Raises StorageError."""
    from safetensors import SafetensorError

    with storage(folder):
        try:
            write(folder)
        except SafetensorError as error:  # no OSError, though all that it says is the disk's
            raise refused(folder, str(error)) from error
