"""Composed pictures against the garments that they are made of."""

import numpy as np

from flasc.common import rng
from flasc.data import fashion_scenes
from flasc.data.fashion_mnist import Garments


def test_a_scene_is_its_garments():
    """Every garment is in one picture, in a quarter of its own, and its class is the label."""
    n = 50
    stream = rng.stream(0, "test")
    pixels = np.arange(1, n + 1, dtype=np.uint8)[:, None, None] * np.ones((28, 28), np.uint8)
    found, labels = fashion_scenes.compose(Garments(pixels, np.arange(n) % 10), stream)
    quarters = found[..., 0].reshape(-1, 2, 28, 2, 28).transpose(0, 1, 3, 2, 4)
    assert (quarters.min((3, 4)) == quarters.max((3, 4))).all()
    held = quarters[..., 0, 0].reshape(-1, 4)
    assert sorted(held[held > 0].tolist()) == list(range(1, n + 1))
    for quarter, row in zip(held, labels, strict=True):
        assert set(np.flatnonzero(row)) == {(g - 1) % 10 for g in quarter[quarter > 0].tolist()}
    sizes = np.bincount([len(g) for g in fashion_scenes.groups(40_000, stream)])[1:]
    np.testing.assert_allclose(sizes / sizes.sum(), 0.25, atol=0.02)
