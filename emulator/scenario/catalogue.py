"""The names that a scenario can use, from the settings classes."""

import inspect
from collections.abc import Iterator
from typing import Any, get_args, get_origin

from emulator.common.distributions import RateDistribution
from emulator.network.capacity.base import CapacityModel
from emulator.scenario import shipped
from emulator.simulation.clients import applications
from emulator.simulation.clients.links import Available, DownLink
from emulator.simulation.clients.presets import PRESETS
from emulator.simulation.simulate import Policy, Selection
from flasc.common.plugins import Pluggable, origin
from flasc.common.settings import FORMATS, VALUE_TYPES, Settings
from flasc.models import inventory
from flasc.tasks.settings import SPLITS
from flasc.training import settings


def catalogue() -> dict[str, list[tuple[str, str]]]:
    """{family: [(name, description in one line)]}."""
    return {
        "methods": _members(settings.Method),
        "tasks": _members(settings.Task, "name"),
        "models": [
            (s.name, f"{s.source}; {s.licence}") for s in inventory.status() if s.kind == "model"
        ],
        "splits": list(SPLITS.items()),
        "servers": _members(settings.Server),
        "wires": list(FORMATS.items()),
        "values": list(VALUE_TYPES.items()),
        "policies": _members(Policy),
        "selections": _members(Selection),
        "availabilities": _members(Available),
        "laws": _members(RateDistribution),
        "capacities": [
            _about(m, "kind") for m in _models(DownLink) if issubclass(m, CapacityModel)
        ],
        "scenarios": [(name, shipped.about(file)) for name, file in shipped.scenarios().items()],
        "networks": [(name, shipped.about(file)) for name, file in shipped.networks().items()],
        "presets": [(name, preset.about) for name, preset in PRESETS.items()],
        "applications": [
            (name, f"{preset.about} ({preset.version}; {preset.source})")
            for name, preset in applications.PRESETS.items()
        ],
    }


def _members(union: Any, tag: str = "kind") -> list[tuple[str, str]]:
    return [_about(model, tag) for model in _models(union)]


def _models(union: Any) -> Iterator[type[Settings]]:
    """The settings classes of a discriminated union."""
    for member in get_args(get_args(union)[0]):
        model = get_args(member)[0] if get_origin(member) is not None else member
        if hasattr(model, "model_fields"):
            yield model


def _about(model: type[Settings], tag: str) -> tuple[str, str]:
    """Its name; the first line of its docstring, and its package if it is a plug-in."""
    text = inspect.getdoc(model) or ""  # a distribution of a quantity inherits its text
    package = origin(model) if issubclass(model, Pluggable) else None
    source = f" [{' '.join(package)}]" if package else ""
    name = get_args(model.model_fields[tag].annotation)[0]
    return name, text.split("\n")[0] + source
