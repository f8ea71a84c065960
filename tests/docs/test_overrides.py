"""Each form that a scenario file accepts is accepted by --set as well, with the same meaning."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from emulator.scenario import document
from emulator.scenario.document import NAMED
from emulator.scenario.key_path import dotted

from .markdown import PAGES, ROOT, blocks, file_name
from .test_examples import lay_out

SCENARIOS = sorted((ROOT / "scenarios").rglob("*.yaml"))
EXAMPLES = [
    *(Path(file_name(block)) for page in PAGES for block in blocks(page) if block.kind == "yaml"),
    *(path.relative_to(ROOT) for path in SCENARIOS if "networks" not in path.parts),
]
GONE = object()
Leaf = tuple[tuple[str, ...], Any]


def written(value: Any) -> str:
    """`value` as YAML in one line, with plain scalars where a person would write them."""
    text = yaml.dump(
        value, Dumper=document._PLAIN, default_flow_style=True, width=10**6, allow_unicode=True
    )
    return text.removesuffix("...\n").strip()


def at(data: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        if not isinstance(data, dict) or key not in data:
            return GONE
        data = data[key]
    return data


def leaves(
    own: dict[str, Any], base: dict[str, Any], above: tuple[str, ...] = ()
) -> Iterator[Leaf]:
    """The values that a file sets by path; what replaces a single value is set as a whole.

    So is a named entry that the base lacks.
    """
    for key, value in own.items():
        path = (*above, key)
        old = at(base, path)
        if (
            isinstance(value, dict)
            and value
            and (isinstance(old, dict) or (old is GONE and above not in NAMED))
        ):
            yield from leaves(value, base, path)
        else:
            yield path, value


def with_nulls(whole: Any, own: Any) -> Any:
    """`whole` with the nulls of `own`, which delete what is inherited."""
    if not (isinstance(whole, dict) and isinstance(own, dict)):
        return whole
    deleted = {key: None for key, value in own.items() if value is None and key not in whole}
    return {key: with_nulls(value, own.get(key)) for key, value in whole.items()} | deleted


def the_file(path: Path) -> tuple[dict[str, Any], document.Node, dict[str, Any]]:
    """(keys of the file itself, what it extends, the whole) of the scenario at `path`."""
    own = document.with_overrides(document.parse(path.read_text("utf-8"), "x"), ()).data
    extends = own.pop("extends", [])
    base = path.with_name("base_of_it.yaml")
    base.write_text(written({"extends": extends} if extends else {"name": "x"}), "utf-8")
    return own, document.read(base), document.load(path).data


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples")
    lay_out(folder)
    return folder


@pytest.mark.parametrize("path", EXAMPLES, ids=str)
def test_every_key_and_section_of_every_example_may_be_set(examples, monkeypatch, path):
    monkeypatch.chdir(examples)
    own, tree, whole = the_file(path)
    base = document.with_overrides(tree, ()).data
    by_path = {p: v if v is None else at(whole, p) for p, v in leaves(own, base)}
    by_section = {(key,): with_nulls(whole.get(key), value) for key, value in own.items()}
    for values in (by_path, by_section):
        overrides = [f"{dotted(p)}={written(value)}" for p, value in values.items()]
        assert document.with_overrides(tree, overrides).data == {"name": "x"} | whole
