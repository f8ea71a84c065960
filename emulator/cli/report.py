"""The command `report`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from emulator.cli.options import PATH, choice

if TYPE_CHECKING:
    from emulator.results.ledger import Ledger


@click.command()
@click.argument("folder", type=PATH)
@choice(
    "--format",
    "form",
    of=["table", "json", "csv", "files"],
    about="Output format; 'files' rewrites the page, figures and tables.",
)
def report(folder: Path, form: str) -> None:
    """Show the results of the run in FOLDER."""
    print_report(folder, form)


def warn_if_incomplete(ledger: "Ledger") -> None:
    """Print a warning on stderr if simulations are missing or ended early: files do not say so."""
    from emulator.reports.run_report import unfinished

    if lacking := unfinished(ledger):
        click.echo(f"warning: {ledger.path.parent}: {lacking}", err=True)


def print_report(folder: Path, form: str) -> None:
    """Print the results of a run in a format, or rewrite the files of its report."""
    from emulator.results.ledger import Ledger

    if form == "files":
        from emulator.runner.run import write_report

        for path in write_report(folder):
            click.echo(path)
        with Ledger.open(folder / "ledger.sqlite") as ledger:
            warn_if_incomplete(ledger)
        return
    from emulator.reports import run_report as results

    with Ledger.open(folder / "ledger.sqlite") as ledger:
        if form != "table":
            warn_if_incomplete(ledger)
        found = results.load(ledger)
    if form == "table":
        from rich.console import Console

        from emulator.reports.terminal import table

        Console().print(table(found))
        return
    from emulator.reports.export import json_csv

    if form == "json":
        click.echo(json_csv.to_json(found.outcomes, found.validations), nl=False)
    else:
        click.echo(json_csv.to_csv(found.outcomes), nl=False)
