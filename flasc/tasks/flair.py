"""FLAIR (Song et al. 2022): photographs by Flickr users, 17 coarse labels, several per picture.

`data` is the folder that FLAIR's download script fills: labels_and_metadata.json and
small_images/*.jpg. Users and their partition (train, val, test; disjoint) are the official ones.
Pictures are only resized, as in the class that FLASC's public code uses.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from flasc.assets.packages import Notify
from flasc.common import rng
from flasc.common.errors import AssetError
from flasc.data.examples import Examples
from flasc.data.images import Files, ImageTransform, size_of
from flasc.data.objective import MultiLabel
from flasc.models.resolve import resolve_model
from flasc.models.settings import Head
from flasc.tasks.base import Task
from flasc.tasks.settings import VIT, Model, Source, TaskSettings, UserSplit

MEAN = (0.485, 0.456, 0.406)
STD = (0.229**2, 0.224**2, 0.225**2)  # FLASC's code squares ImageNet's deviations; kept here
PARTITIONS = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class Photographs:
    """Paths, labels (float32 [n, labels], zero or one) and owners of one partition."""

    paths: tuple[Path, ...]
    labels: npt.NDArray[np.float32]
    owners: tuple[str, ...]

    def take(self, rows: npt.NDArray[np.int64]) -> "Photographs":
        """The photographs at `rows`, in that order."""
        return Photographs(
            tuple(self.paths[i] for i in rows),
            self.labels[rows],
            tuple(self.owners[i] for i in rows),
        )


def load(folder: Path) -> tuple[dict[str, Photographs], tuple[str, ...]]:
    """The three partitions, and the sorted names of the labels. Raises AssetError."""
    path = folder / "labels_and_metadata.json"
    try:
        rows = json.loads(path.read_text("utf-8"))
        names = tuple(sorted({label for row in rows for label in row["labels"]}))
        code = {name: i for i, name in enumerate(names)}
        parts: dict[str, list[tuple[Path, list[int], str]]] = {p: [] for p in PARTITIONS}
        for row in rows:
            image = folder / "small_images" / f"{row['image_id']}.jpg"
            had = [code[name] for name in row["labels"]]
            parts[row["partition"]].append((image, had, str(row["user_id"])))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AssetError(
            f"{path}: is not a file of FLAIR: {type(error).__name__}: {error}",
            "give task.data the folder that FLAIR's download script filled",
        ) from error
    return {part: _photographs(found, len(names)) for part, found in parts.items()}, names


def _photographs(rows: list[tuple[Path, list[int], str]], labels: int) -> Photographs:
    hot = np.zeros((len(rows), labels), np.float32)
    for row, (_, had, _) in zip(hot, rows, strict=True):
        row[had] = 1
    return Photographs(tuple(p for p, _, _ in rows), hot, tuple(user for _, _, user in rows))


class Flair(TaskSettings):
    """FLAIR: 17 labels, several per picture, a task of the paper. `data` is its script's folder."""

    metric: ClassVar[str] = "micro F1"
    head: ClassVar[Head | None] = "image"
    name: Literal["flair"]
    data: Source
    """the folder that the data set's own script fills"""
    model: Model = VIT
    split: UserSplit = UserSplit()
    """how training examples are distributed to clients"""

    @override
    def load(self, seed: int, cache: Path | None, notify: Notify) -> Task:
        parts, names = load(Path(self.data).expanduser())
        model = resolve_model(self.model, cache=cache, notify=notify)
        transform = ImageTransform(size_of(model), MEAN, STD)

        def examples(part: Photographs) -> Examples:
            return Examples({"pixel_values": Files(part.paths, transform)}, part.labels)

        def shuffled(name: str) -> Examples:  # so that the first k are a fair sample
            order = rng.stream(0, f"flair/{name}").permutation(len(parts[name].paths))
            return examples(parts[name].take(order))

        owners = np.unique(parts["train"].owners, return_inverse=True)[1]
        return Task(
            edition="FLAIR, coarse labels, small images, not augmented",
            train=examples(parts["train"]),
            validation=shuffled("val"),
            test=shuffled("test"),
            clients=self.split.clients(owners, self.clients, seed),
            classes=names,
            model=model,
            head="image",
            objective=MultiLabel(),
        )
