"""The command `compare`."""

from pathlib import Path
from typing import Any

import click

from emulator.cli.options import PATH, choice
from emulator.cli.targets import target as target_value


@click.command()
@click.argument("runs", nargs=-1, required=True, type=PATH)
@click.option(
    "--baseline", metavar="NAME", help="A method or a variant.  [default: the first method]"
)
@click.option(
    "--target",
    callback=target_value,
    metavar="VALUE",
    help="Replaces the value of the runs' target, like 50%.",
)
@click.option("--force", is_flag=True, help="Compare runs even if their tasks or targets differ.")
@choice("--format", "form", of=["table", "json", "csv"], about="Output format.")
def compare(
    runs: tuple[Path, ...], baseline: str | None, target: float | None, force: bool, form: str
) -> None:
    """Compare methods and networks over seeds and RUNS (folders).

    Shows by how much each is faster than the baseline, whether the difference is significant over
    the seeds, and which method is fastest to each accuracy. Nothing is trained, also with another
    --target.
    """
    from emulator.reports import comparison as show
    from emulator.runner.compare import compare as compared

    found = compared(runs, baseline, target, force)
    if form == "table":
        from rich.console import Console

        Console().print(show.table(found))
        return
    for line in found.incomplete:
        click.echo(f"warning: {line}", err=True)
    texts: dict[str, Any] = {"json": show.to_json, "csv": show.to_csv}
    click.echo(texts[form](found), nl=False)
