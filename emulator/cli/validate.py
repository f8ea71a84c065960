"""The command `validate`."""

from pathlib import Path

import click

from emulator.cli.options import FOLDER, RECORDINGS, SCENARIO, SET, repeatable


@click.command()
@SCENARIO
@SET
@RECORDINGS
@repeatable("--method", "only", about="Method to validate. Repeatable.  [default: the first]")
@repeatable("--variant", "variants", about="Variant to validate. Repeatable.  [default: all]")
@click.option("--round", "number", type=click.IntRange(1), default=1, help="Number of the round.")
@click.option(
    "--clients", "most", type=click.IntRange(1), help="Only so many clients of the round."
)
@click.option(
    "--repeats",
    type=click.IntRange(1, 100),
    default=3,
    help="Number of repetitions; medians are reported.",
)
@click.option(
    "--limit",
    type=click.IntRange(1, 86_400),
    metavar="SECONDS",
    help="Longest expected duration; longer cases are refused.  [default: 120, 600 with --flower]",
)
@click.option(
    "--flower",
    is_flag=True,
    help="Let a real Flower deployment send the messages (pip install 'flasc-emu[flower]').",
)
@click.option("--out", type=FOLDER, help="Folder for the results  [default: runs/NAME]")
def validate(
    scenario: Path,
    overrides: tuple[str, ...],
    recordings: Path | None,
    only: tuple[str, ...],
    variants: tuple[str, ...],
    number: int,
    most: int | None,
    repeats: int,
    limit: int | None,
    flower: bool,
    out: Path | None,
) -> None:
    """Repeat a recorded round over real TCP on this machine and compare the times.

    With --flower, a SuperLink and one SuperNode per client send its messages.
    Needs Linux and root or user namespaces. Only network namespaces of the command itself are
    changed; they are removed at the end, also after an error. Exit code 3 if the machine does not
    support it.
    """
    from rich.console import Console

    from emulator.common.files import replace, storage
    from emulator.runner import inputs, run
    from emulator.testbed import cases as plan, validate as compare
    from emulator.testbed.linux.run import ceiling

    found = inputs.read(scenario, overrides, only)
    if not only:
        found = inputs.read(scenario, overrides, found.methods[:1])
    ceiling_Bps = ceiling()
    with run.recorded(found, run.options_for(found, recordings)) as known:
        cases = plan.cases(
            found, scenario, known.recordings, variants, number, most=most, by_flower=flower
        )
    limit = limit or (600 if flower else 120)
    plan.check_limit(cases, repeats, limit)
    comparisons = compare.measure(cases, repeats, limit, lambda note: click.echo(note, err=True))
    Console().print(compare.tables(comparisons))
    for comparison in comparisons:
        if warning := compare.warning(comparison, ceiling_Bps):
            click.echo(f"warning: {warning}", err=True)
    name = "validation_flower.json" if flower else "validation.json"
    path = (out or Path("runs") / run.folder_name(found, ())) / name
    with storage(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, compare.to_json(comparisons, ceiling_Bps).encode())
    click.echo(f"written to {path}")
