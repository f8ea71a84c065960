"""The command `calibrate`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from emulator.cli.options import PATH, choice

if TYPE_CHECKING:
    from emulator.runner.calibration import Form


@click.command()
@click.argument("log", type=PATH)
@choice(
    "--to",
    "form",
    of=["law", "table"],
    about="A log-normal law of the times per example, or a table with one time per client.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write  [default: standard output]",
)
def calibrate(log: Path, form: "Form", out: Path | None) -> None:
    """Fit the compute time of clients to a message LOG, as a section of a scenario.

    The visits of the log need seconds and examples. A scenario uses the written file with
    'extends'. Comments in it say how far the predicted seconds of each round are from the logged
    ones.
    """
    from emulator.common.files import replace, storage
    from emulator.integrations import message_log
    from emulator.runner import calibration

    read = message_log.read(log)
    found = calibration.calibrate(read, form)
    text = calibration.section(found, read)
    if out is None:
        click.echo(text, nl=False)
        return
    with storage(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        replace(out, text.encode())
    for line in calibration.summary(found, read):
        click.echo(line)
    click.echo(out)
