"""Scenarios and networks that come with flasc-emu, by name: slow_upload, paper/figure3, 4g_cell."""

import re
from collections.abc import Mapping
from pathlib import Path

from emulator.common.text import nearest

_PACKAGE = Path(__file__).parents[1]
# A built package has a copy of the folder `scenarios` of the repository: see setup.py.
FOLDERS = (_PACKAGE / "shipped", _PACKAGE.parent / "scenarios")
_PARTS = ("networks", "parts")  # folders without whole scenarios


def scenarios() -> dict[str, Path]:
    """{name: file} of the scenarios; the names of those in subfolders have the folder in front."""
    found = {path.relative_to(_folder()): path for path in sorted(_folder().rglob("*.yaml"))}
    return {
        path.with_suffix("").as_posix(): file
        for path, file in sorted(found.items(), key=lambda item: len(item[0].parts))
        if not set(path.parts) & {*_PARTS}
    }


def networks() -> dict[str, Path]:
    """{name: file} of the networks."""
    return {path.stem: path for path in sorted((_folder() / "networks").glob("*.yaml"))}


def located(given: Path, names: Mapping[str, Path], name: str = "") -> Path:
    """The file that has the name `given` (or `name`), unless there is something at the path."""
    return given if given.exists() else names.get(name or given.as_posix(), given)


def similar(given: Path) -> str | None:
    """The name of a scenario or network that a missing file most likely means."""
    names = [*scenarios(), *networks()]
    by_last_part = {name.rpartition("/")[2]: name for name in reversed(names)}
    near = nearest(given.stem, by_last_part, 0.75)
    return nearest(given.as_posix(), names, 0.75) or (by_last_part[near] if near else None)


def about(file: Path) -> str:
    """The first sentence of the comment at the start of a file."""
    lines = re.match(r"(?:#.*\n)*", file.read_text("utf-8"))
    text = " ".join(line.lstrip("# ") for line in (lines[0] if lines else "").splitlines())
    return re.split(r"(?<=[.?])\s(?=[A-Z])", text, maxsplit=1)[0]


def _folder() -> Path:
    return next((folder for folder in FOLDERS if folder.is_dir()), FOLDERS[0])
