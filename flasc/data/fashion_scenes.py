"""Multi-label pictures composed of several Fashion-MNIST garments.

A picture is 56 x 56 and has four places, of which one to four hold a garment. Its labels are the
classes of its garments. Every garment is in exactly one picture.
"""

import numpy as np
from numpy.typing import NDArray

from flasc.data import fashion_mnist
from flasc.data.examples import Examples
from flasc.data.fashion_mnist import CLASSES, SIDE, Garments
from flasc.data.images import Bytes, Pictures

PLACES = 4


def groups(n: int, stream: np.random.Generator) -> list[NDArray[np.int64]]:
    """0 to n - 1 in random order, cut into runs of one to four numbers with equal probability."""
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
    """The pictures of `compose` as examples for a model with pictures of side `size`."""
    pixels, labels = compose(garments, stream)
    return Examples({"pixel_values": Pictures(pixels, fashion_mnist.grey(size))}, labels)
