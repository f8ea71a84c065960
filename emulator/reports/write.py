"""Writes every report file of a run from its ledger, without torch."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from emulator.common.errors import LedgerError
from emulator.common.files import replace, storage
from emulator.reports import figures, plot_style, sweep_figure
from emulator.reports.export import json_csv
from emulator.reports.network_map import is_map
from emulator.reports.page import page
from emulator.reports.run_report import Study, load
from emulator.results.stored import Stored
from emulator.simulation.event_table import EventTable
from emulator.simulation.records import Emulation

FILES = (
    "index.html", "figure.png", "figure.svg", "results.json", "results.csv", "groups.json"
)  # fmt: skip


class Report(NamedTuple):
    """A run as its report shows it, and the paths of the files that were written."""

    study: Study
    paths: list[Path]


def remove(folder: Path) -> None:
    """Delete the report in `folder`, whose ledger is being replaced. Raises StorageError."""
    with storage(folder):
        for name in FILES:
            (folder / name).unlink(missing_ok=True)


def write(
    stored: Stored, folder: Path, tables: Mapping[Emulation, EventTable] = MappingProxyType({})
) -> Report:
    """Write `FILES`, the report of a run.

    Many simulations have no page, and no figure but that of their sweeps. Rows in `tables` are not
    read again. Each file is replaced atomically. Raises LedgerError for a run without simulations,
    and StorageError.
    """
    study = load(stored, tables)
    if not study.outcomes:
        hint = "wait until the run has finished its first simulation"
        raise LedgerError(f"{stored.path} has no simulation yet", hint)
    contents: dict[str, bytes] = {}
    many = is_map(study)
    if not many:
        contents["index.html"] = page.html(study).encode()
    if not many or sweep_figure.figures(figures.WIDTH_IN, study):
        vectors, pixels = plot_style.svg_and_png(figures.overview, study)
        contents |= {"figure.png": pixels, "figure.svg": vectors}
    outcomes, swept = study.outcomes, study.swept
    contents["results.json"] = json_csv.to_json(outcomes, study.validations, swept).encode()
    contents["results.csv"] = json_csv.to_csv(outcomes, swept).encode()
    if not study.summaries:
        contents["groups.json"] = json_csv.groups_json(study.groups).encode()
    with storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            if name in contents:
                replace(folder / name, contents[name])
            else:
                (folder / name).unlink(missing_ok=True)
    return Report(study, [folder / name for name in contents])
