"""Several garments in one picture: a multi-label task made of Fashion-MNIST, a stand-in for FLAIR.

A picture is 56 x 56: four places, one to four of them taken, each by a garment; its labels are the
classes that are in it. Every garment is in one picture only. Garments are dealt to clients first,
and each client makes its pictures of its own, so a split's skew is that of the garments.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flasc.assets.catalogue import locate, resolve_model
from flasc.common import rng
from flasc.data.images import Bytes, Pictures, size_of
from flasc.data.objective import MultiLabel
from flasc.data.partition import PARTITIONS
from flasc.task_settings import FashionScenes
from flasc.tasks import fashion_mnist
from flasc.tasks.base import Examples, Task
from flasc.tasks.fashion_mnist import CLASSES, SIDE, Garments

PLACES = 4


def groups(n: int, stream: np.random.Generator) -> list[NDArray[np.int64]]:
    """0 to n - 1 in random order, cut into runs of one to four, each number as likely."""
    sizes = stream.integers(1, PLACES + 1, n)
    cuts = sizes.cumsum()
    return np.split(stream.permutation(n), cuts[cuts < n])


def compose(garments: Garments, stream: np.random.Generator) -> tuple[Bytes, NDArray[np.float32]]:
    """Pictures uint8 [m, 56, 56, 1] of all `garments`, and labels float32 [m, 10], zero or one."""
    runs = groups(len(garments), stream)
    pixels = np.zeros((len(runs), PLACES, SIDE, SIDE), np.uint8)
    labels = np.zeros((len(runs), len(CLASSES)), np.float32)
    for row, members in enumerate(runs):
        pixels[row, stream.permutation(PLACES)[: len(members)]] = garments.pixels[members]
        labels[row, garments.labels[members]] = 1
    grid = pixels.reshape(-1, 2, 2, SIDE, SIDE).transpose(0, 1, 3, 2, 4)
    return grid.reshape(-1, 2 * SIDE, 2 * SIDE, 1), labels


def scenes(garments: Garments, size: int, stream: np.random.Generator) -> Examples:
    """`compose` as examples for a model that takes pictures of `size`."""
    pixels, labels = compose(garments, stream)
    return Examples({"pixel_values": Pictures(pixels, fashion_mnist.grey(size))}, labels)


def fashion_scenes_task(
    settings: FashionScenes, seed: int, cache: Path | None, notify: Callable[[str], None]
) -> Task:
    """The stand-in for FLAIR; `seed` decides who holds which garment, and in which picture."""
    parts = fashion_mnist.load(locate("fashion-mnist", cache=cache, notify=notify))
    model = resolve_model(settings.model, cache=cache, notify=notify)
    size = size_of(model)
    deal, stream = PARTITIONS[settings.split.kind], rng.stream(seed, "partition")
    held = deal(parts.train.labels, settings.clients, settings.split.alpha, stream)
    made = [
        compose(parts.train.take(mine), rng.stream(seed, "scenes", client))
        for client, mine in enumerate(held)
    ]
    pictures = Pictures(np.concatenate([pixels for pixels, _ in made]), fashion_mnist.grey(size))
    ends = np.cumsum([len(labels) for _, labels in made])
    return Task(
        edition=f"{fashion_mnist.EDITION}, one to four garments a picture",
        train=Examples({"pixel_values": pictures}, np.concatenate([labels for _, labels in made])),
        # The same pictures score every seed.
        validation=scenes(parts.validation, size, rng.stream(0, "scenes/validation")),
        test=scenes(parts.test, size, rng.stream(0, "scenes/test")),
        clients=np.split(np.arange(ends[-1]), ends[:-1]),
        classes=CLASSES,
        model=model,
        head="image",
        objective=MultiLabel(),
    )
