"""Writes every report file of a run from its ledger, without torch."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from emulator.common.errors import LedgerError
from emulator.common.files import replace, storage
from emulator.reports import figures, plot_style
from emulator.reports.export import json_csv
from emulator.reports.page import page
from emulator.reports.run_report import Study, load
from emulator.results.ledger import Ledger
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
    ledger: Ledger, folder: Path, tables: Mapping[Emulation, EventTable] = MappingProxyType({})
) -> Report:
    """Write `FILES`, the report of a run, in that order. Rows in `tables` are not read again.

    Each file is replaced atomically. Raises LedgerError for a ledger without simulations, and
    StorageError.
    """
    study = load(ledger, tables)
    if not study.outcomes:
        hint = "wait until the run has finished its first simulation"
        raise LedgerError(f"{ledger.path} has no simulation yet", hint)
    vectors, pixels = plot_style.svg_and_png(figures.overview, study)
    contents = (
        page.html(study).encode(),
        pixels,
        vectors,
        json_csv.to_json(study.outcomes, study.validations).encode(),
        json_csv.to_csv(study.outcomes).encode(),
        json_csv.groups_json(study.groups).encode(),
    )
    with storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in zip(FILES, contents, strict=True):
            replace(folder / name, content)
    return Report(study, [folder / name for name in FILES])
