"""Messages of validation errors: file, line, key, what was found, what is allowed."""

import re
from collections.abc import Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, Tag, ValidationError
from pydantic_core import ErrorDetails

from emulator.common.errors import FieldError, KeyPath, ScenarioError
from emulator.common.text import closest, short_repr, suggestion
from emulator.common.validation_text import value_text
from emulator.scenario.document import Document, fix_hint
from emulator.scenario.key_path import Step, dotted

MAX_PROBLEMS = 10
MAX_PLACES = 3  # that a message names for a key of other sections
MAX_DEPTH = 4  # of these sections

_MISSING = "missing key"
_MISSPELT = re.compile(r"unknown key; did you mean ('.*?')\?")

# An annotation with Annotated, Optional and aliases taken off; a union is {tag or name: member}.
Kind = Any


def to_scenario_error(
    error: ValidationError, document: Document, model: type[BaseModel]
) -> ScenarioError:
    """One error for all problems of `document`: one line per key, sorted by file and line."""
    texts: dict[KeyPath, list[str]] = {}
    problems = [_problem(each, document.data, model) for each in error.errors(include_url=False)]
    misspelt = {(*path[:-1], name) for path, text in problems
                if (match := _MISSPELT.match(text))
                for name in match[1].strip("'").split("' and '")}  # fmt: skip
    for path, text in problems:
        if not (path in misspelt and text.startswith(_MISSING)):
            texts.setdefault(path, []).append(text)
    places = {path: document.where(path) for path in texts}
    lines = [
        f"{places[path]}: {f'{dotted(path)}: ' if path else ''}{_joined(texts[path])}"
        for path in sorted(texts, key=lambda path: _order(places[path]))
    ]
    more = len(lines) - MAX_PROBLEMS
    rest = [f"… and {more} more problem{'s' * (more > 1)}"] if more > 0 else []
    return ScenarioError("\n".join(lines[:MAX_PROBLEMS] + rest), fix_hint(places.values()))


def _order(where: str) -> tuple[str, int]:
    file, _, line = where.rpartition(":")
    return (file, int(line)) if line.isdecimal() else (where, 0)


def _problem(details: ErrorDetails, data: Any, model: type[BaseModel]) -> tuple[KeyPath, str]:
    """The path of a problem and its message."""
    loc, found = details["loc"], details["input"]
    absent = details["type"] in ("missing", "extra_forbidden")
    path, kind = _resolve(loc[:-1] if absent else loc, data, model)
    match details["type"]:
        case "missing":
            return (*path, loc[-1]), _MISSING
        case "extra_forbidden":
            return (*path, loc[-1]), f"unknown key{_elsewhere_or_near(str(loc[-1]), kind, model)}"
        case "union_tag_invalid" | "union_tag_not_found":
            return _tag_problem(path, kind, found)
        case "model_type" | "model_attributes_type" | "dict_type" if wanted := _mapping(path, kind):
            note = _null_note(path, data) if path and found is None else ""
            return path, f"found {short_repr(found)}{note}; allowed: {wanted}"
        case "literal_error" if names := _literals(kind):
            return path, f"found {short_repr(found)}{suggestion(found, names)}"
    error = details.get("ctx", {}).get("error")
    if isinstance(error, FieldError):
        path = (*path, *error.path)
    return path, value_text(details)


def _elsewhere_or_near(key: str, kind: Kind, model: type[BaseModel]) -> str:
    """The end of a message about an unknown key: the keys of `kind`, and where `key` belongs."""
    names = _names(kind)
    places = [] if closest(key, names) else places_of(key, model)
    here = f"; {key!r} is a key of {' and '.join(places)}" if places else ""
    return f"{here}{suggestion(key, names)}"


def places_of(key: str, model: type[BaseModel]) -> list[str]:
    """The least deep sections of `model` that have a key named `key`; none if there are many."""
    level: list[tuple[KeyPath, Kind]] = [((), model)]
    for _ in range(MAX_DEPTH):
        found = {dotted(path): _kinds_with(key, kind) for path, kind in level if path}
        places = [path + kinds for path, kinds in found.items() if kinds is not None]
        if places:
            return places if len(places) <= MAX_PLACES else []
        level = [
            ((*path, name), _inside(kind, name))
            for path, kind in level
            for name in _all_names(kind)
        ]
    return []


def _kinds_with(key: str, kind: Kind) -> str | None:
    """' (kind a, b)' if only these kinds of a union have `key`, '' if all have it, or None."""
    if not isinstance(kind, dict):
        return "" if key in _names(kind) else None
    having = [tag for tag, member in kind.items() if key in _names(_open(member))]
    tag_key, tags = _tags(kind)
    if not having:
        return None
    return f" ({tag_key} {', '.join(having)})" if tag_key and len(having) < len(tags) else ""


def _all_names(kind: Kind) -> list[str]:
    """The keys of a model, or of all models of a union."""
    members = [_open(member) for member in kind.values()] if isinstance(kind, dict) else [kind]
    return list(dict.fromkeys(name for member in members for name in _names(member)))


def _null_note(path: KeyPath, data: Any) -> str:
    """The part of a message for a null that deletes nothing, with a similar key if there is one."""
    for step in path[:-1]:
        data = data[step]
    inside = data.items() if isinstance(data, dict) else ()
    near = closest(str(path[-1]), [name for name, value in inside if value is not None])
    what = f"; did you mean {near}?" if near else ""
    return f" (null deletes inherited keys, and this key is not inherited{what})"


def _mapping(path: KeyPath, kind: Kind) -> str:
    """The keys that a missing mapping can have; '' if the model does not say."""
    if path[:1] == ("vary",):
        return "axis: label: key: value, like upload: {slow: {network.clients.up: 1 Mbps}}"
    key, tags = _tags(kind)
    if key:
        return f"a mapping with {key}: {', '.join(tags)}"
    names = _names(kind)
    return f"a mapping with {', '.join(names)}" if names else ""


def _tag_problem(path: KeyPath, kind: Kind, found: object) -> tuple[KeyPath, str]:
    key, tags = _tags(kind)
    if not (key and isinstance(found, dict)):
        return path, f"found {short_repr(found)}{suggestion(found, tags)}"
    if key not in found:
        return (*path, key), f"{_MISSING}{suggestion(None, tags)}"
    return (*path, key), f"found {short_repr(found[key])}{suggestion(found[key], tags)}"


def _joined(texts: Sequence[str]) -> str:
    """The messages of one key as one: each member of a union may have its own."""
    allowed: dict[str, dict[str, None]] = {}
    for text in texts:
        found, _, one = text.partition("; allowed: ")
        allowed.setdefault(found, {}).update({one: None} if one else {})
    return "; ".join(
        f"{found}; allowed: {' or '.join(ones)}" if ones else found
        for found, ones in allowed.items()
    )


def _resolve(loc: Sequence[Step], data: Any, model: type[BaseModel]) -> tuple[KeyPath, Kind]:
    """`loc` without the union tags of pydantic, and the annotation of the model there."""
    path: list[Step] = []
    kind: Kind = model
    for step in loc:
        if isinstance(kind, dict) and step in kind:
            kind = _open(kind[str(step)])
        elif step in (data if isinstance(data, dict) else _indices(data)):
            path.append(step)
            kind, data = _inside(kind, step), data[step]
    return tuple(path), kind


def _indices(data: Any) -> range:
    return range(len(data)) if isinstance(data, list) else range(0)


def _open(annotation: Any, discriminator: Any = None) -> Kind:
    if hasattr(annotation, "__value__"):  # `type X = ...`
        return _open(annotation.__value__, discriminator)
    if get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        named = [m.discriminator for m in metadata if getattr(m, "discriminator", None)]
        return _open(inner, named[0] if named else discriminator)
    if get_origin(annotation) not in (Union, UnionType):
        return annotation
    members = [member for member in get_args(annotation) if member is not NoneType]
    if len(members) == 1:
        return _open(members[0], discriminator)
    return {name: member for member in members for name in _members(member, discriminator)}


def _members(member: Any, discriminator: Any) -> list[str]:
    """The names of a union member in `loc`: its tags or, without tags, its class name."""
    tags = [meta.tag for meta in getattr(member, "__metadata__", ()) if isinstance(meta, Tag)]
    kind = _open(member)
    fields = getattr(kind, "model_fields", {})
    if not tags and isinstance(discriminator, str) and discriminator in fields:
        tags = _literals(_open(fields[discriminator].annotation))
    return tags or [getattr(kind, "__name__", str(kind))]


def _inside(kind: Kind, step: Step) -> Kind:
    """The annotation of key or item `step` of `kind`; None if the model does not say."""
    if isinstance(kind, dict):
        insides = (_inside(_open(member), step) for member in kind.values())
        return next((inside for inside in insides if inside is not None), None)
    for name, field in getattr(kind, "model_fields", {}).items():
        if step in (field.alias, name):
            return _open(field.annotation, field.discriminator)
    items = [item for item in get_args(kind) if item is not ...]
    if _literals(kind) or not items:
        return None
    origin: Any = get_origin(kind)
    return _open(items[min(int(step), len(items) - 1)] if origin is tuple else items[-1])


def _literals(kind: Kind) -> list[str]:
    origin: Any = get_origin(kind)
    return [str(value) for value in get_args(kind)] if origin is Literal else []


def _names(kind: Kind) -> list[str]:
    """The keys of a model in a scenario file."""
    return [field.alias or name for name, field in getattr(kind, "model_fields", {}).items()]


def _tags(kind: Kind) -> tuple[str, list[str]]:
    """The key that discriminates the members of a union and its values; or ('', tags)."""
    if not isinstance(kind, dict):
        return "", []
    told: dict[str, list[str]] = {}
    for tag, member in kind.items():
        for name, field in getattr(_open(member), "model_fields", {}).items():
            if tag in _literals(_open(field.annotation)):
                told.setdefault(field.alias or name, []).append(tag)
    return max(told.items(), key=lambda item: len(item[1]), default=("", list(kind)))
