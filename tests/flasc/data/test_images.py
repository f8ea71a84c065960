"""The transform against Pillow, and files that are not pictures."""

import numpy as np
import pytest
from PIL import Image

from flasc.common.errors import AssetError, ModelError
from flasc.data import images
from flasc.data.images import ImageTransform


def test_the_transform_is_pillows_to_rounding():
    """Bilinear with antialiasing, shorter side first, the middle cut out, then normalised."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    mean, std = (0.1, 0.2, 0.3), (0.5, 0.6, 0.7)
    found = ImageTransform(20, mean, std)(pixels[None])[0]
    resized = Image.fromarray(pixels).resize((30, 20), Image.Resampling.BILINEAR)
    expected = (np.asarray(resized)[:, 5:25] / 255 - mean) / std
    assert found.shape == (3, 20, 20)
    np.testing.assert_allclose(found.transpose(1, 2, 0), expected, atol=1.5 / 255 / 0.5)


def test_a_model_that_does_not_take_pictures(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ModelError, match="'bert' does not take square pictures"):
        images.size_of(tmp_path)


def test_a_file_that_is_no_picture(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"no")
    with pytest.raises(AssetError, match=r"a\.jpg: cannot be read as a picture"):
        images.read(tmp_path / "a.jpg")
