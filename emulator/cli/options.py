"""Arguments and options shared by several commands."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
from typing_extensions import override


def with_draws(overrides: Sequence[str], network_seeds: str | None) -> tuple[str, ...]:
    """`overrides` with --network-seeds as the value of its key: a range, or a list of numbers."""
    if network_seeds is None:
        return tuple(overrides)
    value = network_seeds if "-" in network_seeds.strip("-") else f"[{network_seeds}]"
    return (*overrides, f"network_seeds={value}")


PATH = click.Path(path_type=Path)
FOLDER = click.Path(path_type=Path, file_okay=False)


class RecordingsFolder(click.Path):
    """A folder of recordings. The error for a packed recording says how to replay it."""

    @override
    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:
        from emulator.runner.recording.archive import is_packed

        if is_packed(Path(value)):
            self.fail(
                f"found the packed recording {value!s}; allowed: a folder. To replay the file, "
                f"run: flasc-emu run {value!s}",
                param,
                ctx,
            )
        return super().convert(value, param, ctx)


def choice(*names: str, of: Sequence[str], about: str) -> Callable[[Any], Any]:
    """Return an option with the values `of`; the default is the first."""
    return click.option(*names, type=click.Choice(of), default=of[0], help=about)


def repeatable(*names: str, about: str, metavar: str = "NAME") -> Callable[[Any], Any]:
    """Return an option that can be given several times."""
    return click.option(*names, multiple=True, metavar=metavar, help=about)


SCENARIO = click.argument("scenario", type=PATH)
SCENARIO_OR_LOGS = click.argument(
    "paths", type=PATH, nargs=-1, required=True, metavar="SCENARIO|LOG..."
)
SET = repeatable(
    "--set",
    "overrides",
    about="Set one value by its path: network.clients.rtt='200 ms'. Repeatable.",
    metavar="KEY=VALUE",
)
METHODS = repeatable("--method", "only", about="Only this method. Repeatable.")
NETWORKS = click.option(
    "--network",
    "networks",
    multiple=True,
    type=PATH,
    metavar="NAME|FILE",
    help="Use this network instead: a name from flasc-emu list networks, a file, or a folder of "
    "files. Repeatable: one variant per network.",
)
VARY = repeatable(
    "--vary",
    about="Sweep one setting, one variant per value: network.clients.up=20Mbps,5Mbps,1.25Mbps or "
    "'network.clients.rtt={from: 5 ms, to: 400 ms, points: 25, scale: log}'. Repeatable: all "
    "combinations.",
    metavar="KEY=VALUES",
)
NETWORK_SEEDS = click.option(
    "--network-seeds",
    metavar="SEEDS",
    help="Simulate each training with each of these draws of the fleet: 0-99 or 3,7,8  "
    "[default: as in the scenario, or else the seed of the training]",
)
RECORDINGS = click.option(
    "--recordings",
    type=RecordingsFolder(path_type=Path, file_okay=False),
    help="Folder of recorded trainings  [default: that of a run folder, otherwise runs/recordings]",
)
