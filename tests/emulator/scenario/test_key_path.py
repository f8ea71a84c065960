"""Dotted paths of keys."""

import pytest
from hypothesis import given, strategies as st

from emulator.common.errors import ScenarioError
from emulator.scenario.key_path import dotted, parse_path

KEYS = st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" "), max_size=8)


@given(st.lists(KEYS, min_size=1, max_size=5))
def test_printable_paths_survive_being_written(path):
    assert parse_path(dotted(path)) == tuple(path)


def test_paths_are_quoted_only_where_needed():
    assert dotted(("a", 0, "b-c/d")) == "a.0.b-c/d"
    assert dotted(("FLASC 1/4", "x.y", "", 'q"', "n\n")) == '"FLASC 1/4"."x.y".""."q\\"".' + (
        '"n\\n"'
    )
    with pytest.raises(ScenarioError, match=r"found 'a\.\.b'; allowed: keys with dots"):
        parse_path("a..b")
