"""The raw edition from a folder and from scikit-learn."""

import sys

import pytest

from flasc.common.errors import AssetError
from flasc.data import newsgroups_raw


def quiet(_):
    return None


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
