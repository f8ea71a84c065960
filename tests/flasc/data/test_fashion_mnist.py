"""IDX files, and the halves of the training pictures."""

import pytest

from flasc.common.errors import AssetError
from flasc.data import fashion_mnist


def test_idx_files_are_what_lecun_says(garments):
    content = (garments / "train-images-idx3-ubyte").read_bytes()
    pixels = fashion_mnist.read_idx(garments / "train-images-idx3-ubyte")
    assert pixels.shape == (400, 28, 28)
    assert pixels[1, 2, 3] == content[16 + 784 + 2 * 28 + 3]


@pytest.mark.parametrize("content", [b"", b"\0\0\x08", b"\0\0\x08\x01\0\0\0\x05abc", b"PK\3\4abcd"])
def test_what_is_no_idx_file_is_refused(tmp_path, content):
    path = tmp_path / "labels"
    path.write_bytes(content)
    with pytest.raises(AssetError, match="not a complete IDX file"):
        fashion_mnist.read_idx(path)
    with pytest.raises(AssetError, match="cannot be read"):
        fashion_mnist.read_idx(tmp_path / "nowhere")


def test_no_client_holds_what_a_backbone_has_seen(garments):
    parts = fashion_mnist.load(garments)
    seen = {picture.tobytes() for picture in parts.pretraining.pixels}
    others = (parts.train, parts.validation, parts.test)
    assert not seen & {p.tobytes() for part in others for p in part.pixels}
    assert set(parts.pretraining.labels) == set(range(fashion_mnist.KNOWN))
    assert set(parts.train.labels) == set(range(10))
    assert len(parts.train) + len(parts.validation) == 200
