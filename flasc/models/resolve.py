"""The folder of a model: by its own name, by path, or from the hub."""

import os
import re
from pathlib import Path

from flasc.assets.catalogue import ASSETS, _nearest, locate
from flasc.assets.packages import Notify
from flasc.common.errors import AssetError
from flasc.models import standins
from flasc.models.standins import STANDINS

# No pickle: weights come as safetensors or not at all.
_HUB_FILES = ["*.json", "*.txt", "*.model", "*.safetensors"]


_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?(@[\w./-]+)?")


def known_models() -> list[str]:
    """Models that have a name of their own here."""
    return [a.name for a in ASSETS.values() if a.kind == "model"] + list(STANDINS)


def resolve_model(
    model: str, *, cache: Path | None = None, notify: Notify = lambda _: None
) -> Path:
    """The folder of a model: a name that we know, a local folder, or 'org/name[@revision]'.

    A stand-in is pretrained where the cache does not have it. Hub models go through
    huggingface_hub with its own cache, and honour HF_HUB_OFFLINE. Raises AssetError where there is
    no such model, or it has no safetensors weights.
    """
    if model in ASSETS and ASSETS[model].kind == "model":
        return locate(model, cache=cache, notify=notify)
    if model in STANDINS:
        return standins.locate(model, cache=cache, notify=notify)
    if found := missing_model(model):
        raise AssetError(f"model {model!r}: {found}", _allowed_models(model))
    folder = _local(model)
    return folder if _is_model(folder) else _hub_download(model, notify)


def missing_model(model: str) -> str:
    """What is found in place of a model that no folder has and no hub can have; '' of others.

    Looks for a folder, and fetches nothing.
    """
    folder = _local(model)
    if model in known_models() or _is_model(folder):
        return ""
    if model not in ASSETS and not folder.is_absolute() and _HUB_NAME.fullmatch(model):
        return ""
    is_folder = os.path.isdir(folder)  # noqa: PTH112
    found = "a folder without config.json" if is_folder else "no such model or folder"
    return f"{found} ({folder.absolute()})"


# A model may be any text: Path's own raise for an unknown ~user and for a name too long.
def _local(model: str) -> Path:
    return Path(os.path.expanduser(model))  # noqa: PTH111


def _is_model(folder: Path) -> bool:
    return os.path.isfile(folder / "config.json")  # noqa: PTH113


def _allowed_models(model: str) -> str:
    known = known_models()
    allowed = f"{', '.join(known)}, a local folder with config.json, or a hub name: org/name[@rev]"
    return f"{_nearest(model, known)} allowed: {allowed}".lstrip()


def _hub_download(model: str, notify: Notify) -> Path:
    from huggingface_hub import snapshot_download

    name, _, revision = model.partition("@")
    notify(f"looking for {model} on the model hub")
    try:
        folder = Path(snapshot_download(name, revision=revision or None, allow_patterns=_HUB_FILES))
    except Exception as error:  # its HTTP client's errors share no base class with its own
        raise AssetError(f"model {model!r} on the hub: {error}", _allowed_models(model)) from error
    if not any(folder.glob("*.safetensors")):
        raise AssetError(
            f"model {model!r}: found no safetensors weights in it",
            "choose a revision or a copy that has them; pickled weights are never loaded",
        )
    return folder
