"""Fashion-MNIST as a task: ten classes of garments (see `flasc.data.fashion_mnist`)."""

from pathlib import Path
from typing import ClassVar, Literal

from typing_extensions import override

from flasc.assets.catalogue import locate
from flasc.assets.packages import Notify
from flasc.data.fashion_mnist import CLASSES, EDITION, examples, load
from flasc.data.images import size_of
from flasc.models.resolve import resolve_model
from flasc.models.settings import Head
from flasc.tasks.base import Task
from flasc.tasks.settings import Model, Split, TaskSettings


class FashionMnist(TaskSettings):
    """Fashion-MNIST, a substitute for CIFAR-10: 10 classes of small pictures."""

    head: ClassVar[Head | None] = "image"
    name: Literal["fashion_mnist"]
    model: Model = "fashion-vit"
    split: Split = Split()
    """how training examples are distributed to clients"""

    @property
    @override
    def most_clients(self) -> int | None:
        return 27_000

    @override
    def load(self, seed: int, cache: Path | None, notify: Notify) -> Task:
        parts = load(locate("fashion-mnist", cache=cache, notify=notify))
        model = resolve_model(self.model, cache=cache, notify=notify)
        size = size_of(model)
        return Task(
            edition=EDITION,
            train=examples(parts.train, size),
            validation=examples(parts.validation, size),
            test=examples(parts.test, size),
            clients=self.split.clients(parts.train.labels, self.clients, seed),
            classes=CLASSES,
            model=model,
            head="image",
        )
