"""YAML text as nodes: plain values with line numbers.

Plain scalars follow the YAML 1.2 core schema (yaml.org/spec/1.2.2, section 10.3.2), decimal only:
`no` is text, `010` is ten, and `1:30`, `1_000`, `0x1F` and dates are text.

Nodes are composed from events, because PyYAML's node graph loses the lines of aliases and explicit
tags, and its composer recurses without limit and refuses an anchor that is defined again.
"""

import contextlib
import re
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

import yaml

from emulator.common.errors import ScenarioError
from emulator.common.text import printable
from emulator.scenario.key_path import MAX_NESTING, quoted

# libyaml reads ten times as fast. What it refuses is read again by Python, for its messages.
_FAST: Any = getattr(yaml, "CSafeLoader", None)
MAX_NODES = 100_000  # counted as if every alias were written out

Scalar: TypeAlias = str | int | float | bool | None
Value: TypeAlias = "Scalar | dict[str, Node] | list[Node]"

_WORDS: dict[str, Scalar] = dict.fromkeys(("", "~", "null", "Null", "NULL"))
_WORDS |= dict.fromkeys(("true", "True", "TRUE"), True)
_WORDS |= dict.fromkeys(("false", "False", "FALSE"), False)
_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
NUMBER = re.compile(rf"(?:{_INT.pattern}|{_FLOAT.pattern})\Z")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_LONGEST_NUMBER = 100  # longer ones are text: Python limits the digits of an int
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Node:
    """A value and the place of its key or list item: 'x.yaml:12' or '--set a.b=c'."""

    value: Value
    where: str


def _scalar(text: str) -> Scalar:
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > _LONGEST_NUMBER:
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _NOT_FINITE.fullmatch(text):
        return float(text.replace(".", "", 1))
    return float(text) if _FLOAT.fullmatch(text) else text


_HINTS = {
    "while parsing a flow": "close the bracket or brace that is open above",
    r"'\t'": "indent with spaces, not tabs",
    "mapping values": "quote a value that has a colon and a space in it",
    "cannot start any token": "quote a value that begins with this character",
}


def parse_yaml(text: str, name: str, numbered: bool = True, most: int = MAX_NODES) -> Node | None:
    """The value of the one document in `text`, of at most `most` values; None if there is none.

    Places in messages and nodes are `name`, with line numbers if `numbered`. Raises ScenarioError.
    """
    if _FAST:
        with contextlib.suppress(yaml.YAMLError, ValueError, OverflowError):
            return _composed(_Composer(text, name, numbered, most, _FAST))
    return _composed(_Composer(text, name, numbered, most))


def _composed(composer: "_Composer") -> Node | None:
    try:
        return composer.document()
    finally:
        # Explicitly, because an exception of a signal in the garbage collector would be lost.
        composer.events.close()


class _Composer:
    """Composes nodes from events; aliases share values. Recursion is limited by MAX_NESTING."""

    def __init__(self, text: str, name: str, numbered: bool, most: int, loader: Any = None) -> None:
        """`loader` parses fast; its errors are those of `yaml`, for another try without it."""
        self.name, self.numbered, self.most = name, numbered, most
        self.nodes = 0
        # value, number of nodes and height of each anchor; None while its value is being read
        self.anchors: dict[str, tuple[Value, int, int] | None] = {}
        self.events = self._parsed(text, loader) if loader else self._events(text)

    def _place(self, event: yaml.Event) -> str:
        line = event.start_mark.line + 1 if event.start_mark else 1
        return f"{self.name}:{line}" if self.numbered else self.name

    def _fail(self, event: yaml.Event, text: str, hint: str = "") -> NoReturn:
        raise ScenarioError(f"{self._place(event)}: {text}", hint)

    def _parsed(self, text: str, loader: Any) -> Generator[yaml.Event, None, None]:
        yield from yaml.parse(text, Loader=loader)

    def _events(self, text: str) -> Generator[yaml.Event, None, None]:
        line, column, hint = 1, 1, ""
        try:
            yield from yaml.parse(text, Loader=yaml.SafeLoader)
            return
        except yaml.reader.ReaderError as error:
            before = text[: error.position].split("\n")
            line, column = len(before), len(before[-1]) + 1
            found = f"U+{ord(text[error.position]):04X}"
            problem = f"found control character {found}; allowed: Unicode text"
        except yaml.MarkedYAMLError as error:
            if mark := error.problem_mark or error.context_mark:
                line, column = mark.line + 1, mark.column + 1
            problem = ", ".join(part for part in (error.problem, error.context) if part)
            hint = next((hint for part, hint in _HINTS.items() if part in problem), "")
        except (ValueError, OverflowError):  # PyYAML does not check the range of \U and %YAML
            problem = "found a number out of range in an escape or a directive"
        place = f"{self.name}:{line}:{column}" if self.numbered else self.name
        raise ScenarioError(f"{place}: not YAML: {printable(problem)}", hint)

    def document(self) -> Node | None:
        """The value of the document; None if the text is empty."""
        next(self.events)
        if isinstance(next(self.events), yaml.StreamEndEvent):
            return None
        event = next(self.events)
        value, _ = self._value(event, 1)
        next(self.events)
        if not isinstance(again := next(self.events), yaml.StreamEndEvent):
            self._fail(again, "found a second document; allowed: one", "remove the --- line")
        return Node(value, self._place(event))

    def _count(self, event: yaml.Event, nodes: int, nesting: int) -> None:
        self.nodes += nodes
        if nesting > MAX_NESTING:
            self._fail(event, f"found deeper nesting; allowed: {MAX_NESTING} levels")
        if self.nodes > self.most:
            self._fail(event, f"found more values (an alias repeats its); allowed: {self.most:,}")

    def _value(self, event: yaml.Event, level: int) -> tuple[Value, int]:
        """The value that begins at `event` and its height: 1 for a scalar or an empty list."""
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, level)
        assert isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent)
        if event.tag is not None:
            tag = printable(event.tag.replace("tag:yaml.org,2002:", "!!"))[:60]
            self._fail(event, f"found tag {tag}; allowed: no tags", "remove the tag")
        before = self.nodes
        if event.anchor:
            self.anchors[event.anchor] = None
        self._count(event, 1, level)
        value: Value
        if isinstance(event, yaml.MappingStartEvent):
            value, height = self._mapping(level)
        elif isinstance(event, yaml.SequenceStartEvent):
            value, height = self._sequence(level)
        else:
            value, height = self._text(event), 1
        if event.anchor:
            self.anchors[event.anchor] = value, self.nodes - before, height
        return value, height

    def _alias(self, event: yaml.AliasEvent, level: int) -> tuple[Value, int]:
        name = event.anchor or ""
        if name not in self.anchors:
            self._fail(event, f"found alias *{name}; allowed: one whose anchor &{name} is above")
        if (anchored := self.anchors[name]) is None:
            self._fail(event, f"found alias *{name} inside its own anchor; allowed: no recursion")
        value, nodes, height = anchored
        self._count(event, nodes, level + height - 1)
        return value, height

    def _text(self, event: yaml.Event) -> Scalar:
        assert isinstance(event, yaml.ScalarEvent)
        if bad := _UNSTORABLE.search(event.value):
            self._fail(event, f"found character U+{ord(bad[0]):04X}; allowed: Unicode text")
        return _scalar(event.value) if event.implicit[0] else str(event.value)

    def _sequence(self, level: int) -> tuple[list[Node], int]:
        items, height = [], 0
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            value, deep = self._value(event, level + 1)
            items.append(Node(value, self._place(event)))
            height = max(height, deep)
        return items, height + 1

    def _mapping(self, level: int) -> tuple[dict[str, Node], int]:
        entries: dict[str, Node] = {}
        height = 0
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self._key(event, level)
            if key in entries:
                first = entries[key].where
                self._fail(event, f"{quoted(key)}: duplicate key, first at {first}", "keep one")
            value, deep = self._value(next(self.events), level + 1)
            entries[key] = Node(value, self._place(event))
            height = max(height, deep)
        return entries, height + 1

    def _key(self, event: yaml.Event, level: int) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            self._fail(event, "found a key that is no plain text; allowed: text", "quote the key")
        if event.value == "<<" and event.implicit[0]:
            self._fail(event, "<<: merge keys are not allowed", "use extends: other.yaml")
        self._value(event, level + 1)
        return str(event.value)
