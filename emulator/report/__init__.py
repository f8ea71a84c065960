"""What a run came to, for people and for other programs. Reads a ledger, imports no torch."""

from pathlib import Path

from emulator.errors import LedgerError
from emulator.files import replace, storage
from emulator.ledger import Ledger
from emulator.report import export, figure, page, style
from emulator.report.study import load


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
        "figure.png": style.png(figure.overview, study),
        "figure.svg": style.svg(figure.overview, study).encode(),
        "results.json": export.to_json(study.outcomes, study.validations).encode(),
        "results.csv": export.to_csv(study.outcomes).encode(),
        "groups.json": export.groups_json(study.groups).encode(),
    }
    with storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            replace(folder / name, content)
    return [folder / name for name in contents]
