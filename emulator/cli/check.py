"""The command `check`."""

import shutil
import sys
from pathlib import Path

import click

from emulator.cli.options import NETWORKS, RECORDINGS, SCENARIO, SET


@click.command()
@SCENARIO
@SET
@NETWORKS
@RECORDINGS
def check(
    scenario: Path, overrides: tuple[str, ...], networks: tuple[Path, ...], recordings: Path | None
) -> None:
    """Validate a scenario and show what a run would do, without training.

    Shows the number of trainings, the links, and the sizes of messages.
    """
    from emulator.runner import inputs
    from emulator.runner.check import plan
    from emulator.runner.estimates import Screen
    from emulator.runner.run import options_for, recorded

    blocks = "utf" in (sys.stdout.encoding or "").lower()
    screen = Screen(shutil.get_terminal_size().columns, blocks)
    study = inputs.read(scenario, overrides, networks=networks)
    with recorded(study, options_for(study, recordings)) as known:
        for line in plan(study, known.recordings, screen):
            click.echo(line)
