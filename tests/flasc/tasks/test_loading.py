"""Loaders against what the files hold, and against files that are not theirs."""

import io
import json
import sys

import numpy as np
import pytest
from PIL import Image

from flasc.common import rng
from flasc.common.errors import AssetError, ModelError
from flasc.data import fashion_mnist, fashion_scenes, friends, hub, images, newsgroups_raw
from flasc.data.fashion_mnist import Garments
from flasc.data.images import ImageTransform
from flasc.data.lines import split_users
from flasc.tasks import cifar10, flair, reddit


def quiet(_):
    return None


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


def test_look_is_pillows_to_rounding():
    """Bilinear with antialiasing, shorter side first, the middle cut out, then normalised."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    mean, std = (0.1, 0.2, 0.3), (0.5, 0.6, 0.7)
    found = ImageTransform(20, mean, std)(pixels[None])[0]
    resized = Image.fromarray(pixels).resize((30, 20), Image.Resampling.BILINEAR)
    expected = (np.asarray(resized)[:, 5:25] / 255 - mean) / std
    assert found.shape == (3, 20, 20)
    np.testing.assert_allclose(found.transpose(1, 2, 0), expected, atol=1.5 / 255 / 0.5)


def test_a_model_that_takes_no_pictures(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ModelError, match="'bert' does not take square pictures"):
        images.size_of(tmp_path)


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


def test_without_datasets_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(AssetError, match="needs the package datasets") as caught:
        hub.load_split("owner/name", "train", {"img"}, quiet)
    assert "flasc-emu[data]" in caught.value.hint


def test_the_hub_asked_for_a_revision_answers_with_columns(monkeypatch):
    class Found:
        column_names = ("text",)

    class Datasets:
        @staticmethod
        def load_dataset(name, *, split, revision):
            assert (name, split, revision) == ("owner/name", "train", "refs/convert/parquet")
            return Found()

    monkeypatch.setitem(sys.modules, "datasets", Datasets)
    with pytest.raises(AssetError, match=r"found columns \['text'\]; missing \['author'\]"):
        hub.load_split("owner/name@refs/convert/parquet", "train", {"author", "text"}, quiet)
    with pytest.raises(AssetError, match="cannot load its split"):
        hub.load_split("owner/name", "train", set(), quiet)


def test_flair_is_as_its_file_says(flickr):
    parts, names = flair.load(flickr)
    rows = json.loads((flickr / "labels_and_metadata.json").read_text())
    assert names == tuple(f"label {i:02}" for i in range(17))
    trained = [row for row in rows if row["partition"] == "train"]
    assert list(parts["train"].owners) == [row["user_id"] for row in trained]
    for hot, row in zip(parts["train"].labels, trained, strict=True):
        assert [names[i] for i in np.flatnonzero(hot)] == row["labels"]
    owners = [set(part.owners) for part in parts.values()]
    assert not owners[0] & owners[1] | owners[1] & owners[2]


@pytest.mark.parametrize("content", ["", "{}", '[{"labels": ["a"]}]', '[{"labels": 3}]'])
def test_what_is_not_flairs_is_refused(tmp_path, content):
    (tmp_path / "labels_and_metadata.json").write_text(content)
    if content == "{}":
        return  # no photographs at all: refused when clients are dealt
    with pytest.raises(AssetError, match="is not a file of FLAIR"):
        flair.load(tmp_path)


def test_a_file_that_is_no_picture(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"no")
    with pytest.raises(AssetError, match=r"a\.jpg: cannot be read as a picture"):
        images.read(tmp_path / "a.jpg")


def test_comments_of_nobody_are_left_out(comments):
    found = reddit.load(str(comments), quiet)
    assert len(found.texts) == 150
    assert "[deleted]" not in found.users
    assert "[removed]" not in found.texts
    (comments / "b.jsonl").write_text('{"author": "me"}\n')
    with pytest.raises(AssetError, match=r"b\.jsonl, line 1: found"):
        reddit.load(str(comments), quiet)


def test_speakers(transcripts):
    leads, others = friends.load(transcripts)
    assert set(leads.users) == friends.LEADS
    assert set(others.users) == {f"Guest {i}" for i in range(30)}
    assert len(leads.texts) == 6 * 20
    assert all(text == text.strip() for text in others.texts)
    path = transcripts / "friends-transcripts.tab"
    path.write_text(path.read_text() + "01\t02\n")
    with pytest.raises(AssetError, match="found 2 columns"):
        friends.parse(path)
    path.write_text("x\n")
    with pytest.raises(AssetError, match="found columns"):
        friends.parse(path)


def test_users_are_split_once():
    users = [f"u{i}" for i in range(100)] * 2
    train, validation, test = split_users(users)
    assert (len(train), len(validation), len(test)) == (80, 10, 10)
    assert train | validation | test == set(users)
    assert split_users(users[::-1]) == (train, validation, test)


def test_the_raw_edition_is_read_as_latin_1_and_split_alike_from_any_source(archive, monkeypatch):
    corpus = newsgroups_raw.load(str(archive), quiet)
    assert [len(s) for s in (corpus.train, corpus.validation, corpus.test)] == [80, 20, 40]
    assert all("caf\xe9" in text and text.startswith("From:") for text in corpus.train.texts)
    for text, label in zip(corpus.test.texts, corpus.test.labels, strict=True):
        assert f"test {label} " in text
    rows = {split: newsgroups_raw.read_folder(archive, split)[::-1] for split in ("train", "test")}
    monkeypatch.setattr(newsgroups_raw, "fetch", lambda split, _: rows[split])
    assert newsgroups_raw.load(None, quiet).validation.texts == corpus.validation.texts


def test_an_incomplete_archive_is_refused(archive):
    (archive / "20news-bydate-test/group.00/0").unlink()
    with pytest.raises(AssetError, match=r"found \{'train': 100, 'test': 39\} documents"):
        newsgroups_raw.load(str(archive), quiet)


def test_without_scikit_learn_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(AssetError, match="needs scikit-learn") as caught:
        newsgroups_raw.load(None, quiet)
    assert "flasc-emu[data]" in caught.value.hint
