"""Arguments and options shared by several commands."""

from pathlib import Path

import click

SCENARIO = click.argument("scenario", type=click.Path(path_type=Path))


SET = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Set one value by its path: network.clients.rtt='200 ms'. Repeatable.",
)

NETWORKS = click.option(
    "--network",
    "networks",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Use the network of FILE instead, or of each file in a folder; see scenarios/networks/. "
    "Repeatable: one variant per file.",
)

RECORDINGS = click.option(
    "--recordings",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs/recordings"),
    show_default=True,
    help="Folder of recorded trainings.",
)
