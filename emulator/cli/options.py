"""Arguments and options that several commands share."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    pass


SCENARIO = click.argument("scenario", type=click.Path(path_type=Path))


SET = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change one value, by its dotted path: network.clients.rtt='200 ms'. Repeatable.",
)


NETWORKS = click.option(
    "--network",
    "networks",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Take FILE's network instead, as in scenarios/networks/. Repeatable, or a folder: "
    "a variant each.",
)


RECORDINGS = click.option(
    "--recordings",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs/recordings"),
    show_default=True,
    help="Where trainings are remembered.",
)
