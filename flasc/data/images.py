"""Pictures as a model wants them, made when a batch asks: a whole set would not fit in memory."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flasc.common.errors import AssetError, ModelError

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class ImageTransform:
    """Pictures `size` square: x / 255, less `mean`, by `std`, one of each a channel."""

    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, pictures: Bytes) -> NDArray[np.float32]:
        """float32 [n, channels, size, size] from uint8 [n, height, width, channels].

        The shorter side is brought to `size` (bilinear, with antialiasing), the middle is cut out.
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
class Pictures:
    """A column of pictures held as uint8 [N, height, width, channels]."""

    pixels: Bytes
    look: ImageTransform

    def __getitem__(self, rows: Any) -> NDArray[np.float32]:
        """float32 [k, channels, size, size]."""
        return self.look(self.pixels[rows])


@dataclass(frozen=True)
class Files:
    """A column of pictures read from files (Pillow) when they are asked for."""

    paths: Sequence[Path]
    look: ImageTransform

    def __getitem__(self, rows: Any) -> NDArray[np.float32]:
        """float32 [k, 3, size, size]. Raises AssetError for a file that is no picture."""
        chosen = self.paths[rows] if isinstance(rows, slice) else [self.paths[i] for i in rows]
        if not chosen:
            return np.empty((0, 3, self.look.size, self.look.size), np.float32)
        return np.concatenate([self.look(read(path)[None]) for path in chosen])


def read(path: Path) -> Bytes:
    """A picture file as RGB: uint8 [height, width, 3]. Raises AssetError."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except OSError as error:  # Pillow's own error is one, too
        raise AssetError(f"{path}: cannot be read as a picture: {error}") from error


def size_of(model: Path) -> int:
    """The side of the pictures that the model in a folder takes. Raises ModelError."""
    config = json.loads((model / "config.json").read_text("utf-8"))
    size = config.get("image_size")
    if not isinstance(size, int):
        raise ModelError(
            f"{model}: a model of type {config.get('model_type')!r} takes no square pictures",
            "choose a ViT: its config.json has an image_size",
        )
    return size
