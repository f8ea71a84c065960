"""What scenarios can name, read off the settings themselves."""

import inspect
from typing import Any, Literal, get_args, get_origin

from emulator.laws import RateLaw
from emulator.presets import PRESETS
from flasc import assets, config


def catalogue() -> dict[str, list[tuple[str, str]]]:
    """{family: [(name, one line about it)]}."""
    return {
        "methods": _members(config.Method),
        "tasks": _members(config.Task, "name"),
        "models": [
            (s.name, f"{s.source}; {s.licence}") for s in assets.status() if s.kind == "model"
        ],
        "splits": [(name, "") for name in _names(config.Split, "kind")],
        "servers": _members(config.Server),
        "wires": [(name, "") for name in _names(config.Wire, "format")],
        "laws": _members(RateLaw),
        "presets": [(name, preset.about) for name, preset in PRESETS.items()],
    }


def _members(union: Any, tag: str = "kind") -> list[tuple[str, str]]:
    """(`tag`, first sentence of the docstring) of each member of a discriminated union."""
    found = []
    for member in get_args(get_args(union)[0]):
        model = get_args(member)[0] if get_origin(member) is not None else member
        kind = getattr(model, "model_fields", {}).get(tag)
        if kind is not None:
            about = inspect.getdoc(model) or ""  # a generic law's own text is its parent's
            found.append((get_args(kind.annotation)[0], about.split("\n")[0]))
    return found


def _names(model: type[config.Settings], field: str) -> tuple[str, ...]:
    annotation = model.model_fields[field].annotation
    assert get_origin(annotation) is Literal
    return get_args(annotation)
