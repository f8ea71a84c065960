"""Exported models: one folder each; its `state.txt` names the state and is written last."""

import shutil
from collections.abc import Callable
from pathlib import Path

from emulator.common.files import refused, storage

EXPORT = 2  # version of exported models; 1 did not have the mask of the round


def stamp(state: str) -> bytes:
    """The content of `state.txt` for an exported model of `state`."""
    return f"{state} {EXPORT}".encode()


def is_stamped(folder: Path, expected: bytes) -> bool:
    """Whether `folder` has a complete, readable model with this stamp."""
    try:
        return (folder / "state.txt").read_bytes() == expected
    except OSError:
        return False


def remove_model(folder: Path) -> None:
    """Delete a model, its stamp first: after a kill no partial model has a stamp."""
    (folder / "state.txt").unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def write_model(folder: Path, write: Callable[[Path], None]) -> None:
    """Have `write` write a model to a folder. Raises StorageError."""
    from safetensors import SafetensorError

    with storage(folder):
        try:
            write(folder)
        except SafetensorError as error:  # an error of the disk, though not an OSError
            raise refused(folder, str(error)) from error
