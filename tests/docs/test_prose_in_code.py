"""The code is written plainly: no string, docstring or comment has a refused phrase."""

import io
import tokenize

import pytest

from .markdown import ROOT
from .prose import refused

TEXT = {
    getattr(tokenize, name)
    for name in ("COMMENT", "STRING", "FSTRING_MIDDLE")  # parts of f-strings from Python 3.12
    if hasattr(tokenize, name)
}
FILES = sorted(path for package in ("emulator", "flasc") for path in (ROOT / package).rglob("*.py"))


def texts(source: str) -> str:
    """The strings and comments of `source`, each in the line in which it begins."""
    lines: dict[int, str] = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in TEXT:
            for number, line in enumerate(token.string.split("\n"), start=token.start[0]):
                lines[number] = f"{lines.get(number, '')} {line}"
    return "\n".join(lines.get(number, "") for number in range(1, max(lines, default=0) + 1))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_code_is_written_plainly(path):
    assert refused(texts(path.read_text("utf-8"))) == []


def test_names_are_left_out_and_strings_are_not():
    source = 'nobody = "all"  # in vain\nsaid = f"it {1} goes on"\n"""Two\nmend."""\n'
    assert refused(texts(source)) == ["1: in vain", "2: goes on", "4: mend"]
