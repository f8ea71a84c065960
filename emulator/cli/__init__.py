"""The command line. Heavy modules are imported inside commands: `--help` must stay instant."""

import click

from emulator import __version__
from emulator.cli import author, compare, export, network, stock, study
from emulator.cli.voice import Commands


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="flasc-emu")
def main() -> None:
    """What would this federated fine-tuning method cost over real networks?

    Trains each method of a SCENARIO for real, times its encoded messages over each network, and
    shows the time to target accuracy.

    To begin: flasc-emu new mine.yaml, then check and run it, and open runs/mine/index.html.
    """


for command in (
    author.new,
    author.schema,
    study.run,
    study.check,
    study.report,
    compare.compare,
    export.export,
    stock.list_,
    stock.assets,
    network.transfers,
    network.validate,
):
    main.add_command(command)
