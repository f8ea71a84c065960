"""Reads a file of transfers in either format."""

from pathlib import Path

from emulator.common.errors import ScenarioError
from emulator.common.text import printable
from emulator.testbed.formats import simgrid_json, transfers_yaml
from emulator.testbed.schedule import Schedule


def read(path: Path) -> list[Schedule]:
    """The schedules in the file at `path`: one in a YAML file, any number in a JSON file.

    The suffix .json, .yaml or .yml decides the format; other files are JSON if they begin with a
    bracket. Raises ScenarioError.
    """
    try:
        return simgrid_json.read(path) if _is_json(path) else [transfers_yaml.read(path)]
    except ScenarioError as error:
        hint = "docs/howto/time_transfers.md shows both formats"
        raise ScenarioError(error.message, hint) from None


def _is_json(path: Path) -> bool:
    suffix = path.suffix.lower()
    if suffix in (".json", ".yaml", ".yml"):
        return suffix == ".json"
    try:
        with path.open("rb") as file:
            return file.read(1000).lstrip().startswith((b"{", b"["))
    except FileNotFoundError:
        raise ScenarioError(f"{printable(str(path))}: no such file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ScenarioError(f"{printable(str(path))}: cannot be read: {reason}") from None
