"""Paths of local folders in a scenario, which are relative to the scenario.

The same keys may name something on the model hub: `owner/name`.
"""

import os
from pathlib import Path

from emulator.common.errors import ScenarioError
from emulator.common.text import short_repr

FOLDERS = (("task", "model"), ("task", "data"))
FILES = ("file", "validation_file", "test_file")


def names_file(owner: str, key: str) -> bool:
    """Whether the value of `owner`.`key` is a path: in `where`, `file` is a column of a table."""
    return key in FILES and owner != "where"


def local_path(text: str, scenario: Path, where: str) -> str:
    """`text` as a path from the current folder if it is a local folder, else `text` itself.

    Settings, and so recordings, are the same wherever the command is given: `scenario` beside the
    folder and in another folder may be named by any path. Raises ScenarioError, beginning with
    `where`, if the folder exists relative to the current folder only.
    """
    home = os.path.realpath(scenario.parent)
    if text.startswith(("/", "~")) or home == os.path.realpath("."):
        return text
    beside = os.path.normpath(os.path.join(home, text))  # noqa: PTH118
    is_path = text.split("/", maxsplit=1)[0] in (".", "..")
    # A bare word is a model's name; `data` has no names.
    may_be = is_path or "/" in text or where.endswith(".data")
    if may_be and os.path.isdir(text) and not os.path.isdir(beside):  # noqa: PTH112
        raise ScenarioError(
            f"{where}: found {short_repr(text)}, which is a folder relative to the current folder "
            "only; allowed: a folder relative to this file",
            f"write {explicit(os.path.relpath(text, home))}",
        )
    is_here = is_path or (may_be and os.path.isdir(beside))  # noqa: PTH112
    return explicit(os.path.relpath(beside)) if is_here else text


def explicit(path: str) -> str:
    """`path` so that it is not taken for a name."""
    return path if path.startswith("..") else f"./{path}"
