"""Sizes of a training's messages, computed from its settings without torch.

Known for named models with LoRA on square projections, and for methods with constant densities.
Otherwise None: sizes are then known from a training or a recording only.
"""

from dataclasses import dataclass

import numpy as np

from flasc import codec
from flasc.common.rng import stream
from flasc.common.settings import Way
from flasc.methods.top_k import count
from flasc.training.settings import TrainingSettings


@dataclass(frozen=True, slots=True)
class Shape:
    """A pretrained encoder: width, number of layers, and number of weights without a head."""

    width: int
    layers: int
    weights: int


MODELS = {"minilm": Shape(width=384, layers=6, weights=22_713_216)}
CLASSES = {"20newsgroups": 20}
SQUARE = {"query", "key", "value"}  # projections from the model's width to itself


def entries(settings: TrainingSettings) -> int | None:
    """Length of the trained vector; None if it is unknown."""
    shape, classes = MODELS.get(settings.task.model), CLASSES.get(settings.task.name)
    targets = set(settings.lora.targets or ("query", "value"))
    if shape is None or classes is None or not targets <= SQUARE:
        return None
    head = classes * (shape.width + 1)
    match settings.method.scope:
        case "all":
            return shape.weights + head
        case "head":
            return head
        case "adapter" if settings.method.densities:
            layers = settings.lora.upper_layers or shape.layers
            return layers * len(targets) * 2 * shape.width * settings.lora.rank + head
        case _:
            return None


def payload_bytes(settings: TrainingSettings) -> tuple[int, int] | None:
    """Bytes (down, up) of the values alone, as the paper counts them."""
    n = entries(settings)
    if n is None:
        return None
    down, up = settings.method.densities or (1.0, 1.0)
    return (
        codec.value_bytes(count(n, down), settings.wire.way("down")[0]),
        codec.value_bytes(count(n, up), settings.wire.way("up")[0]),
    )


def message_bytes(settings: TrainingSettings) -> tuple[int, int] | None:
    """Bytes (down, up) of one client's messages in a round, for supports that are spread at random.

    Exact for dense messages; other messages may differ by some percent.
    """
    n = entries(settings)
    if n is None:
        return None
    down, up = settings.method.densities or (1.0, 1.0)
    aligned = "aligned" if settings.method.upload_support_known and up < 1 else None
    return _size(n, down, settings, "down"), _size(n, up, settings, "up", wire=aligned)


def _size(
    n: int, density: float, settings: TrainingSettings, way: Way, wire: str | None = None
) -> int:
    k = count(n, density)
    support = None
    if k < n:
        drawn = stream(0, "size", k).choice(n, k, replace=False)
        support = np.sort(drawn).astype(np.int64)
    dtype, _ = settings.wire.way(way)
    return codec.size(support, n, wire=wire or settings.wire.format, dtype=dtype)
