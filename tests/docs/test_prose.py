"""The documentation is written plainly: no page has a refused phrase outside of code blocks."""

import re

import pytest

from .markdown import PAGES, ROOT
from .prose import refused

WRITTEN = [*PAGES, *(ROOT / f"{name}.md" for name in ("CHANGELOG", "CONTRIBUTING", "SECURITY"))]


def without_code(text: str) -> str:
    """`text` with its code blocks blanked, so that lines keep their numbers."""
    blank = r"^```.*?^```$"
    return re.sub(blank, lambda m: "\n" * m[0].count("\n"), text, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_pages_are_written_plainly(page):
    assert refused(without_code(page.read_text("utf-8"))) == []


def test_refused_phrases_are_found_as_whole_words_and_across_lines():
    assert refused("Amend it, in\nvain. A Dear one;\nit goes on") == [
        "1: in vain",
        "2: Dear",
        "3: goes on",
    ]


def test_code_blocks_are_left_out():
    assert refused(without_code("a\n```text\nhint: mend it\n```\nnobody")) == ["5: nobody"]
