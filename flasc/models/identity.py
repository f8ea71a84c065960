"""Identifies the weights of local models and hub models, whose names do not. Torch-free."""

import functools
import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from flasc.common.errors import AssetError
from flasc.data.tokens import TOKENIZER_FILES
from flasc.models.resolve import known_models, model_at_hand

_COMMIT = re.compile("[0-9a-f]{40}")


def weights_at_hand(model: str) -> str:
    """The identity of a model that is on this machine.

    '' if it has to be fetched, and for the models of the catalogue: their names identify them.
    """
    folder = None if model in known_models() else model_at_hand(model)
    return "" if folder is None else weights_of(folder)


def weights_of(folder: Path) -> str:
    """The commit of a snapshot of the hub, else the SHA-256 of all files that affect a training.

    Raises AssetError for a file that cannot be read.
    """
    if folder.parent.name == "snapshots" and _COMMIT.fullmatch(folder.name):
        return f"commit {folder.name}"
    names = {
        *TOKENIZER_FILES,
        "chat_template.jinja",
        *(path.name for path in folder.glob("*.safetensors*")),
    }
    whole = hashlib.sha256()
    for path in _existing(folder / name for name in sorted(names)):
        whole.update(f"{path.name}\0{sha256_of(path)}\n".encode())
    return f"SHA-256 {whole.hexdigest()}"


def sha256_of(path: Path) -> str:
    """SHA-256 of a file in hexadecimal; a file is read again only if it has changed.

    Raises AssetError for a file that cannot be read.
    """
    about = path.stat()
    return _sha256(path, about.st_size, about.st_mtime_ns)


def _existing(paths: Iterable[Path]) -> list[Path]:
    return [path for path in paths if path.is_file()]


@functools.lru_cache(maxsize=1000)  # a study asks for each of its trainings
def _sha256(path: Path, _size: int, _mtime_ns: int) -> str:
    found = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                found.update(block)
    except OSError as error:
        raise AssetError(f"{path}: cannot be read: {error.strerror}") from error
    return found.hexdigest()
