"""The command `report`."""

from pathlib import Path

import click

from emulator.cli.options import PATH, choice


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


def print_report(folder: Path, form: str) -> None:
    """Print the results of a run in a format, or rewrite the files of its report."""
    if form == "files":
        from emulator.runner.run import write_report

        for path in write_report(folder):
            click.echo(path)
        return
    from emulator.reports import run_report as results
    from emulator.results.ledger import Ledger

    with Ledger.open(folder / "ledger.sqlite") as ledger:
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
