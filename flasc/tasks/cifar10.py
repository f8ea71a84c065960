"""CIFAR-10 (Krizhevsky 2009) as in FLASC's public code: ViT, 40,000 training pictures, 224 pixels.

Read from the hub (or its parquet files in a folder), or from a folder with the binary version.
FLASC's code crops and mirrors the pictures of train and validation at random; here all pictures are
only resized, as that code does for the test.
"""

from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from flasc.assets.packages import Notify
from flasc.common.errors import AssetError
from flasc.common.settings import PositiveInt
from flasc.data import hub
from flasc.data.examples import Examples
from flasc.data.images import Bytes, ImageTransform, Pictures, size_of
from flasc.models.resolve import resolve_model
from flasc.models.settings import Head
from flasc.tasks.base import Task
from flasc.tasks.settings import VIT, Model, Source, Split, TaskSettings

CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer",
    "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
SIDE = 32
# As in FLASC's code: the statistics of CIFAR-10, not those of the ViT's pretraining.
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)

_BATCHES = {"train": [f"data_batch_{i}.bin" for i in range(1, 6)], "test": ["test_batch.bin"]}
_RECORD = 1 + 3 * SIDE * SIDE  # a label, then the planes of red, green and blue

Labelled = tuple[Bytes, NDArray[np.int64]]


def read_binary(folder: Path, split: str) -> Labelled:
    """Pictures uint8 [n, 32, 32, 3] and labels int64 [n] of the binary version.

    Raises AssetError, naming the file.
    """
    parts = []
    for path in (folder / name for name in _BATCHES[split]):
        try:
            content = np.frombuffer(path.read_bytes(), np.uint8)
        except OSError as error:
            raise AssetError(f"{path}: cannot be read: {error}") from error
        if not len(content) or len(content) % _RECORD or content[::_RECORD].max() >= len(CLASSES):
            raise AssetError(f"{path}: is not a batch of CIFAR-10's binary version")
        parts.append(content.reshape(-1, _RECORD))
    whole = np.concatenate(parts)
    planes = whole[:, 1:].reshape(-1, 3, SIDE, SIDE)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), whole[:, 0].astype(np.int64)


def read_hub(data: str, split: str, notify: Notify) -> Labelled:
    """The same from the columns `img` and `label` on the hub. Raises AssetError."""
    rows = hub.load_split(data, split, {"img", "label"}, notify)
    pictures = [np.asarray(image.convert("RGB")) for image in rows["img"]]
    return np.stack(pictures), np.asarray(rows["label"], np.int64)


def load(data: str, split: str, notify: Notify) -> Labelled:
    """A split from a folder in the binary version, else from the hub. Raises AssetError."""
    folder = hub.local(data)
    if folder and (folder / _BATCHES[split][0]).exists():
        return read_binary(folder, split)
    return read_hub(data, split, notify)


class Cifar10(TaskSettings):
    """CIFAR-10: 10 classes of pictures, a task of the paper."""

    head: ClassVar[Head | None] = "image"
    name: Literal["cifar10"]
    data: Source = "uoft-cs/cifar10"
    """a hub id (owner/name, with a revision: owner/name@rev) or a local folder, relative to this
    scenario's folder"""
    model: Model = VIT
    clients: PositiveInt = 500
    split: Split = Split()
    """how training examples are distributed to clients"""

    @override
    def load(self, seed: int, cache: Path | None, notify: Notify) -> Task:
        pixels, labels = load(self.data, "train", notify)
        tests = load(self.data, "test", notify)
        model = resolve_model(self.model, cache=cache, notify=notify)
        transform = ImageTransform(size_of(model), MEAN, STD)

        def examples(found: Labelled) -> Examples:
            return Examples({"pixel_values": Pictures(found[0], transform)}, found[1])

        cut = int(len(labels) * 0.8)
        return Task(
            edition=f"CIFAR-10 ({self.data}), not augmented",
            train=examples((pixels[:cut], labels[:cut])),
            validation=examples((pixels[cut:], labels[cut:])),
            test=examples(tests),
            clients=self.split.clients(labels[:cut], self.clients, seed),
            classes=CLASSES,
            model=model,
            head="image",
        )
