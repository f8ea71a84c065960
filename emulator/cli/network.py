"""Commands about networks alone: transfers."""

from pathlib import Path

import click


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--transport",
    type=click.Choice(["tcp", "fluid"]),
    default="tcp",
    show_default=True,
    help="fluid: half an RTT, then bytes at the fair share of the links.",
)
@click.option("--json", "lines", is_flag=True, help="One line a flow, all digits.")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=0,
    show_default=True,
    help="Draws what is lost, where links lose.",
)
def transfers(file: Path, transport: str, lines: bool, seed: int) -> None:
    """Time the transfers that a FILE lists; train nothing.

    FILE is YAML with units, or JSON as the SimGrid reference has it: docs/transfers.md.
    """
    from emulator.errors import ScenarioError
    from emulator.network.transport import Tcp
    from emulator.transfers import show
    from emulator.transfers.read import read
    from emulator.transfers.simulate import simulate

    schedules = read(file)
    if transport == "fluid" and any(loss for s in schedules for loss in s.star.loss):
        raise ScenarioError(
            f"{file}: found loss with transport fluid; allowed: loss with transport tcp"
        )
    tcp = Tcp() if transport == "tcp" else None
    timed = [(s, simulate(s.star, s.messages, tcp, seed)) for s in schedules]
    if lines:
        click.echo("".join(f"{line}\n" for line in show.json_lines(timed)), nl=False)
        return
    from rich.console import Console

    Console().print(show.table(timed))
