"""Plug-ins of other packages, found by entry points: methods, tasks and more in the emulator.

A package declares NAME = "package.settings:Class" in the group of a base class below. The class
holds settings whose `kind` (for tasks: `name`) is NAME. It does its work itself, or names what does
in `implementation`, which may be a module that imports torch. Modules that define such a base class
load no plug-in, so plug-ins may import them in any order; unions are extended where they are used.
(PyPA entry points specification.)
"""

import functools
import sys
from collections.abc import Collection, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin

from pydantic import Tag

from flasc.common.errors import PluginError
from flasc.common.settings import Settings


class Pluggable(Settings):
    """Settings to which packages can add more, in the entry point group `plugin_group`."""

    plugin_group: ClassVar[str]
    plugin_tag: ClassVar[str] = "kind"  # the field that distinguishes them
    # The method that does the work. A plug-in overrides it or sets `implementation`. None: the
    # abstract methods do the work.
    behaviour: ClassVar[str | None] = None
    implementation: ClassVar[str] = ""  # "package.module:name"


def members(
    built_in: Sequence[type[Pluggable]], base: type[Pluggable], reserved: Collection[str] = ()
) -> Any:
    """The union of the `built_in` settings and those of packages, each tagged with its kind.

    `reserved` are kinds that mean something else where the union is used. Raises PluginError if the
    settings of a package are not of `base`, or their kind is in use.
    """
    kinds = {_kind(each, base): each for each in built_in}
    for point in _points(base):
        settings = _settings(point, base)
        if point.name in kinds or point.name in reserved:
            raise _wrong(point, "found a kind that is in use; allowed: a new name")
        kinds[point.name] = settings
    tagged = (Annotated[each, Tag(kind)] for kind, each in kinds.items())
    return Union[tuple(tagged)]  # noqa: UP007  # its members are known at run time


def implementation(settings: Pluggable) -> Any:
    """The object that the settings of a plug-in name in `implementation`. Raises PluginError."""
    kind = type(settings)
    assert kind.implementation, "checked when the plug-in was loaded"
    return _load(EntryPoint(_kind(kind, kind), kind.implementation, kind.plugin_group))


def origin(settings: type[Pluggable]) -> tuple[str, str] | None:
    """(package, version) that added these settings; None for built-in ones."""
    kind = _kind(settings, settings)
    brought = (p.dist for p in _points(settings) if p.name == kind)
    return next(((dist.name, dist.version) for dist in brought if dist), None)


def _points(base: type[Pluggable]) -> list[EntryPoint]:
    found = _installed(tuple(sys.path)).select(group=base.plugin_group)
    return sorted(found, key=lambda point: point.name)


@functools.cache
def _installed(path: tuple[str, ...]) -> Any:  # noqa: ARG001 - it decides what is installed
    """The entry points of all packages: their files are read once, not for each base class."""
    return entry_points()


def _settings(point: EntryPoint, base: type[Pluggable]) -> type[Pluggable]:
    """The class that an entry point names. Raises PluginError if it does not extend `base`."""
    knew_torch = "torch" in sys.modules
    settings = _load(point)
    if not (isinstance(settings, type) and issubclass(settings, base)):
        raise _wrong(point, f"found {settings!r}; allowed: a subclass of {base.__name__}")
    if (kind := _kind(settings, base)) != point.name:
        raise _wrong(point, f"found kind {kind!r}; allowed: its entry point's name")
    named = isinstance(settings.implementation, str) and settings.implementation
    if (does := base.behaviour) and not named and getattr(settings, does) is getattr(base, does):
        raise _wrong(
            point,
            f"found no {does} and no implementation; allowed: a method {does}, or implementation = "
            '"package.module:Class"',
        )
    if missing := ", ".join(sorted(settings.__abstractmethods__)):
        raise _wrong(point, f"found no {missing}; allowed: a class that has all of {base.__name__}")
    if "torch" in sys.modules and not knew_torch:
        raise _wrong(point, "its settings import torch; allowed: its implementation alone does")
    return settings


def _kind(settings: type[Pluggable], base: type[Pluggable]) -> str:
    """'lora' for a class whose `kind` is Literal['lora']; '' for one without."""
    field = settings.model_fields.get(base.plugin_tag)
    literal = field.annotation if field else None
    return str(get_args(literal)[0]) if get_origin(literal) is Literal else ""


def _load(point: EntryPoint) -> Any:
    try:
        return point.load()
    except Exception as error:  # the module of a package may raise anything
        found = f"{type(error).__name__}: {error}".splitlines()[0]
        raise _wrong(point, f"cannot be imported: {found}") from error


def _wrong(point: EntryPoint, why: str) -> PluginError:
    return PluginError(
        f"plug-in {point.name} ({point.value}): {why}",
        f"fix or uninstall {point.dist.name if point.dist else 'the package'}",
    )
