"""Transcripts by speaker."""

import pytest

from flasc.common.errors import AssetError
from flasc.data import friends


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
