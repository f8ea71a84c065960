"""FLAIR's metadata."""

import json

import numpy as np
import pytest

from flasc.common.errors import AssetError
from flasc.tasks import flair


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
