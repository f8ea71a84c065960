"""The package `datasets`: missing, or with other columns."""

import sys

import pytest

from flasc.common.errors import AssetError
from flasc.data import hub


def quiet(_):
    return None


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
