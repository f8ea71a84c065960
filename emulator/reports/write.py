"""Writes every report file of a run from its ledger, without torch."""

from pathlib import Path

from emulator.common.errors import LedgerError
from emulator.common.files import replace, storage
from emulator.reports import figures, plot_style
from emulator.reports.export import json_csv
from emulator.reports.page import page
from emulator.reports.run_report import load
from emulator.results.ledger import Ledger


def write(ledger: Ledger, folder: Path) -> list[Path]:
    """Write index.html, figure.png, figure.svg, results.json, results.csv and groups.json.

    Each file is replaced atomically. Returns the paths in that order. Raises LedgerError for a
    ledger without simulations, and StorageError.
    """
    study = load(ledger)
    if not study.outcomes:
        hint = "wait until the run has finished its first simulation"
        raise LedgerError(f"{ledger.path} has no simulation yet", hint)
    contents = {
        "index.html": page.html(study).encode(),
        "figure.png": plot_style.png(figures.overview, study),
        "figure.svg": plot_style.svg(figures.overview, study).encode(),
        "results.json": json_csv.to_json(study.outcomes, study.validations).encode(),
        "results.csv": json_csv.to_csv(study.outcomes).encode(),
        "groups.json": json_csv.groups_json(study.groups).encode(),
    }
    with storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            replace(folder / name, content)
    return [folder / name for name in contents]
