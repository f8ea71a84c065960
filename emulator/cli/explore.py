"""The command `explore`."""

import contextlib
from pathlib import Path

import click

from emulator.cli.options import NETWORKS, PATH, RECORDINGS, SET, repeatable

# What a message log, which has no network, starts from.
LINK = {"network": {"server": {"down": "1 Gbps", "up": "1 Gbps"}, "clients": {"preset": "4g"}}}


@click.command()
@click.argument("paths", type=PATH, nargs=-1, required=True, metavar="RUN|RECORDING|LOG...")
@SET
@NETWORKS
@RECORDINGS
@repeatable("--method", "only", about="Only this method. Repeatable.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port  [default: a free one]")
@click.option(
    "--workers", type=click.IntRange(1), help="Number of processes  [default: one per core]"
)
@click.option("--open", "opens", is_flag=True, help="Open the page in the browser.")
def explore(
    paths: tuple[Path, ...],
    overrides: tuple[str, ...],
    networks: tuple[Path, ...],
    recordings: Path | None,
    only: tuple[str, ...],
    port: int | None,
    workers: int | None,
    opens: bool,
) -> None:
    """Change a network in the browser and see the results at once.

    Serves a local page for the folder of a RUN, a packed RECORDING or message LOGs. Sliders and
    fields set rates, round-trip time, loss, cells and target; the recorded trainings are simulated
    again under each setting. Nothing is trained, and no file is written. Needs: pip install
    "flasc-emu[explore]".

    The page can be opened on this machine only, with the address that the command prints. A LOG
    without a --network starts with clients on 4G. Stop the command with Ctrl-C.
    """
    from emulator.common.errors import SupportError
    from emulator.runner import inputs, run as running

    try:
        from emulator.explore import server
        from emulator.explore.replays import require_recorded
    except ImportError as error:
        raise SupportError(
            f"explore: cannot import {error.name}", "pip install 'flasc-emu[explore]'"
        ) from None
    bare = inputs.are_logs(paths) and not networks
    study = inputs.read(paths, overrides, only, {"4g": LINK} if bare else networks)
    options = running.options_for(study, recordings, train=False)
    require_recorded(study, options, str(paths[0]))

    def on_ready(address: str) -> None:
        click.echo(f"{address}\nOpen this address in a browser of this machine. Stop with Ctrl-C.")
        if opens:
            click.launch(address)

    with contextlib.suppress(KeyboardInterrupt):
        count = workers or max(2, running.default_workers())
        server.serve(study, options, count, server.bound(port or 0), on_ready)
