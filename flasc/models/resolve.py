"""Finds the folder of a model by name, by path, or on the model hub."""

import os
import re
from pathlib import Path

from flasc.assets.catalogue import ASSETS, asset_folder, is_complete, locate
from flasc.assets.packages import Notify
from flasc.common.errors import AssetError, suggestion
from flasc.models import standins
from flasc.models.standins import SUBSTITUTES

# Pickled weights are never downloaded.
_HUB_FILES = ["*.json", "*.txt", "*.model", "*.safetensors"]
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?(@[\w./-]+)?")


def known_models() -> list[str]:
    """Names of the pinned models and the substitute models."""
    return [a.name for a in ASSETS.values() if a.kind == "model"] + list(SUBSTITUTES)


def resolve_model(
    model: str, *, cache: Path | None = None, notify: Notify = lambda _: None
) -> Path:
    """The folder of a model: a known name, a local folder, or 'org/name[@revision]' on the hub.

    A substitute model that is not cached is pretrained. Hub models are downloaded by
    huggingface_hub into its own cache, which respects HF_HUB_OFFLINE. Raises AssetError if the
    model does not exist or has no safetensors weights.
    """
    if model in ASSETS and ASSETS[model].kind == "model":
        return locate(model, cache=cache, notify=notify)
    if model in SUBSTITUTES:
        return standins.locate(model, cache=cache, notify=notify)
    if found := missing_model(model):
        raise AssetError(f"model {model!r}: {found}", _allowed_models(model))
    folder = _local(model)
    return folder if _is_model(folder) else _hub_download(model, notify)


def model_at_hand(model: str, *, cache: Path | None = None) -> Path | None:
    """The folder of a model that is on this machine already; None if it has to be fetched."""
    if model in ASSETS:
        folder = asset_folder(ASSETS[model], cache)
        return folder if is_complete(ASSETS[model], folder) else None
    if model in SUBSTITUTES:
        folder = SUBSTITUTES[model].folder(cache)
        return folder if standins.complete(folder) else None
    if _is_model(folder := _local(model)):
        return folder
    return None if missing_model(model) else _hub_cached(model)


def missing_model(model: str) -> str:
    """Why `model` is neither a known name, a local model nor a possible hub name; '' if it is one.

    Looks at local folders only.
    """
    folder = _local(model)
    if model in known_models() or _is_model(folder):
        return ""
    if model not in ASSETS and not folder.is_absolute() and _HUB_NAME.fullmatch(model):
        return ""
    is_folder = os.path.isdir(folder)  # noqa: PTH112
    found = "a folder without config.json" if is_folder else "no such model or folder"
    return f"{found} ({folder.absolute()})"


# A model may be any text; the methods of Path raise for an unknown ~user and for a long name.
def _local(model: str) -> Path:
    return Path(os.path.expanduser(model))  # noqa: PTH111


def _is_model(folder: Path) -> bool:
    return os.path.isfile(folder / "config.json")  # noqa: PTH113


def _allowed_models(model: str) -> str:
    known = known_models()
    allowed = f"{', '.join(known)}, a local folder with config.json, or a hub name: org/name[@rev]"
    return f"{suggestion(model, known)} allowed: {allowed}".lstrip()


def _hub_cached(model: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    name, _, revision = model.partition("@")
    try:
        found = try_to_load_from_cache(name, "config.json", revision=revision or None)
    except HFValidationError:
        return None
    return Path(found).parent if isinstance(found, str) else None


def _hub_download(model: str, notify: Notify) -> Path:
    from huggingface_hub import snapshot_download

    name, _, revision = model.partition("@")
    notify(f"looking for {model} on the model hub")
    try:
        folder = Path(snapshot_download(name, revision=revision or None, allow_patterns=_HUB_FILES))
    except Exception as error:  # the HTTP client's errors have no common base class
        raise AssetError(f"model {model!r} on the hub: {error}", _allowed_models(model)) from error
    if not any(folder.glob("*.safetensors")):
        raise AssetError(
            f"model {model!r}: found no safetensors weights",
            "choose a revision or a copy with safetensors; pickled weights are never loaded",
        )
    return folder
