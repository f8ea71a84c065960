"""Texts below the fields of settings classes."""

from typing import Literal

from flasc.common.field_texts import field_texts, plain
from flasc.common.settings import Settings


class Base(Settings):
    """A base."""

    both: int
    """of the base,
    in two lines"""
    own: int
    """of the base"""
    bare: int


class Child(Base):
    """A kind.

    And more.
    """

    kind: Literal["child"]
    own: int
    """of the child"""


def test_a_text_of_a_base_class_holds_until_a_subclass_has_its_own():
    assert field_texts(Base) == {"both": "of the base, in two lines", "own": "of the base"}
    assert field_texts(Child) == {
        "kind": "A kind.",
        "both": "of the base, in two lines",
        "own": "of the child",
    }


def test_the_schema_has_the_texts():
    found = Child.model_json_schema()["properties"]
    assert found["own"]["description"] == "of the child"
    assert "description" not in found["bare"]


def test_links_lose_their_targets():
    assert plain("see [wire *formats*](wire_formats.md), `a[0]`") == "see wire *formats*, `a[0]`"


def test_a_class_without_source_has_no_texts():
    made = {}
    exec(
        "from flasc.common.settings import Settings\nclass Made(Settings):\n    a: int\n    'text'",
        made,
    )
    assert field_texts(made["Made"]) == {}
