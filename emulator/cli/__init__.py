"""The command line. Heavy modules are imported inside commands: `--help` must stay instant."""

import click

from emulator import __version__
from emulator.cli import assets, check, compare, export, new, report, run, transfers, validate
from emulator.cli.errors import Commands


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="flasc-emu")
def main() -> None:
    """What would this federated fine-tuning method cost over real networks?

    Trains each method of a SCENARIO for real, times its encoded messages over each network, and
    shows the time to target accuracy.

    To begin: flasc-emu new mine.yaml, then check and run it, and open runs/mine/index.html.
    """


for command in (
    new.new,
    new.schema,
    run.run,
    check.check,
    report.report,
    compare.compare,
    export.export,
    assets.list_,
    assets.assets,
    transfers.transfers,
    validate.validate,
):
    main.add_command(command)
