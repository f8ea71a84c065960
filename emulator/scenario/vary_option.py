"""Adds sweeps to a scenario: `--vary PATH=VALUES`, `Scenario.read(vary={path: values})`."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from emulator.common.errors import ScenarioError
from emulator.common.text import printable
from emulator.scenario import document
from emulator.scenario.key_path import PATH, QUOTE_KEY, parse_path
from emulator.scenario.sweeps import FORM
from emulator.scenario.yaml_nodes import Node, parse_yaml

Given = Sequence[str] | Mapping[str, Any]

_OPTION = re.compile(rf"({PATH.pattern})=(.*)", re.DOTALL)
_LIKE = "like network.clients.up=20Mbps,5Mbps,1.25Mbps"


def with_sweeps(tree: Node, given: Given) -> Node:
    """`tree` with an axis of `vary` per sweep, after the axes that it has.

    Axes that change the same setting, or a part of it, are removed. Raises ScenarioError.
    """
    done: set[tuple[str, ...]] = set()
    for path, values in _sweeps(given):
        target = parse_path(path)
        if target in done:
            raise ScenarioError(f"{values.where}: found {path} twice; allowed: each setting once")
        done.add(target)
        assert isinstance(tree.value, dict), "a scenario is a mapping"
        kept = axes_without(tree.value.get("vary"), target)
        vary = Node({**kept, path: values}, values.where)
        tree = Node({**tree.value, "vary": vary}, tree.where)
    return tree


def axes_without(vary: Node | None, target: Sequence[str]) -> dict[str, Node]:
    """The axes of `vary` that change neither the setting at `target` nor a part of it."""
    axes = vary.value if vary and isinstance(vary.value, dict) else {}
    return {
        name: axis
        for name, axis in axes.items()
        if not any(_overlap(parse_path(key), target) for key in _keys(name, axis))
    }


def _keys(name: str, axis: Node) -> list[str]:
    """The paths that an axis sets; a sweep is named by its path."""
    points = axis.value.values() if isinstance(axis.value, dict) else []
    keys = [key for point in points if isinstance(point.value, dict) for key in point.value]
    return keys or [name] * bool(PATH.fullmatch(name))


def _overlap(one: Sequence[str], other: Sequence[str]) -> bool:
    shorter = min(len(one), len(other))
    return tuple(one[:shorter]) == tuple(other[:shorter])


def _sweeps(given: Given) -> Iterator[tuple[str, Node]]:
    if isinstance(given, Mapping):
        for path, values in given.items():
            yield path, document.node(values, f"vary[{path!r}]")
        return
    for text in given:
        where = f"--vary {printable(text)}"
        match = _OPTION.fullmatch(text)
        if not (match and match[1].isprintable()):
            raise ScenarioError(
                f"{where}: found no key.path=values; allowed: {_LIKE}",
                QUOTE_KEY if "=" in text else "put = between the path and its values",
            )
        values = match[2].strip()
        written = values if values[:1] in ("[", "{") else f"[{values}]"
        node = parse_yaml(written, where, numbered=False)
        if not (node and node.value):
            raise ScenarioError(f"{where}: found no values; allowed: {FORM}", f"write it {_LIKE}")
        yield match[1], node
