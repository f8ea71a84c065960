"""Pictures as model inputs, made per batch because a whole data set may not fit in memory."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from flasc.common.errors import AssetError, ModelError
from flasc.data.examples import Column

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class ImageTransform:
    """Square pictures of side `size`, normalised: (x / 255 - mean) / std per channel."""

    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, pictures: Bytes) -> NDArray[np.float32]:
        """float32 [n, channels, size, size] from uint8 [n, height, width, channels].

        The shorter side is resized to `size` (bilinear, with antialiasing); the centre is cropped.
        """
        import torch
        from torch.nn import functional as F

        x = torch.from_numpy(pictures.astype(np.float32) / 255).permute(0, 3, 1, 2)
        height, width = x.shape[2:]
        scale = self.size / min(height, width)
        if scale != 1:
            shape = [max(self.size, round(height * scale)), max(self.size, round(width * scale))]
            x = F.interpolate(x, shape, mode="bilinear", antialias=True)
        top, left = (x.shape[2] - self.size) // 2, (x.shape[3] - self.size) // 2
        x = x[:, :, top : top + self.size, left : left + self.size]
        mean, std = (torch.tensor(v).view(-1, 1, 1) for v in (self.mean, self.std))
        found: NDArray[np.float32] = ((x - mean) / std).contiguous().numpy()
        return found


@dataclass(frozen=True)
class Pictures(Column):
    """A column of pictures held as uint8 [N, height, width, channels]."""

    pixels: Bytes
    transform: ImageTransform

    @override
    def __getitem__(self, rows: Any) -> NDArray[np.float32]:
        return self.transform(self.pixels[rows])


@dataclass(frozen=True)
class Files(Column):
    """A column of pictures that are read from files by Pillow for each batch."""

    paths: Sequence[Path]
    transform: ImageTransform

    @override
    def __getitem__(self, rows: Any) -> NDArray[np.float32]:
        chosen = self.paths[rows] if isinstance(rows, slice) else [self.paths[i] for i in rows]
        if not chosen:
            return np.empty((0, 3, self.transform.size, self.transform.size), np.float32)
        return np.concatenate([self.transform(read(path)[None]) for path in chosen])


def read(path: Path) -> Bytes:
    """The picture in a file as RGB: uint8 [height, width, 3]. Raises AssetError."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except OSError as error:  # the base class of Pillow's error
        raise AssetError(f"{path}: cannot be read as a picture: {error}") from error


def size_of(model: Path) -> int:
    """The side of the square pictures that the model in a folder takes. Raises ModelError."""
    config = json.loads((model / "config.json").read_text("utf-8"))
    size = config.get("image_size")
    if not isinstance(size, int):
        raise ModelError(
            f"{model}: a model of type {config.get('model_type')!r} does not take square pictures",
            "choose a ViT: its config.json has an image_size",
        )
    return size
