"""docs/reference/scenario_keys.md, from the settings classes: python docs/scenario_keys.py >
docs/reference/scenario_keys.md."""

import itertools
import json
import re
from collections.abc import Iterator, Sequence
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

import click
from pydantic import BaseModel

from emulator.common.distributions import Choice, Empirical, LogNormal, Normal, Uniform
from emulator.network.capacity.base import CapacityModel
from emulator.scenario.scenario import Scenario
from flasc.common.field_texts import field_texts

DISTRIBUTIONS = (Uniform, Normal, LogNormal, Choice, Empirical)
QUANTITIES = ("low", "high", "mean", "sd", "median", "values")  # keys of these, in the key's unit
LAW = re.compile(r"\b(?:\w*__)?(?:Uniform|Normal|LogNormal|Choice|Empirical)_Annotated")
OTHERS = {"Ratio": "a ratio", "DeviceTable": "a table"}  # sections beside a distribution
LARGE = 2**31 - 1  # bounds from here on are those of the machine, not of the key

HEAD = """\
# Scenario keys

This page lists every key of a [scenario](../howto/write_a_scenario.md). "As below" means that the
section may be left out and that its keys have the defaults listed. A *rate*, a *duration* and a
*fraction* are written [with their unit](../howto/write_a_scenario.md#units). A *distribution* of
one of these is a constant or a [distribution](#distributions). Whole numbers and numbers are not
written as text: `"5"` is an error. `flasc-emu list` shows the kinds that
[plug-ins](../howto/write_a_plugin.md) add, and `flasc-emu schema` shows their keys. Editors show
the texts of this page beside each key. This page is made by `python docs/scenario_keys.py`.
"""
# Title, the first parts of its keys, and what is said before the table.
SECTIONS = (
    ("Task", ("name", "note", "task"), ""),
    ("Training", ("training", "network_seeds"), ""),
    (
        "Methods",
        ("methods",),
        """\
`NAME` is a text of 1 to 200 characters that you choose. [Methods](../background/methods.md)
explains each kind.
""",
    ),
    (
        "Network",
        ("network", "compute"),
        """\
Rates are given from the view of each party: a client downloads with its `down` and the server's
`up`. [Describe a network](../howto/describe_a_network.md) has examples, and the [network
model](../background/network_model.md) explains what is simulated and what is not.
""",
    ),
    (
        "Policy and selection",
        ("policy", "selection"),
        """\
A policy decides how many clients are asked, when a round ends, and which updates are late. A
selection decides which clients are asked.
[Policies](../howto/deadlines_churn_asynchrony.md#policies) has the definitions.
""",
    ),
    (
        "Simulation",
        ("simulation",),
        """\
Two engines simulate the network, and their times agree within 1e-9. The compiled one needs less
than 2 µs per message, after it was compiled once per installation; see [Compiled
network](../background/performance.md#compiled-network). Policies from plug-ins are left to the
reference engine. The provenance of a run has `network: compiled` if the compiled engine was used.
""",
    ),
    (
        "Distributions",
        ("DISTRIBUTION",),
        """\
`DISTRIBUTION` stands for any key above whose type is a distribution. Values are in the unit of that
key.
""",
    ),
    (
        "Rates over time",
        ("RATE",),
        "`RATE` stands for any key above whose type is a rate over time.\n",
    ),
    (
        "Variants and inheritance",
        ("vary",),
        """\
An axis that is named by the path of a setting may be a
[sweep](../howto/write_a_scenario.md#sweep-a-number) of numbers with their units: a list,
`network.clients.up: [20 Mbps, 5 Mbps]`, or a range, `{from: 20 Mbps, to: 0.5 Mbps, points: 7,
scale: log}`. `points` is a whole number from 2 to 1,000 and counts both ends. `scale` is `linear`
(equal distances, the default) or `log` (equal ratios).
""",
    ),
)
TAIL = """
The key `extends` names a file, or a list of files, to
[extend](../howto/write_a_scenario.md#extend-another-scenario), or a name from
`flasc-emu list scenarios`. It is not part of the study itself.
"""


class Key(NamedTuple):
    """A row of the page; `names` are the values that are words."""

    form: str
    default: str
    meaning: str
    names: frozenset[str]


def page() -> str:
    """The whole page, Markdown."""
    return "\n".join([HEAD, *(section(*each) for each in SECTIONS)]) + TAIL


def section(title: str, firsts: Sequence[str], intro: str) -> str:
    """A heading, an introduction and a table."""
    head = "| key | type and unit | default | meaning |\n|---|---|---|---|\n"
    rows = "".join(f"| {' | '.join(row)} |\n" for row in _rows(firsts))
    return "\n".join(filter(None, [f"## {title}\n", intro, head + rows]))


def _rows(firsts: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The cells of each row; keys of several kinds that are alike share one."""
    shared: dict[tuple[str, Key], list[str]] = {}
    for name, key in keys().items():
        path, _, kind = name.partition(" of ")
        if path.partition(".")[0] in firsts:
            shared.setdefault((path, key), []).append(kind)
    for (path, key), kinds in shared.items():
        of = ", ".join("`{}`".format(kind.replace(" of ", "` of `")) for kind in kinds if kind)
        yield f"`{path}`" + (f" of {of}" if of else ""), key.form, key.default, key.meaning


@cache
def keys() -> dict[str, Key]:
    """{key: row}; a key that kinds do not have alike is 'key of kind'."""
    return dict(keys_of(Scenario))


def keys_of(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, Key]]:
    """The keys of a section and of those inside it."""
    schema = model.model_json_schema()
    texts = field_texts(model)
    properties = {**schema, **schema.get("$defs", {}).get(model.__name__, {})}["properties"]
    for name, field in model.model_fields.items():
        here = f"{path}.{name}".removeprefix(".")
        form = words({key: value for key, value in properties[name].items() if key != "description"}
                     | _form(properties[name]))  # fmt: skip
        if path == "DISTRIBUTION" and name in QUANTITIES:
            form = "list, each as the key" if form.startswith("list") else "as the key"
        yield (
            here,
            Key(form, _default(field, form), texts.get(name, ""), names_in(field.annotation)),
        )
        yield from _inside(field.annotation, here)


def _form(schema: dict[str, Any]) -> dict[str, str]:
    """The description of a type, which the description of a key has in parentheses at its end."""
    _, _, form = schema.get("description", "").removesuffix(")").rpartition(" (")
    return {"description": form} if form.startswith("a ") and ", like" in form else {}


def _inside(annotation: Any, here: str) -> Iterator[tuple[str, Key]]:
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _inside(get_args(annotation)[0], here)
    elif origin is dict:
        yield from _inside(get_args(annotation)[1], f"{here}.NAME")
    elif origin is list:
        yield from _inside(get_args(annotation)[0], f"{here}[]")
    elif origin in (Union, UnionType):
        yield from _keys_of_union(get_args(annotation), here)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from keys_of(annotation, here)


def _keys_of_union(members: tuple[Any, ...], here: str) -> Iterator[tuple[str, Key]]:
    """A key that all kinds have alike is listed once; others as `key of kind`."""
    plain = [get_args(m)[0] if get_origin(m) is Annotated else m for m in members]
    models = [m for m in plain if isinstance(m, type) and issubclass(m, BaseModel)]
    if len(models) <= 1:
        for member in plain:
            yield from _inside(member, here) if member is not NoneType else ()
        return
    if issubclass(models[0], DISTRIBUTIONS) and issubclass(models[-1], CapacityModel):
        yield from _keys_of_union(tuple(m for m in models if issubclass(m, DISTRIBUTIONS)), here)
        yield from _keys_of_union(tuple(m for m in models if issubclass(m, CapacityModel)), here)
        return
    place = "DISTRIBUTION" if issubclass(models[0], DISTRIBUTIONS) else here
    place = "RATE" if issubclass(models[0], CapacityModel) else place
    tag = "kind" if "kind" in models[0].model_fields else "name"
    by_kind = {next(iter(names_in(m.model_fields[tag].annotation))): m for m in models}
    found = {kind: dict(keys_of(model, place)) for kind, model in by_kind.items()}
    yield f"{place}.{tag}", _tag([keys.pop(f"{place}.{tag}") for keys in found.values()])
    for kind, keys in found.items():
        for name, key in keys.items():
            alike = all(other.get(name) == key for other in found.values())
            elsewhere = place == here and name.startswith("DISTRIBUTION.")
            yield name if alike or elsewhere else f"{name} of {kind}", key


def _tag(kinds: Sequence[Key]) -> Key:
    """The row of the key that tells kinds apart: the names, and what each means."""
    names = list(dict.fromkeys(itertools.chain.from_iterable(key.names for key in kinds)))
    default = next((key.default for key in kinds if key.default != "required"), "required")
    meanings = [f"`{min(key.names)}`: {key.meaning.rstrip('.')}" for key in kinds]
    one = list(dict.fromkeys(key.meaning.rstrip(".") for key in kinds))
    meaning = one[0] if len(one) == 1 else "; ".join(meanings)
    return Key(_listed([f"`{name}`" for name in names]), default, meaning, frozenset(names))


def names_in(annotation: Any) -> frozenset[str]:
    """The values of a field that are words."""
    origin: Any = get_origin(annotation)
    if origin is Literal:
        return frozenset(map(str, get_args(annotation)))
    if origin in (Annotated, Union, UnionType):
        inside = get_args(annotation)[: 1 if origin is Annotated else None]
        return frozenset().union(*map(names_in, inside))
    return frozenset()


def _default(field: Any, form: str) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return "as below"
    if value in (None, {}):
        return "none"
    if isinstance(value, str):
        return f"`{value}`"
    if isinstance(value, int | float) and not isinstance(value, bool):
        unit = " s" if "duration" in form and value else ""
        return f"`{value:g}{unit}`"
    return f"`{json.dumps(value)}`"


def words(schema: dict[str, Any]) -> str:
    """The type and the limits of a value, from its JSON Schema."""
    match schema:
        case {"description": form}:
            said = _without_article(form)
        case {"$ref": _} | {"properties": _}:
            said = "section"
        case {"enum": values}:
            said = _listed([f"`{value}`" for value in values])
        case {"const": value}:
            said = f"`{value}`"
        case {"anyOf": options} | {"oneOf": options}:
            said = _of_options(_flat(options))
        case _:
            said = _plain_words(schema)
    return said


def _plain_words(schema: dict[str, Any]) -> str:
    match schema.get("type"):
        case "array":
            return f"list of {_plural(words(schema['items']))}{_count(schema)}"
        case "object":
            return "section: one entry per name" + (
                ", at least one" * schema.get("minProperties", 0)
            )
        case "boolean":
            return "true or false"
        case "integer":
            above = schema.get("exclusiveMinimum")
            whole = {} if above is None else {"exclusiveMinimum": None, "minimum": above + 1}
            return f"whole number{_limits(schema | whole)}"
        case "number":
            return f"number{_limits(schema)}"
    return "text"


def _flat(options: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for option in options:
        inner = option.get("anyOf") or option.get("oneOf")
        if inner and "description" not in option:
            yield from _flat(inner)
        elif option.get("type") != "null" and option.get("const") != 0:
            yield option


def _of_options(options: Iterator[dict[str, Any]]) -> str:
    """The alternatives of a value; those of a distribution and of a rate over time are one each."""
    listed = list(options)
    drawn = any(LAW.search(option.get("$ref", "")) for option in listed)
    said: list[str] = []
    for option in listed:
        ref = option.get("$ref", "")
        text = words(option)
        if LAW.search(ref):
            continue
        if drawn and ref:
            text = OTHERS.get(ref.rpartition("/")[2], "a rate over time")
        elif drawn and not said:
            text = f"distribution of a {text}"
        said.append(text)
    return _listed(list(dict.fromkeys(sorted(said, key=_is_short))))


def _is_short(text: str) -> bool:
    """Whether a type is a short form, which is named last."""
    return not text.startswith(("section", "list", "distribution", "`"))


def _listed(texts: Sequence[str]) -> str:
    if all(text.startswith("`") for text in texts):
        *first, last = texts
        return f"{', '.join(first)} or {last}" if first else last
    return ", or ".join(texts)


def _without_article(form: str) -> str:
    """'rate' of 'a rate, like 20 Mbps'."""
    text, like, _ = form.partition(", like")
    return text.removeprefix("a ") if like else form


def _plural(text: str) -> str:
    """The type of several values: 'whole numbers, 0 or more'."""
    noun, comma, rest = text.partition(", ")
    return f"{noun}s{comma}{rest}"


def _count(schema: dict[str, Any]) -> str:
    least, most = schema.get("minItems"), schema.get("maxItems")
    if least and most:
        return f", {least} to {most:,} of them"
    return f", at least {'one' if least == 1 else least}" if least else ""


def _limits(schema: dict[str, Any]) -> str:
    """', 0 to below 1' and the like."""
    low, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    most, below = schema.get("maximum"), schema.get("exclusiveMaximum")
    most = None if most is not None and most >= LARGE else most
    start = f"{low:g}" if low is not None else f"above {above:g}" if above is not None else ""
    end = f"{most:,g}" if most is not None else f"below {below:g}" if below is not None else ""
    if start and end:
        return f", {start} to {end}"
    if low is not None:
        return f", {start} or more"
    return f", {start}" if start else f", at most {end}" if end else ""


if __name__ == "__main__":
    click.echo(page(), nl=False)
