"""CIFAR-10 from its binary version and from parquet."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from flasc.common.errors import AssetError
from flasc.tasks import cifar10


def quiet(_):
    return None


def test_cifar_planes(cifar):
    pixels, labels = cifar10.read_binary(cifar, "train")
    record = (cifar / "data_batch_2.bin").read_bytes()[3073 : 2 * 3073]
    assert labels[11] == record[0]
    assert pixels[11, 3, 4].tolist() == [record[1 + 1024 * c + 3 * 32 + 4] for c in range(3)]
    (cifar / "test_batch.bin").write_bytes(b"\x0b" + bytes(3072))
    with pytest.raises(AssetError, match=r"test_batch\.bin: is not a batch"):
        cifar10.read_binary(cifar, "test")


def png(pixels):
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "png")
    return {"bytes": content.getvalue(), "path": None}


@pytest.mark.filterwarnings("ignore")  # the package's own, about how it hashes
def test_cifar_from_parquet_is_the_same(cifar, tmp_path, monkeypatch):
    """A file as the hub has it: pictures as PNG in a struct, and the features in the schema."""
    pytest.importorskip("datasets")
    parquet, arrow = pytest.importorskip("pyarrow.parquet"), pytest.importorskip("pyarrow")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    pixels, labels = cifar10.read_binary(cifar, "train")
    told = {"img": {"_type": "Image"}, "label": {"dtype": "int64", "_type": "Value"}}
    picture = arrow.struct({"bytes": arrow.binary(), "path": arrow.string()})
    schema = arrow.schema(
        {"img": picture, "label": arrow.int64()},
        {"huggingface": json.dumps({"info": {"features": told}})},
    )
    table = arrow.table({"img": [png(p) for p in pixels], "label": labels}, schema)
    folder = tmp_path / "parquet"
    folder.mkdir()
    parquet.write_table(table, folder / "train-00000-of-00001.parquet")
    found, given = cifar10.load(str(folder), "train", quiet)
    assert np.array_equal(found, pixels)
    assert np.array_equal(given, labels)
