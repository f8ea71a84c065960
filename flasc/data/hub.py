"""Loads data sets from the hub or from local folders with the package `datasets`."""

from pathlib import Path
from typing import Any

from flasc.assets.packages import Notify
from flasc.common.errors import AssetError
from flasc.data.table import Table

EXTRA = "pip install 'flasc-emu[data]'"
ALLOWED = "allowed: a hub id (owner/name[@revision]), or a local folder that `datasets` reads"


def load_split(data: str, split: str, columns: set[str], notify: Notify) -> Any:
    """The `split` of `data`, a hub id (`owner/name[@revision]`) or a folder; a `datasets.Dataset`.

    Raises AssetError if the package is missing, the data do not exist, or a column is missing.
    """
    datasets = _package(data)
    name, _, revision = data.partition("@")
    notify(f"loading {split} of {data}")
    try:
        found = datasets.load_dataset(name, split=split, revision=revision or None)
    except Exception as error:  # its HTTP client and its readers raise anything
        raise AssetError(
            f"data {data!r}: cannot load its split {split!r}: {error}", ALLOWED
        ) from error
    if missing := columns - set(found.column_names):
        raise AssetError(
            f"data {data!r}: found columns {sorted(found.column_names)}; missing {sorted(missing)}"
        )
    return found


def load_tables(data: str, subset: str | None, notify: Notify) -> dict[str, Table]:
    """All splits of `data`, as for `load_split`, by name; `subset` is its configuration.

    A class is its name. Raises AssetError if the package is missing or the data do not exist.
    """
    datasets = _package(data)
    name, _, revision = data.partition("@")
    notify(f"loading {data}")
    try:
        found = datasets.load_dataset(name, subset, revision=revision or None)
        return {str(split): _table(f"{data}, {split}", rows) for split, rows in found.items()}
    except Exception as error:  # its HTTP client and its readers raise anything
        raise AssetError(f"data {data!r}: cannot load it: {error}", ALLOWED) from error


def _table(origin: str, rows: Any) -> Table:
    columns = {}
    for name, feature in rows.features.items():
        names = getattr(feature, "names", None)  # of a ClassLabel, whose values are numbers
        values = rows[name][:]
        columns[name] = [names[value] for value in values] if names else values
    return Table(origin, columns)


def _package(data: str) -> Any:
    try:
        import datasets
    except ImportError as error:
        raise AssetError(
            f"reading {data!r} needs the package datasets: {error}",
            f"run `{EXTRA}`; flasc-emu list tasks shows which tasks need no network",
        ) from error
    return datasets


def local(data: str) -> Path | None:
    """The folder that `data` names, or None if it is not a local folder."""
    folder = Path(data).expanduser()
    return folder if folder.is_dir() else None
