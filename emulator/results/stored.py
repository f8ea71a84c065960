"""What a run has stored: a ledger, or summaries alone."""

from pathlib import Path

from emulator.results.ledger import Ledger
from emulator.results.summary_file import NAME, SummaryFile

LEDGER = "ledger.sqlite"
Stored = Ledger | SummaryFile


def open_run(folder: Path) -> Stored:
    """Open the ledger or the summaries of the run in `folder`. Raises LedgerError."""
    if not (folder / LEDGER).is_file() and (folder / NAME).is_file():
        return SummaryFile.open(folder / NAME)
    return Ledger.open(folder / LEDGER)
