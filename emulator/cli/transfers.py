"""Commands about networks alone: transfers, validate."""

from pathlib import Path

import click

from emulator.cli.run import RECORDINGS, SCENARIO, SET


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

    FILE is YAML with units, or JSON as the SimGrid reference has it: docs/howto/time_transfers.md.
    """
    from emulator.common.errors import ScenarioError
    from emulator.network.tcp import Tcp
    from emulator.testbed import table
    from emulator.testbed.formats import read
    from emulator.testbed.simulate import simulate

    schedules = read(file)
    if transport == "fluid" and any(loss for s in schedules for loss in s.star.loss):
        raise ScenarioError(
            f"{file}: found loss with transport fluid; allowed: loss with transport tcp"
        )
    tcp = Tcp() if transport == "tcp" else None
    timed = [(s, simulate(s.star, s.messages, tcp, seed)) for s in schedules]
    if lines:
        click.echo("".join(f"{line}\n" for line in table.json_lines(timed)), nl=False)
        return
    from rich.console import Console

    Console().print(table.table(timed))


@click.command()
@SCENARIO
@SET
@RECORDINGS
@click.option(
    "--method", "only", multiple=True, metavar="NAME", help="Repeatable.  [default: the first]"
)
@click.option(
    "--variant", "variants", multiple=True, metavar="NAME", help="Repeatable.  [default: all]"
)
@click.option(
    "--round", "number", type=click.IntRange(1), default=1, show_default=True, help="Which round."
)
@click.option(
    "--repeats",
    type=click.IntRange(1, 100),
    default=3,
    show_default=True,
    help="Medians of so many.",
)
@click.option(
    "--limit",
    type=click.IntRange(1, 86_400),
    default=120,
    show_default=True,
    metavar="SECONDS",
    help="Refuse what would take longer.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for validation.json  [default: runs/NAME]",
)
def validate(
    scenario: Path,
    overrides: tuple[str, ...],
    recordings: Path,
    only: tuple[str, ...],
    variants: tuple[str, ...],
    number: int,
    repeats: int,
    limit: int,
    out: Path | None,
) -> None:
    """Re-enact a recorded round over this machine's TCP, and compare.

    Takes Linux and root (or user namespaces). Nothing outside of namespaces of its own is touched,
    and they go when it ends, however it ends. Exit code 3 where the machine cannot.
    """
    from rich.console import Console

    from emulator.common.files import replace, storage
    from emulator.runner import run
    from emulator.runner.executors import Options
    from emulator.scenario import study
    from emulator.testbed import cases as plan
    from emulator.testbed import validate as compare
    from emulator.testbed.linux.run import ceiling

    found = study.read(scenario, overrides, only)
    if not only:
        found = study.read(scenario, overrides, found.methods[:1])
    ceiling_Bps = ceiling()
    with run.recorded(found, Options(recordings)) as known:
        cases = plan.cases(found, scenario, known.recordings, variants, number)
    plan.check_limit(cases, repeats, limit)
    comparisons = compare.measure(cases, repeats, limit, lambda note: click.echo(note, err=True))
    Console().print(compare.tables(comparisons))
    for comparison in comparisons:
        if warning := compare.warning(comparison, ceiling_Bps):
            click.echo(f"warning: {warning}", err=True)
    path = (out or Path("runs") / run.folder_name(found, ())) / "validation.json"
    with storage(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, compare.to_json(comparisons, ceiling_Bps).encode())
    click.echo(f"written to {path}")
