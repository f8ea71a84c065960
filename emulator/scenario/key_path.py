"""Dotted paths of keys, like network.clients.up."""

import re
from collections.abc import Sequence
from typing import TypeAlias

from emulator.common.errors import ScenarioError
from emulator.common.text import printable, short_repr

Step: TypeAlias = str | int

MAX_NESTING = 50
QUOTE_KEY = 'put a key that has a dot in it into double quotes: methods."FLASC 0.25".down=1/8'

_BARE = r'[^\s."=]+(?: +[^\s."=]+)*'
_SEGMENT = rf'(?:{_BARE}|"(?:[^"\\]|\\["\\])*")'
PATH = re.compile(rf"{_SEGMENT}(?:\.{_SEGMENT})*")


def parse_path(text: str) -> tuple[str, ...]:
    """The keys of 'a.b."c.d"'. Raises ScenarioError if `text` is not a path of keys."""
    if not (PATH.fullmatch(text) and text.isprintable()):
        raise ScenarioError(
            f"found {short_repr(text)}; allowed: keys with dots between, like network.clients.up",
            QUOTE_KEY,
        )
    keys: list[str] = re.findall(_SEGMENT, text)
    if len(keys) > MAX_NESTING:
        raise ScenarioError(f"found {len(keys)} keys in a path; allowed: {MAX_NESTING}")
    return tuple(re.sub(r"\\(.)", r"\1", key[1:-1]) if key[0] == '"' else key for key in keys)


def dotted(path: Sequence[Step]) -> str:
    """`path` as text; keys with dots, spaces or unprintable characters are quoted."""
    return ".".join(quoted(str(step)) for step in path)


def quoted(key: str) -> str:
    """One key of a dotted path, quoted if necessary."""
    if key.isprintable() and " " not in key and re.fullmatch(_BARE, key):
        return key
    return '"' + printable(re.sub(r'(["\\])', r"\\\1", key)) + '"'
