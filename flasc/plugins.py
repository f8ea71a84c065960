"""Methods that other packages bring, by entry points. Torch-free.

A package declares KIND = "package.settings:Settings" in the group `flasc_emu.methods`: the class of
its settings, whose `implementation` names the class of its method, which alone may import torch.
(PyPA entry points specification.)
"""

from importlib.metadata import EntryPoint, entry_points
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from flasc.errors import PluginError

METHODS = "flasc_emu.methods"


def extended(union: Any, base: type[Any], group: str = METHODS) -> Any:
    """`union`, Annotated and told apart by `kind`, with what installed packages add to it.

    Raises PluginError where one of them is not what it should be.
    """
    inner, *metadata = get_args(union)
    kinds = {_kind(member) for member in get_args(inner)}
    for point in sorted(entry_points(group=group), key=lambda point: point.name):
        settings = _load(point)
        if not (isinstance(settings, type) and issubclass(settings, base)):
            raise _wrong(point, f"found {settings!r}; allowed: a subclass of {base.__name__}")
        if _kind(settings) != point.name:
            raise _wrong(point, f"found kind {_kind(settings)!r}; allowed: its entry point's name")
        if point.name in kinds:
            raise _wrong(point, "found a kind that there is already; allowed: a name of its own")
        if not isinstance(getattr(settings, "implementation", None), str):
            raise _wrong(point, 'found no implementation; allowed: "package.module:Class"')
        kinds.add(point.name)
        inner = Union[inner, settings]  # noqa: UP007  # at run time
    return Annotated[(inner, *metadata)]


def implementation(settings: Any) -> Any:
    """The class that the settings of a plug-in name. Raises PluginError."""
    kind = type(settings)
    return _load(EntryPoint(_kind(kind), kind.implementation, METHODS))


def _kind(settings: Any) -> str:
    """'lora' of a class whose `kind` is Literal['lora']; '' if it has none."""
    fields: dict[str, Any] = getattr(settings, "model_fields", {})
    annotation = fields["kind"].annotation if "kind" in fields else None
    return str(get_args(annotation)[0]) if get_origin(annotation) is Literal else ""


def _load(point: EntryPoint) -> Any:
    try:
        return point.load()
    except (ImportError, AttributeError) as error:
        raise _wrong(point, f"cannot be imported: {error}") from error


def _wrong(point: EntryPoint, why: str) -> PluginError:
    return PluginError(
        f"plug-in {point.name} ({point.value}): {why}",
        "mend or uninstall the package; in its own tests, import flasc.config first",
    )
