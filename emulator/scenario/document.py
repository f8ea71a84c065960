"""A scenario file merged with the files that it `extends` and with `--set` overrides.

The result is plain data with the line of each value.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from emulator.common.errors import ScenarioError
from emulator.common.text import nearest, printable, short_repr, suggestion
from emulator.scenario import shipped
from emulator.scenario.key_path import PATH, QUOTE_KEY, Step, dotted, parse_path, quoted
from emulator.scenario.local_folders import FOLDERS, local_path, names_file
from emulator.scenario.yaml_nodes import MAX_NODES, NUMBER, Node, parse_yaml

__all__ = ["Document", "dump", "load", "printable"]

MANY = 100  # labels of an axis
MOST_NODES = 1_000_000  # of the scenario of a run, which has all its networks
MAX_BYTES = 2**20
MAX_CHAIN = 10
MAX_FILES = 100

# Mappings with names of the user as keys: an override may not add a name.
NAMED = (("methods",), ("network", "groups"))

_START = "start with a line like name: slow_upload"
_OVERRIDE = re.compile(rf"({PATH.pattern})=(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Document:
    """`data` is plain (dict, list, str, int, float, bool, None); `where` finds its lines."""

    data: dict[str, Any]
    tree: Node = field(repr=False)

    def where(self, path: Sequence[Step]) -> str:
        """The line of the key at `path`, or of its nearest ancestor in the text."""
        node = self.tree
        for step in path:
            if isinstance(node.value, dict) and isinstance(step, str) and step in node.value:
                node = node.value[step]
            elif isinstance(node.value, list) and step in range(len(node.value)):
                node = node.value[int(step)]
            else:
                break
        return node.where

    def without(self, key: str) -> "Document":
        """The document without a section."""
        data = {name: value for name, value in self.data.items() if name != key}
        assert isinstance(self.tree.value, dict)
        tree = {name: node for name, node in self.tree.value.items() if name != key}
        return Document(data, Node(tree, self.tree.where))

    def at(self, path: Sequence[str]) -> Node:
        """The node at `path`, which leads through mappings."""
        node = self.tree
        for step in path:
            assert isinstance(node.value, dict), "mappings alone"
            node = node.value[step]
        return node

    def changed(self, changes: Sequence[tuple[Sequence[str], Node]]) -> "Document":
        """The document with a node at each path, for `vary`.

        Each keeps its line. Missing mappings are created; a list item is addressed by its number.
        Raises ScenarioError if the item does not exist or a path leads through a scalar.
        """
        tree = self.tree
        for target, node in changes:
            tree = _set(tree, target, node, ())
        assert isinstance(tree.value, dict)
        assert isinstance(self.tree.value, dict)
        kept = self.tree.value
        data = {
            key: self.data[key] if node is kept.get(key) else _plain(node)
            for key, node in tree.value.items()
        }
        return Document(data, tree)


def load(path: Path, overrides: Sequence[str] = ()) -> Document:
    """The scenario at `path` merged with the files it extends and with 'a.b=value' overrides.

    Mappings merge, lists and scalars replace inherited ones, and null deletes an inherited key.
    Raises ScenarioError.
    """
    return with_overrides(read(path), overrides)


def read(path: Path) -> Node:
    """The file at `path` merged with the files it extends. Raises ScenarioError."""
    return _read_extended(path, "", (), [])


def parse(text: str, name: str, most: int = MAX_NODES) -> Node:
    """The scenario in `text`, without `extends`; `name` is its file in messages."""
    tree = parse_yaml(text, name, most=most) or Node(None, name)
    if tree.value is None:
        raise ScenarioError(f"{name}: found an empty file; allowed: a scenario", _START)
    if not isinstance(tree.value, dict):
        found = short_repr(_plain(tree))
        raise ScenarioError(f"{tree.where}: found {found}; allowed: a mapping of keys", _START)
    return tree


def dump(data: Mapping[str, Any]) -> str:
    """Plain data as YAML that `parse` reads as the same data.

    libyaml writes ten times as fast, and folds some long texts in another way. It writes what no
    ledger has had: axes with many labels.
    """
    axes = (data.get("vary") or {}).values()
    writer = _FAST if any(len(axis or ()) > MANY for axis in axes) else _PLAIN
    return str(yaml.dump(dict(data), Dumper=writer, sort_keys=False, allow_unicode=True))


def _writer(base: Any) -> Any:
    """A dumper that quotes text that is a number in YAML 1.2 but not in 1.1, like '1e3' and '08'.

    Text with U+0085 (next line), which other styles fold, gets double quotes.
    """

    class Writer(base):  # type: ignore[misc]  # one of two dumpers of PyYAML
        def represent_text(self, text: str) -> Any:
            style = '"' if "\x85" in text else None
            return self.represent_scalar("tag:yaml.org,2002:str", text, style)

    Writer.add_representer(str, Writer.represent_text)
    Writer.add_implicit_resolver("tag:yaml.org,2002:float", NUMBER, list("+-.0123456789"))
    return Writer


_PLAIN = _writer(yaml.SafeDumper)
_FAST = _writer(getattr(yaml, "CSafeDumper", yaml.SafeDumper))


def node(value: Any, where: str) -> Node:
    """Plain data as a node whose values are all at `where`. Raises ScenarioError for other data."""
    if isinstance(value, Mapping):
        return Node({str(key): node(inside, where) for key, inside in value.items()}, where)
    if isinstance(value, list | tuple):
        return Node([node(item, where) for item in value], where)
    if value is None or isinstance(value, str | bool | int | float):
        return Node(value, where)
    raise ScenarioError(
        f"{where}: found {short_repr(value)}; allowed: the values of a YAML file, which are texts, "
        "numbers, lists and mappings"
    )


def with_overrides(tree: Node, overrides: Sequence[str]) -> Document:
    """`tree` with 'a.b=value' overrides. Raises ScenarioError."""
    for text in overrides:
        tree = override(tree, text)
    return _document(tree)


def _document(tree: Node) -> Document:
    data = _plain(tree)
    assert isinstance(data, dict)
    return Document(data, tree)


def _plain(node: Node) -> Any:
    if isinstance(node.value, dict):
        return {key: _plain(inside) for key, inside in node.value.items()}
    if isinstance(node.value, list):
        return [_plain(item) for item in node.value]
    return node.value


def _set(node: Node, path: Sequence[str], new: Node, above: tuple[str, ...]) -> Node:
    if not path:
        return _without_deleted(new, node)
    head, below = path[0], path[1:]
    place = f"{new.where}: " if new.where else ""
    if isinstance(node.value, list):
        if not re.fullmatch("[0-9]{1,9}", head) or int(head) >= len(node.value):
            items = f"0 to {len(node.value) - 1}" if node.value else "none, the list is empty"
            raise ScenarioError(
                f"{place}{dotted(above)}: found item {quoted(head)}; allowed: {items}",
                "set the whole list to make it longer",
            )
        item = _set(node.value[int(head)], below, new, (*above, head))
        return Node([*node.value[: int(head)], item, *node.value[int(head) + 1 :]], node.where)
    if not isinstance(node.value, dict | None):
        raise ScenarioError(
            f"{place}{dotted(above)}: found {short_repr(node.value)}; allowed: a mapping here, "
            f"to set {quoted(head)} inside it"
        )
    inside = node.value or {}
    if not below and new.value is None and head in inside:
        return Node({key: kept for key, kept in inside.items() if key != head}, node.where)
    if below and head not in inside and above in NAMED:
        raise ScenarioError(
            f"{place}{dotted(above)}: found no {quoted(head)} to set {quoted(below[0])} of"
            f"{suggestion(head, [printable(name) for name in inside])}"
        )
    child = inside.get(head, Node(None, new.where))
    return Node({**inside, head: _set(child, below, new, (*above, head))}, node.where)


def _without_deleted(new: Node, old: Node) -> Node:
    """`new`, which replaces `old`, without each null that deletes a key of `old`, as in a file."""
    if not (isinstance(new.value, dict) and isinstance(old.value, dict)):
        return new
    kept = {
        key: _without_deleted(node, old.value[key]) if key in old.value else node
        for key, node in new.value.items()
        if not (node.value is None and key in old.value)
    }
    return Node(kept, new.where)


def fix_hint(places: Iterable[str]) -> str:
    """Return what to fix: the options of the command line whose values are wrong, or the scenario.

    Places are as in `Document.where`.
    """
    found = {p.split(" ", 1)[0] if p.startswith("--") else "the scenario" for p in places}
    if "the scenario" not in found:
        return f"fix the value of {' and of '.join(sorted(found))}"
    return f"fix {' and '.join(sorted(found))}, then run flasc-emu check"


def override(tree: Node, text: str) -> Node:
    """`tree` with one 'a.b=value' override. Raises ScenarioError."""
    where = f"--set {printable(text)}"
    match = _OVERRIDE.fullmatch(text)
    if not (match and match[1].isprintable()):
        raise ScenarioError(
            f"{where}: found no key.path=value; allowed: like network.clients.up=5 Mbps", QUOTE_KEY
        )
    node = parse_yaml(match[2], where, numbered=False)
    if not node and match[2].strip():
        raise ScenarioError(f"{where}: found only a comment; allowed: a value", "quote it: '#1'")
    return _set(tree, parse_path(match[1]), Node(node.value if node else None, where), ())


def _merge(base: Node, child: Node) -> Node:
    if not (isinstance(base.value, dict) and isinstance(child.value, dict)):
        return child
    merged = dict(base.value)
    for key, node in child.value.items():
        if key in merged and node.value is None:
            del merged[key]
        else:
            merged[key] = _merge(merged[key], node) if key in merged else node
    return Node(merged, child.where)


def _read_extended(path: Path, source: str, chain: tuple[Path, ...], opened: list[Path]) -> Node:
    """The file at `path` merged with its bases.

    `source` is the prefix of messages: the line with the `extends`, or ''. `chain` holds the files
    from the first one to this one, `opened` all files so far.
    """
    name = printable(str(path))
    text = _read(path, source)
    real = path.resolve()
    if real in chain:
        raise ScenarioError(
            f"{source}{name}: extends itself, by way of {len(chain)} file(s)",
            "remove the extends that closes the circle",
        )
    opened.append(real)
    if len(chain) > MAX_CHAIN or len(opened) > MAX_FILES:
        allowed = f"{MAX_CHAIN} steps and {MAX_FILES} files"
        raise ScenarioError(f"{source}{name}: extends too far; allowed: {allowed}")
    tree = parse(text, name)
    assert isinstance(tree.value, dict), "parse returns mappings only"
    own = Node({k: v for k, v in tree.value.items() if k != "extends"}, tree.where)
    bases = Node({}, tree.where)
    for base in _bases(tree.value.get("extends")):
        name, line = str(base.value), f"{base.where}: extends: "
        file = shipped.located(path.parent / name, shipped.scenarios(), name)
        bases = _merge(bases, _read_extended(file, line, (*chain, real), opened))
    return _merge(bases, _with_paths(own, path))


def _with_paths(node: Node, path: Path, above: str = "") -> Node:
    """`node` with paths from the current folder, which were relative to the scenario at `path`.

    `above` is the key of `node`. Paths are the values of `file`, and of a task's `model` and `data`
    if they are local folders. Raises ScenarioError.
    """
    if isinstance(node.value, list):
        return Node([_with_paths(item, path, above) for item in node.value], node.where)
    if not isinstance(node.value, dict):
        return node
    found = {}
    for key, inside in node.value.items():
        *owners, last = (above, *key.split("."))  # under `vary` a key may be like task.model
        if isinstance(inside.value, str) and names_file(owners[-1], last):
            found[key] = Node(str(path.parent / inside.value), inside.where)
        elif isinstance(inside.value, str) and (owners[-1], last) in FOLDERS:
            text = local_path(inside.value, path, f"{inside.where}: {owners[-1]}.{last}")
            found[key] = Node(text, inside.where)
        else:
            found[key] = _with_paths(inside, path, key.rpartition(".")[2])
    return Node(found, node.where)


def _bases(extends: Node | None) -> list[Node]:
    if extends is None:
        return []
    bases = extends.value if isinstance(extends.value, list) else [extends]
    for base in bases:
        if not (isinstance(base.value, str) and base.value):
            found = short_repr(_plain(base))
            raise ScenarioError(
                f"{base.where}: extends: found {found}; allowed: a file or a list of files",
                "name it relative to this file, like extends: base.yaml",
            )
    return bases


def _near(path: Path) -> Path | None:
    """The .yaml file in the same folder with the most similar stem, if one is similar."""
    try:
        stems = {file.stem: file for file in sorted(path.parent.glob("*.yaml"))}
    except (OSError, ValueError):
        return None
    near = nearest(path.stem, stems, least=0.75)
    return stems[near] if near else None


def _read(path: Path, source: str) -> str:
    name = source + printable(str(path))
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        near = _near(path) or shipped.similar(path)
        spelling = "check the path and its spelling; flasc-emu list shows the names that are known"
        hint = f"did you mean {printable(str(near))}?" if near else spelling
        raise ScenarioError(f"{name}: no such file", hint) from None
    except IsADirectoryError:
        raise ScenarioError(f"{name}: is a directory", "name a .yaml file inside it") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ScenarioError(f"{name}: cannot be read: {reason}") from None
    if len(raw) > MAX_BYTES:
        raise ScenarioError(f"{name}: found more than 1 MiB; allowed: at most 1 MiB")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ScenarioError(
            f"{name}:{line}: found byte 0x{raw[error.start]:02x}; allowed: UTF-8 text",
            "save the file as UTF-8",
        ) from None
