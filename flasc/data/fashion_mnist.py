"""Fashion-MNIST (Xiao et al. 2017, arXiv 1708.07747): 28 x 28 grey pictures of ten classes.

The 60,000 training pictures are split once, by one permutation for every seed: one half pretrains
the substitute models, the other half is for clients and validation. So no client holds a picture
that a pretrained model has seen.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flasc.assets.catalogue import ASSETS
from flasc.common import rng
from flasc.common.errors import AssetError
from flasc.data.examples import Examples
from flasc.data.images import Bytes, ImageTransform, Pictures

CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
KNOWN = 5  # substitute models are pretrained on the first 5 classes
VALIDATION = 3_000
SIDE = 28
EDITION = f"Fashion-MNIST ({ASSETS['fashion-mnist'].source}), half of train"


@dataclass(frozen=True, slots=True)
class Garments:
    """Grey pixels uint8 [n, 28, 28] and labels int64 [n]."""

    pixels: Bytes
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: NDArray[np.int64]) -> "Garments":
        """The garments at `indices` (int64 [k]), in that order."""
        return Garments(self.pixels[indices], self.labels[indices])


@dataclass(frozen=True, slots=True)
class Parts:
    """Data for pretraining (classes below `KNOWN` only), and the task's three splits."""

    pretraining: Garments
    train: Garments
    validation: Garments
    test: Garments


def read_idx(path: Path) -> Bytes:
    """The content of an IDX file of unsigned bytes (LeCun's format; sizes are big-endian).

    Raises AssetError for any other content.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise AssetError(f"{path}: cannot be read: {error}") from error
    dimensions = content[3] if content[:3] == b"\0\0\x08" and len(content) > 3 else 0
    start = 4 + 4 * dimensions
    shape = np.frombuffer(content[4:start], ">u4") if len(content) >= start else np.zeros(0)
    if not dimensions or len(content) - start != int(np.prod(shape, dtype=np.int64)):
        raise AssetError(f"{path}: is not a complete IDX file of bytes")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape.astype(int))


def load(folder: Path) -> Parts:
    """The parts from the four IDX files in `folder`. Raises AssetError."""
    train, test = (_read(folder, prefix) for prefix in ("train", "t10k"))
    order = rng.stream(0, "fashion").permutation(len(train))
    half = len(train) // 2
    seen, kept = train.take(order[:half]), train.take(order[half:])
    cut = len(kept) - min(VALIDATION, len(kept) // 10)
    return Parts(
        pretraining=seen.take(np.flatnonzero(seen.labels < KNOWN)),
        train=kept.take(np.arange(cut)),
        validation=kept.take(np.arange(cut, len(kept))),
        test=test.take(rng.stream(0, "fashion/test").permutation(len(test))),
    )


def _read(folder: Path, prefix: str) -> Garments:
    pixels = read_idx(folder / f"{prefix}-images-idx3-ubyte")
    labels = read_idx(folder / f"{prefix}-labels-idx1-ubyte").astype(np.int64)
    if pixels.shape != (len(labels), SIDE, SIDE) or labels.max(initial=0) >= len(CLASSES):
        raise AssetError(
            f"{folder}: {prefix}: found pictures {pixels.shape}, labels {labels.shape}"
        )
    return Garments(pixels, labels)


def grey(size: int) -> ImageTransform:
    """The transform to grey values between -1 and 1."""
    return ImageTransform(size, (0.5,), (0.5,))


def examples(garments: Garments, size: int) -> Examples:
    """Examples with one garment per picture."""
    pictures = Pictures(garments.pixels[..., None], grey(size))
    return Examples({"pixel_values": pictures}, garments.labels)
