"""The command `check`."""

import shutil
import sys
from pathlib import Path

import click

from emulator.cli.options import METHODS, NETWORKS, RECORDINGS, SCENARIO_OR_LOGS, SET, VARY


@click.command()
@SCENARIO_OR_LOGS
@SET
@NETWORKS
@VARY
@RECORDINGS
@METHODS
def check(
    paths: tuple[Path, ...],
    overrides: tuple[str, ...],
    networks: tuple[Path, ...],
    vary: tuple[str, ...],
    recordings: Path | None,
    only: tuple[str, ...],
) -> None:
    """Validate a scenario and show what a run would do, without training.

    Shows the number of trainings, the links, and the sizes of messages. For a LOG, a message log of
    another program, it shows what the log holds and what it cannot answer.
    """
    from emulator.runner import inputs, log_summary
    from emulator.runner.check import plan
    from emulator.runner.estimates import Screen
    from emulator.runner.run import default_workers, options_for, recorded

    blocks = "utf" in (sys.stdout.encoding or "").lower()
    screen = Screen(shutil.get_terminal_size().columns, blocks)
    if logs := log_summary.of(paths):
        for line in log_summary.plan(logs, paths, overrides, networks, screen, vary):
            click.echo(line)
        return
    study = inputs.read(paths, overrides, only, networks=networks, vary=vary)
    with recorded(study, options_for(study, recordings)) as known:
        for line in plan(study, known.recordings, screen, default_workers()):
            click.echo(line)
