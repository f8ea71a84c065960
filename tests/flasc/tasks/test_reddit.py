"""Comments in JSON Lines."""

import pytest

from flasc.common.errors import AssetError
from flasc.tasks import reddit


def quiet(_):
    return None


def test_comments_of_deleted_accounts_are_left_out(comments):
    found = reddit.load(str(comments), quiet)
    assert len(found.texts) == 150
    assert "[deleted]" not in found.users
    assert "[removed]" not in found.texts
    (comments / "b.jsonl").write_text('{"author": "me"}\n')
    with pytest.raises(AssetError, match=r"b\.jsonl, line 1: found"):
        reddit.load(str(comments), quiet)
