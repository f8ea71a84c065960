"""The asset cache: folders that are either complete or absent, also with concurrent processes."""

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
    folder: Path, complete: Callable[[Path], bool], make: Callable[[Path], None], *, nbytes: int
) -> Path:
    """Return `folder`, made first if it is not `complete`; under a lock, and atomically.

    `make` gets the path of a folder to create. Other files that it writes beside that are deleted,
    also after an exception (Ctrl-C). `nbytes` is the expected size. Raises AssetError if the disk
    refuses a write.
    """
    if complete(folder):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f"{folder.name}.lock")):
            # Another process may have made it while this one waited for the lock.
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
