"""The command group `flasc-emu`. Commands import heavy modules when called: `--help` is fast."""

import click

from emulator import __version__
from emulator.cli import (
    assets,
    calibrate,
    check,
    compare,
    explore,
    export,
    new,
    report,
    run,
    search,
    transfers,
    validate,
)
from emulator.cli.errors import Commands


@click.group(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "show_default": True}
)
@click.version_option(__version__, prog_name="flasc-emu")
def main() -> None:
    """Measure the time to accuracy of federated fine-tuning over simulated networks.

    A SCENARIO lists methods and networks. Each method is really trained; the times of its encoded
    messages are simulated over each network.

    To begin: flasc-emu new mine.yaml, then check and run it, and open runs/mine/index.html.
    """


for command in (
    new.new, new.schema, run.run, search.search, check.check, report.report, compare.compare,
    explore.explore, export.export, assets.list_, assets.assets, transfers.transfers,
    validate.validate, calibrate.calibrate,
):  # fmt: skip
    main.add_command(command)
