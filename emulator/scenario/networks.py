"""Replaces the network of a scenario by others: `--network FILE`, `Scenario.run(networks=...)`.

The networks become an axis of `vary`, so the ledger keeps them with the scenario and a run can be
repeated from its folder alone.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from emulator.common.errors import ScenarioError
from emulator.common.text import printable, short_repr, suggestion
from emulator.scenario import document, shipped
from emulator.scenario.vary_option import axes_without
from emulator.scenario.yaml_nodes import Node

AXIS = "--network"  # the axis of `vary`; the dashes keep it apart from those of users
_OF_NETWORK = re.compile(r'"?network"?[.=]')


Given = Sequence[Path] | Mapping[str, Mapping[str, Any]]


def with_networks(tree: Node, given: Given, overrides: Sequence[str]) -> tuple[Node, list[str]]:
    """`tree` with one variant per network, and the remaining overrides.

    Networks are files and folders of files, or the contents of files by label. Axes of `vary` that
    change the network are removed; overrides of the network are applied to each one. Raises
    ScenarioError.
    """
    inner = [text for text in overrides if _OF_NETWORK.match(text)]
    if isinstance(given, Mapping):
        networks, where = _of_contents(given, inner), "networks"
    else:
        files = expand_folders(given)
        networks, where = _of_files(files, inner), f"--network {printable(str(files[0]))}"
    points = {name: Node({"network": network}, network.where) for name, network in networks.items()}
    axis = Node(dict(points), where)
    assert isinstance(tree.value, dict), "a scenario is a mapping"
    vary = Node({**axes_without(tree.value.get("vary"), ("network",)), AXIS: axis}, tree.where)
    network = next(iter(networks.values()))
    moved = Node({**tree.value, "network": network, "vary": vary}, tree.where)
    return moved, [text for text in overrides if text not in inner]


def _of_files(files: Sequence[Path], overrides: Sequence[str]) -> dict[str, Node]:
    networks: dict[str, Node] = {}
    for file in files:
        if file.stem in networks:
            raise ScenarioError(
                f"--network {printable(str(file))}: found a second file named "
                f"{printable(file.stem)}; allowed: each name once, as it names a variant"
            )
        networks[file.stem] = network_in(file, overrides)
    return networks


def _of_contents(
    contents: Mapping[str, Mapping[str, Any]], overrides: Sequence[str]
) -> dict[str, Node]:
    networks = {}
    for label, content in contents.items():
        where = f"networks[{short_repr(label)}]"
        if not (isinstance(label, str) and isinstance(content, Mapping)):
            raise ScenarioError(
                f"{where}: found {short_repr(content)}; allowed: a text as the label, and a "
                "mapping like the content of a file, {'network': {...}}"
            )
        networks[label] = _network_of(document.node(content, where), overrides)
    return networks


def expand_folders(networks: Sequence[Path]) -> list[Path]:
    """`networks` with each folder replaced by its .yaml files, and each name by its file.

    Raises ScenarioError for a folder without such files.
    """
    found: list[Path] = []
    for path in (shipped.located(each, shipped.networks()) for each in networks):
        inside = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
        if not inside:
            raise ScenarioError(f"--network {printable(str(path))}: found no .yaml in it", _FORM)
        found += inside
    return found


def network_in(file: Path, overrides: Sequence[str] = ()) -> Node:
    """The network in `file`, with overrides. Raises ScenarioError."""
    return _network_of(document.read(file), overrides)


def _network_of(tree: Node, overrides: Sequence[str]) -> Node:
    for text in overrides:
        tree = document.override(tree, text)
    assert isinstance(tree.value, dict), "a file and a mapping are mappings"
    for key, node in tree.value.items():
        if key != "network":
            raise ScenarioError(
                f"{node.where}: {key}: unknown key{suggestion(key, ['network'])}", _FORM
            )
    if "network" not in tree.value:
        raise ScenarioError(f"{tree.where}: network: missing key", _FORM)
    return tree.value["network"]


_FORM = "a file for --network has one key, network: move that section to a file of its own"
