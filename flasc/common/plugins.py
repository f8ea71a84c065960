"""What other packages bring, by entry points: methods, tasks, and more in the emulator. Torch-free.

A package declares NAME = "package.settings:Class" in the group of a base below: a class of settings
whose `kind` (a task's `name`) is NAME. Its `implementation` names what carries it out, which alone
may import torch. Modules with such a base load no plug-in, so that those may import them whatever
is imported first; unions are extended where they are used. (PyPA entry points specification.)
"""

import sys
from importlib.metadata import EntryPoint, entry_points
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin

from pydantic import Tag

from flasc.common.errors import PluginError
from flasc.common.settings import Settings


class Pluggable(Settings):
    """Settings of which packages may bring more, in the entry point group `plugin_group`."""

    plugin_group: ClassVar[str]
    plugin_tag: ClassVar[str] = "kind"  # the field that tells them apart
    implementation: ClassVar[str | None] = ""  # "package.module:name"; None: they do it themselves


def extended(union: Any, base: type[Pluggable]) -> Any:
    """`union`, Annotated and told apart by a tag, with what installed packages add to it.

    Raises PluginError where one of them is not what it should be.
    """
    inner, *metadata = get_args(union)
    kinds = {_kind(member, base) for member in get_args(inner)}
    for point in _points(base):
        settings = _settings(point, base)
        if point.name in kinds:
            raise _wrong(point, "found a kind that there is already; allowed: a name of its own")
        kinds.add(point.name)
        inner = Union[inner, Annotated[settings, Tag(point.name)]]  # noqa: UP007  # at run time
    return Annotated[(inner, *metadata)]


def implementation(settings: Pluggable) -> Any:
    """What the settings of a plug-in name to carry them out. Raises PluginError."""
    kind = type(settings)
    assert kind.implementation, "it was asked for when the plug-in was loaded"
    return _load(EntryPoint(_kind(kind, kind), kind.implementation, kind.plugin_group))


def origin(settings: type[Pluggable]) -> tuple[str, str] | None:
    """(package, version) that brought these settings; None for ours."""
    kind = _kind(settings, settings)
    brought = (p.dist for p in _points(settings) if p.name == kind)
    return next(((dist.name, dist.version) for dist in brought if dist), None)


def _points(base: type[Pluggable]) -> list[EntryPoint]:
    return sorted(entry_points(group=base.plugin_group), key=lambda point: point.name)


def _settings(point: EntryPoint, base: type[Pluggable]) -> type[Pluggable]:
    """The class that an entry point names. Raises PluginError where it is none of `base`."""
    knew_torch = "torch" in sys.modules
    settings = _load(point)
    if not (isinstance(settings, type) and issubclass(settings, base)):
        raise _wrong(point, f"found {settings!r}; allowed: a subclass of {base.__name__}")
    if (kind := _kind(settings, base)) != point.name:
        raise _wrong(point, f"found kind {kind!r}; allowed: its entry point's name")
    if base.implementation is not None and not (
        isinstance(settings.implementation, str) and settings.implementation
    ):
        raise _wrong(point, 'found no implementation; allowed: "package.module:Class"')
    if missing := ", ".join(sorted(settings.__abstractmethods__)):
        raise _wrong(point, f"found no {missing}; allowed: a class that has all of {base.__name__}")
    if "torch" in sys.modules and not knew_torch:
        raise _wrong(point, "its settings import torch; allowed: its implementation alone does")
    return settings


def _kind(member: Any, base: type[Pluggable]) -> str:
    """'lora' of a class whose `kind` is Literal['lora'], or of what is tagged so; '' if neither."""
    if tags := [meta.tag for meta in getattr(member, "__metadata__", ()) if isinstance(meta, Tag)]:
        return str(tags[0])
    fields: dict[str, Any] = getattr(member, "model_fields", {})
    annotation = fields[base.plugin_tag].annotation if base.plugin_tag in fields else None
    return str(get_args(annotation)[0]) if get_origin(annotation) is Literal else ""


def _load(point: EntryPoint) -> Any:
    try:
        return point.load()
    except Exception as error:  # whatever a stranger's module raises
        found = f"{type(error).__name__}: {error}".splitlines()[0]
        raise _wrong(point, f"cannot be imported: {found}") from error


def _wrong(point: EntryPoint, why: str) -> PluginError:
    return PluginError(
        f"plug-in {point.name} ({point.value}): {why}",
        f"mend or uninstall {point.dist.name if point.dist else 'the package'}",
    )
