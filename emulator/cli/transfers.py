"""The command `transfers`."""

from pathlib import Path

import click

from emulator.cli.options import PATH, choice


@click.command()
@click.argument("file", type=PATH)
@choice(
    "--transport",
    of=["tcp", "fluid"],
    about="Transport model; fluid: half an RTT, then bytes at the fair share of the links.",
)
@click.option(
    "--json", "lines", is_flag=True, help="Print one JSON object per flow with all digits."
)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, help="Seed of packet losses.")
def transfers(file: Path, transport: str, lines: bool, seed: int) -> None:
    """Simulate the times of the transfers in FILE, without training.

    FILE is YAML with units or JSON in the format of the SimGrid reference: see
    docs/howto/time_transfers.md.
    """
    from emulator.common.errors import ScenarioError
    from emulator.network.tcp import Tcp
    from emulator.testbed import table
    from emulator.testbed.formats import read
    from emulator.testbed.simulate import time_messages

    schedules = read(file)
    if transport == "fluid" and any(loss for s in schedules for loss in s.star.loss):
        raise ScenarioError(
            f"{file}: found loss with transport fluid; allowed: loss with transport tcp"
        )
    tcp = Tcp() if transport == "tcp" else None
    timed = [(s, time_messages(s.star, s.messages, tcp, seed)) for s in schedules]
    if lines:
        click.echo("".join(f"{line}\n" for line in table.json_lines(timed)), nl=False)
        return
    from rich.console import Console

    Console().print(table.table(timed))
