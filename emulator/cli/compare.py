"""The command `compare`."""

from pathlib import Path
from typing import Any

import click

from emulator.cli.options import PATH, choice


def _target(_: click.Context, __: click.Parameter, text: str | None) -> float | None:
    from flasc.common.settings import parse_fraction

    if text is None:
        return None
    try:
        found = parse_fraction(text if {"%", "/"} & set(text) else float(text))
    except ValueError:
        found = 0.0
    if found <= 0:
        raise click.BadParameter(f"found {text!r}; allowed: a number above 0, like 50% or 1.2")
    return found


@click.command()
@click.argument("runs", nargs=-1, required=True, type=PATH)
@click.option(
    "--baseline", metavar="NAME", help="A method or a variant.  [default: the first method]"
)
@click.option(
    "--target",
    callback=_target,
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
