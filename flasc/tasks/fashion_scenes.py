"""A multi-label task of Fashion-MNIST garments, a substitute for FLAIR.

Garments are distributed to clients first, and each client composes pictures of its own garments
(see `flasc.data.fashion_scenes`), so the label skew is that of the garments.
"""

from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from typing_extensions import override

from flasc.assets.catalogue import locate
from flasc.assets.packages import Notify
from flasc.common import rng
from flasc.data import fashion_mnist
from flasc.data.examples import Examples
from flasc.data.fashion_mnist import CLASSES
from flasc.data.fashion_scenes import compose, scenes
from flasc.data.images import Pictures, size_of
from flasc.data.objective import MultiLabel
from flasc.models.resolve import resolve_model
from flasc.models.settings import Head
from flasc.tasks.base import Task
from flasc.tasks.settings import Model, Split, TaskSettings


class FashionScenes(TaskSettings):
    """Several garments per picture, a substitute for FLAIR: 10 labels, several at once."""

    metric: ClassVar[str] = "micro F1"
    head: ClassVar[Head | None] = "image"
    name: Literal["fashion_scenes"]
    model: Model = "scenes-vit"
    split: Split = Split()
    """how training examples are distributed to clients"""

    @property
    @override
    def most_clients(self) -> int | None:
        return 27_000

    @override
    def load(self, seed: int, cache: Path | None, notify: Notify) -> Task:
        parts = fashion_mnist.load(locate("fashion-mnist", cache=cache, notify=notify))
        model = resolve_model(self.model, cache=cache, notify=notify)
        size = size_of(model)
        held = self.split.clients(parts.train.labels, self.clients, seed)
        made = [
            compose(parts.train.take(mine), rng.stream(seed, "scenes", client))
            for client, mine in enumerate(held)
        ]
        pixels, labels = zip(*made, strict=True)
        pictures = Pictures(np.concatenate(pixels), fashion_mnist.grey(size))
        ends = np.cumsum([*map(len, labels)])
        return Task(
            edition=f"{fashion_mnist.EDITION}, one to four garments a picture",
            train=Examples({"pixel_values": pictures}, np.concatenate(labels)),
            # Every seed is evaluated on the same pictures.
            validation=scenes(parts.validation, size, rng.stream(0, "scenes/validation")),
            test=scenes(parts.test, size, rng.stream(0, "scenes/test")),
            clients=np.split(np.arange(ends[-1]), ends[:-1]),
            classes=CLASSES,
            model=model,
            head="image",
            objective=MultiLabel(),
        )
