"""The reference pages are compared with the code: keys, defaults, choices, methods, commands."""

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

import pytest
from pydantic import BaseModel

from emulator.common.distributions import Choice, Empirical, LogNormal, Normal, Uniform
from emulator.common.units import parse_duration
from emulator.network.capacity.base import CapacityModel
from emulator.scenario.scenario import Scenario

from .markdown import PAGES, ROOT, prose

KEYS = ROOT / "docs/reference/scenario_keys.md"
DISTRIBUTIONS = (Uniform, Normal, LogNormal, Choice, Empirical)


class Key(NamedTuple):
    default: Any
    names: frozenset[str]  # what a Literal allows


def names_in(annotation: Any) -> frozenset[str]:
    origin: Any = get_origin(annotation)
    if origin is Literal:
        return frozenset(map(str, get_args(annotation)))
    if origin in (Annotated, Union, UnionType):
        return frozenset().union(*map(names_in, get_args(annotation)[: 1 if origin is Annotated
                                                                     else None]))  # fmt: skip
    return frozenset()


def default_of(field: Any) -> Any:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return "as below"
    return "none" if value in (None, {}) else value


def keys_of(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, Key]]:
    for name, field in model.model_fields.items():
        here = f"{path}.{name}".removeprefix(".")
        yield here, Key(default_of(field), names_in(field.annotation))
        yield from keys_inside(field.annotation, here)


def keys_inside(annotation: Any, here: str) -> Iterator[tuple[str, Key]]:
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from keys_inside(get_args(annotation)[0], here)
    elif origin is dict:
        yield from keys_inside(get_args(annotation)[1], f"{here}.NAME")
    elif origin is list:
        yield from keys_inside(get_args(annotation)[0], f"{here}[]")
    elif origin in (Union, UnionType):
        yield from keys_of_union(get_args(annotation), here)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from keys_of(annotation, here)


def keys_of_union(members: tuple[Any, ...], here: str) -> Iterator[tuple[str, Key]]:
    """A key that all kinds have alike is listed once; others as `key of kind`."""
    plain = [get_args(m)[0] if get_origin(m) is Annotated else m for m in members]
    models = [m for m in plain if isinstance(m, type) and issubclass(m, BaseModel)]
    if len(models) <= 1:
        for member in plain:
            yield from keys_inside(member, here) if member is not NoneType else ()
        return
    if issubclass(models[0], DISTRIBUTIONS) and issubclass(models[-1], CapacityModel):
        yield from keys_of_union(tuple(m for m in models if issubclass(m, DISTRIBUTIONS)), here)
        yield from keys_of_union(tuple(m for m in models if issubclass(m, CapacityModel)), here)
        return
    place = "DISTRIBUTION" if issubclass(models[0], DISTRIBUTIONS) else here
    place = "RATE" if issubclass(models[0], CapacityModel) else place
    tag = "kind" if "kind" in models[0].model_fields else "name"
    by_kind = {next(iter(names_in(m.model_fields[tag].annotation))): m for m in models}
    found = {kind: dict(keys_of(model, place)) for kind, model in by_kind.items()}
    kinds = [keys.pop(f"{place}.{tag}") for keys in found.values()]
    default = next((k.default for k in kinds if k.default != "required"), "required")
    yield f"{place}.{tag}", Key(default, frozenset(by_kind))
    for kind, keys in found.items():
        for name, key in keys.items():
            alike = all(other.get(name) == key for other in found.values())
            yield (
                name
                if alike or (place == here and name.startswith("DISTRIBUTION."))
                else f"{name} of {kind}",
                key,
            )


@cache
def schema() -> dict[str, Key]:
    return dict(keys_of(Scenario))


def reference() -> dict[str, tuple[str, str, str]]:
    """{key: (type, default, meaning)} as the page of scenario keys has them."""
    rows: dict[str, tuple[str, str, str]] = {}
    for line in KEYS.read_text("utf-8").splitlines():
        if line.startswith("| `"):
            first, kind, default, meaning = (
                cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))
            )
            key, _, of = first.partition(" of ")
            for one in of.split(", "):
                name = " of ".join(filter(None, (key, one))).replace("`", "")
                assert name not in rows, f"{name} is listed twice"
                rows[name] = kind, default, meaning
    return rows


def test_the_reference_names_every_key_and_no_other():
    assert sorted(reference()) == sorted(schema())


def value_of(said: str) -> Any:
    with contextlib.suppress(ValueError):
        return json.loads(said)
    return parse_duration(said)


@pytest.mark.parametrize("name", schema())
def test_the_reference_gives_the_codes_defaults_and_choices(name):
    kind, default, meaning = reference()[name]
    key = schema()[name]
    assert kind
    assert meaning
    said = default.strip("`")
    assert said == key.default or value_of(said) == key.default
    assert set(re.findall("`([^`]+)`", kind)) == key.names


def test_keys_that_pages_mention_exist():
    known = {re.sub(" of .*", "", name) for name in schema()}
    for page in PAGES:
        for named in re.findall(
            r"`((?:task|training|network|compute|policy|methods)\.[\w.]+)`", prose(page)
        ):
            key = re.sub(r"^(methods|network\.groups)\.\w+", r"\1.NAME", named)
            assert key in known, f"{page.name}: {named}"


def test_every_method_is_explained():
    text = (ROOT / "docs/background/methods.md").read_text("utf-8")
    for kind in schema()["methods.NAME.kind"].names:
        assert f"`{kind}`" in text


@pytest.mark.skipif(
    tuple(map(int, version("click").split(".")[:2])) < (8, 5),
    reason="click 8.5 words its help anew",
)
def test_the_commands_page_is_what_the_commands_say():
    made = subprocess.run(
        [sys.executable, ROOT / "docs/commands.py"], cwd=ROOT, capture_output=True, check=True
    )
    page = (ROOT / "docs/reference/commands.md").read_text("utf-8")
    assert made.stdout.decode() == page, "python docs/commands.py > docs/reference/commands.md"
