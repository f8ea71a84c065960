"""How long a client's update took in the last training on this machine, to estimate others.

The file in the cache folder is a hint: whatever is wrong with it, there is no estimate.
"""

import contextlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from emulator.common.files import replace
from flasc.assets.cache import cache_folder
from flasc.training.settings import TrainingSettings

NAME = "training_pace.json"
MAX_BYTES = 2**20
LEAST_UPDATES = 3  # fewer say little: the first ones are slower


@dataclass(frozen=True, slots=True)
class Pace:
    """Wall seconds per client's update, with evaluations, in one process on `device`.

    The examples of an update are those of one of `clients`, `epochs` times.
    """

    update_s: float
    clients: int
    epochs: int
    device: str

    def of(self, settings: TrainingSettings) -> float:
        """Estimated seconds per update with other numbers of clients and epochs."""
        examples = self.clients / settings.task.clients
        return self.update_s * examples * settings.client.epochs / self.epochs


def store(
    settings: TrainingSettings, device: str, wall_s: float, updates: int, cache: Path | None
) -> None:
    """Keep the pace of a training; a file that cannot be written is left out.

    `device` is '' where nothing real was trained.
    """
    if not device or updates < LEAST_UPDATES or not 0 < wall_s < math.inf:
        return
    pace = Pace(wall_s / updates, settings.task.clients, settings.client.epochs, device)
    key = f"{_key(settings)}, {settings.method.scope}, {device}"
    others = {name: value for name, value in _read(cache).items() if name != key}
    text = json.dumps(others | {key: asdict(pace)}, indent=1)  # the newest last
    with contextlib.suppress(OSError):
        cache_folder(cache).mkdir(parents=True, exist_ok=True)
        replace(cache_folder(cache) / NAME, text.encode())


def stored(settings: TrainingSettings, cache: Path | None = None) -> Pace | None:
    """The newest pace of such a training on this machine; None if none is known.

    One that trained the same part of the model is preferred, as the head alone is faster.
    """
    found = {key: pace for key, value in _read(cache).items() if (pace := _pace(value))}
    alike = [key for key in found if key.startswith(f"{_key(settings)}, ")]
    same = [key for key in alike if key.startswith(f"{_key(settings)}, {settings.method.scope}, ")]
    return found[(same or alike)[-1]] if alike else None


def _key(settings: TrainingSettings) -> str:
    task = settings.task
    return (
        f"{task.name}, {task.model}, {getattr(task, 'tokens', 0)} tokens, {settings.engine} engine"
    )


def _read(cache: Path | None) -> Mapping[str, Any]:
    try:
        with (cache_folder(cache) / NAME).open("rb") as file:
            found = json.loads(file.read(MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _pace(value: object) -> Pace | None:
    """A pace from what a file has; None if that is anything else."""
    match value:
        case {"update_s": float(update_s), "clients": int(clients), "epochs": int(epochs),
              "device": str(device)} if (
            0 < update_s < math.inf and clients > 0 and epochs > 0 and device.isprintable()
        ):  # fmt: skip
            return Pace(update_s, clients, epochs, device[:40])
    return None
