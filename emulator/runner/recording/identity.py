"""Which weights, device and versions a recording was made with.

Settings name a model. A local folder and a name on the hub may stand for other weights later, so a
recording of such a model says what they were, and is not used for others. Another device or version
may change the last digits of a training. That is no error, but a training that resumes says so.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emulator.common.errors import RecordingError
from emulator.runner.recording.entries import digest

FORMAT = 2
_SUBSTITUTE = re.compile(r"\bweights ([0-9a-f]{12})\b")


def root_of(store: Path, settings: Mapping[str, Any], weights: str) -> str:
    """The id of the first state, which names the folder in `store`.

    The settings alone decide it, except if the folder of that name was trained from other
    `weights`. `weights` is '' where they are not known or the settings identify them.
    """
    root = digest({"format": FORMAT, "settings": settings})
    if not weights:
        return root
    own = digest({"format": FORMAT, "settings": settings, "weights": weights})
    is_other = recorded_weights(store / root) not in ("", weights)
    return own if is_other or (store / own).exists() else root


def recorded_weights(folder: Path) -> str:
    """The weights that the recording in `folder` was trained from; '' if it does not say."""
    try:
        found = json.loads((folder / "settings.json").read_text("utf-8"))["provenance"]
        return weights_in(found)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ""  # opening the recording reports a damaged file


def weights_in(provenance: Mapping[str, Any]) -> str:
    """What a provenance says of the weights; '' if it says nothing."""
    if found := provenance.get("weights"):
        return str(found)
    substitute = _SUBSTITUTE.search(str(provenance.get("model", "")))
    return substitute[1] if substitute else ""


def require_same(folder: Path, provenance: Mapping[str, Any]) -> None:
    """Raise RecordingError if the recording in `folder` was trained from other weights."""
    recorded, found = recorded_weights(folder), weights_in(provenance)
    if recorded and found and recorded != found:
        raise RecordingError(
            f"{folder}: trained from the weights {recorded}; found {found} now",
            "get the same model again, or give another folder with --recordings",
        )


def differences(recorded: Mapping[str, str], found: Mapping[str, str]) -> str:
    """How a provenance differs from the recorded one: 'torch 2.12.0 (now 2.13.0)'; '' if it agrees.

    Older recordings lack some names, which are not compared.
    """
    return ", ".join(
        f"{name} {recorded[name]} (now {value})"
        for name, value in found.items()
        if recorded.get(name, value) != value
    )
