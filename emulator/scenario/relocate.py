"""A scenario's data for a file in another folder: its paths are relative to that file."""

import os
from pathlib import Path
from typing import Any

from emulator.scenario.local_folders import FOLDERS, explicit, names_file


def relocated(data: Any, folder: Path, above: str = "") -> Any:
    """`data`, whose paths are relative to the current folder, for a scenario in `folder`.

    `above` is the key of `data`. `emulator.scenario.document.read` makes the opposite change.
    """
    if isinstance(data, list):
        return [relocated(item, folder, above) for item in data]
    if not isinstance(data, dict):
        return data
    found = {}
    for key, value in data.items():
        owners, _, last = f"{above}.{key}".rpartition(".")  # in `vary` a key is like task.model
        owner = owners.rpartition(".")[2]
        if isinstance(value, str) and _is_path(value, owner, last):
            found[key] = _moved(value, folder)
        else:
            found[key] = relocated(value, folder, last)
    return found


def _moved(text: str, folder: Path) -> str:
    if text.startswith("/"):
        return text
    return explicit(os.path.relpath(os.path.realpath(text), os.path.realpath(folder)))


def _is_path(text: str, owner: str, key: str) -> bool:
    """Whether the value of `owner`.`key` is a path, and no name of a model."""
    if (owner, key) not in FOLDERS:
        return names_file(owner, key)
    if text.split("/", maxsplit=1)[0] in (".", ".."):
        return True
    return ("/" in text or key == "data") and Path(text).is_dir()
