"""The command `report`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from emulator.cli.options import PATH, choice
from emulator.cli.targets import budgets as budgets_of, targets as targets_of

if TYPE_CHECKING:
    from emulator.reports.run_report import Study
    from emulator.results.stored import Stored
    from emulator.results.target_sweep import Budget


@click.command()
@click.argument("folder", type=PATH)
@choice(
    "--format",
    "form",
    of=["table", "json", "csv", "files"],
    about="Output format; 'files' rewrites the page, figures and tables.",
)
@click.option(
    "--targets",
    callback=targets_of,
    metavar="LIST",
    help="Time to each of these targets instead: 50%,70% or 50%:80%:5%.",
)
@click.option(
    "--budgets",
    callback=budgets_of,
    metavar="LIST",
    help="Accuracy within these times and bytes instead: 30s,5min,100MB.",
)
def report(
    folder: Path, form: str, targets: list[float] | None, budgets: "list[Budget] | None"
) -> None:
    """Show the results of the run in FOLDER.

    Nothing is trained or simulated: --targets and --budgets read the curves of the run.
    """
    if targets is None and budgets is None:
        print_report(folder, form)
        return
    if targets is not None and budgets is not None:
        raise click.UsageError("--targets and --budgets: give one of them")
    if form == "files":
        raise click.UsageError("--format files writes no targets and budgets: table, json or csv")
    _print_sweep(folder, form, targets, budgets)


def _print_sweep(
    folder: Path, form: str, targets: list[float] | None, budgets: "list[Budget] | None"
) -> None:
    """Print the time to each target, or the accuracy within each budget."""
    from emulator.reports import targets as show
    from emulator.reports.run_report import load
    from emulator.results.stored import open_run
    from emulator.results.target_sweep import at, target_times, within
    from emulator.simulation.target import ACCURACY

    with open_run(folder) as ledger:
        warn_if_incomplete(ledger)
        study = load(ledger)
    goals = at(study.any_goal, targets or [])
    if high := [goal for goal in goals if goal.measure == ACCURACY and goal.value > 1]:
        raise click.UsageError(f"--targets: found {high[0].value:g}, an accuracy above 1")
    times, scores = target_times(study.curves, goals), within(study.curves, budgets or [])
    if form == "table":
        from rich.console import Console

        found = show.table(study, times) if targets else show.budget_table(study, scores)
        Console().print(found)
        return
    from emulator.reports.export import json_csv

    texts = {"json": json_csv.rows_json, "csv": json_csv.rows_csv}
    click.echo(texts[form](times if targets else scores), nl=False)


def warn_if_incomplete(ledger: "Stored") -> None:
    """Print a warning on stderr if simulations are missing or ended early: files do not say so."""
    from emulator.reports.run_report import unfinished

    if lacking := unfinished(ledger):
        click.echo(f"warning: {ledger.path.parent}: {lacking}", err=True)


def print_report(folder: Path, form: str) -> None:
    """Print the results of a run in a format, or rewrite the files of its report."""
    from emulator.results.stored import open_run

    if form == "files":
        from emulator.runner.run import write_report

        for path in write_report(folder).paths:
            click.echo(path)
        with open_run(folder) as ledger:
            warn_if_incomplete(ledger)
        return
    from emulator.reports import run_report as results

    with open_run(folder) as ledger:
        if form != "table":
            warn_if_incomplete(ledger)
        found = results.load(ledger)
    if form == "table":
        print_table(found)
        return
    from emulator.reports.export import json_csv

    if form == "json":
        click.echo(json_csv.to_json(found.outcomes, found.validations, found.swept), nl=False)
    else:
        click.echo(json_csv.to_csv(found.outcomes, found.swept), nl=False)


def print_table(study: "Study") -> None:
    """Print the table of results of a run."""
    from rich.console import Console

    from emulator.reports import network_map, terminal

    show = network_map.table if network_map.is_long(study) else terminal.table
    Console().print(show(study))
