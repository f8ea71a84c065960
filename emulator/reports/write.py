"""What a run came to, for people and for other programs. Reads a ledger, imports no torch."""

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

    Each appears whole or not at all. Returns their paths, in that order. Raises LedgerError where
    the ledger makes no report and StorageError where the disk refuses.
    """
    study = load(ledger)
    if not study.outcomes:
        hint = "let the run finish its first emulation"
        raise LedgerError(f"{ledger.path} holds no emulation yet", hint)
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
