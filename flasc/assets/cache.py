"""The asset cache: folders that are whole or not there, also when two processes want the same."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from flasc.common.errors import AssetError


def cache_folder(cache: Path | None = None) -> Path:
    """`cache`, else $FLASC_EMU_CACHE, else flasc-emu in $XDG_CACHE_HOME or ~/.cache."""
    if chosen := cache or os.environ.get("FLASC_EMU_CACHE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "flasc-emu"


def keep(
    folder: Path,
    complete: Callable[[Path], bool],
    make: Callable[[Path], None],
    *,
    nbytes: int,
) -> Path:
    """`folder`, made where it is not `complete`; under a lock, and whole or not at all.

    `make` is given the path of a folder that it is to create; what it puts beside that is deleted,
    also on an exception (Ctrl-C). `nbytes` is how much it will be. Raises AssetError where the disk
    refuses.
    """
    if complete(folder):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f"{folder.name}.lock")):
            # Whoever held the lock before us may have done the work.
            if not complete(folder):
                with tempfile.TemporaryDirectory(prefix="partial-", dir=folder.parent) as temp:
                    fresh = Path(temp) / "fresh"
                    make(fresh)
                    shutil.rmtree(folder, ignore_errors=True)
                    fresh.replace(folder)
    except OSError as error:
        raise AssetError(
            f"cannot keep {folder.name.rpartition('-')[0]!r} in {folder.parent}: {error}",
            f"set FLASC_EMU_CACHE to a folder with {2 * nbytes / 1e6:.0f} MB free",
        ) from error
    return folder
