"""The command `search`."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from emulator.cli.options import FOLDER, NETWORKS, RECORDINGS, SCENARIO, SET, choice

if TYPE_CHECKING:
    from rich.table import Table

    from emulator.cli.progress import How
    from emulator.runner.events import Event, OnEvent
    from emulator.runner.search import Search
    from emulator.scenario.study import TrainingJob


def _values(kind: Callable[[str], Any], allowed: str) -> Callable[..., tuple[Any, ...]]:
    """A callback that reads values with commas between."""

    def read(_: click.Context, __: click.Parameter, text: str | None) -> tuple[Any, ...]:
        try:
            return tuple(map(kind, text.split(","))) if text is not None else ()
        except ValueError:
            raise click.BadParameter(f"found {text!r}; allowed: {allowed}") from None

    return read


def _rank(text: str) -> int:
    if not 1 <= int(text) <= 1024:
        raise ValueError(text)
    return int(text)


def _density(text: str) -> float:
    import yaml
    from pydantic import TypeAdapter

    from flasc.common.settings import Density

    try:
        return TypeAdapter[float](Density).validate_python(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise ValueError(text) from error


_DENSITIES = _values(_density, "densities above 0 and at most 1, like 1,1/4,1/16")
_AROUND = "[default: three values in steps of a factor of 4, with the start's]"


@click.command()
@SCENARIO
@SET
@NETWORKS
@click.option(
    "--method", metavar="NAME", help="FLASC method to start from.  [default: the only one]"
)
@click.option("--variant", metavar="NAME", help="Variant to search under.  [default: the only one]")
@click.option(
    "--rank",
    "ranks",
    callback=_values(_rank, "ranks from 1 to 1024, like 4,8,16"),
    metavar="LIST",
    help="Ranks to choose from, like 4,8,16.  [default: the start's]",
)
@click.option(
    "--down",
    "downs",
    callback=_DENSITIES,
    metavar="LIST",
    help=f"Densities of downloads to choose from, like 1,1/4,1/16.  {_AROUND}",
)
@click.option(
    "--up",
    "ups",
    callback=_DENSITIES,
    metavar="LIST",
    help=f"Densities of uploads to choose from.  {_AROUND}",
)
@click.option(
    "--trainings",
    "most",
    type=click.IntRange(1),
    help="The most configurations to try, recorded ones included; each is one training per seed  "
    "[default: half of all, at least 3]",
)
@click.option("--out", type=FOLDER, help="Folder for results  [default: runs/NAME-search]")
@RECORDINGS
@click.option(
    "--workers", type=click.IntRange(1), help="Number of processes  [default: one per core]"
)
@choice("--device", of=["auto", "cpu", "cuda"], about="Device for training.")
@choice(
    "--progress",
    of=["auto", "live", "plain", "json", "none"],
    about="Progress display on stderr: live view, plain lines or JSON lines.",
)
def search(
    scenario: Path,
    overrides: tuple[str, ...],
    networks: tuple[Path, ...],
    method: str | None,
    variant: str | None,
    ranks: tuple[int, ...],
    downs: tuple[float, ...],
    ups: tuple[float, ...],
    most: int | None,
    out: Path | None,
    recordings: Path | None,
    workers: int | None,
    device: str,
    progress: "How",
) -> None:
    """Search the rank and the densities of FLASC that reach the target soonest.

    Starts from a FLASC method of SCENARIO and changes one value at a time: a neighbour that reaches
    the target in less simulated time, with the same clients and network, is the next place to
    search from. Each configuration is trained once; an interrupted search resumes when you run it
    again. A packed recording as SCENARIO is searched among its own configurations.

    Writes the reports of a run, the path as search.json, and recommended.yaml, a scenario.
    """
    from emulator.cli.progress import display
    from emulator.runner import inputs, run as running, search as searching
    from emulator.runner.executors import Local
    from emulator.runner.search import summary

    study = inputs.read(scenario, overrides, networks=networks)
    space = searching.read_space(study, method, variant, searching.Axes(ranks, downs, ups))
    options = running.options_for(study, recordings, device)
    folder = out or Path("runs") / summary.folder_name(study, space, networks)
    fewest = 1 if study.packed else running.default_workers()
    engine = Local(workers or fewest)
    lines = display(progress, (), 1)
    found = searching.search(
        space,
        folder,
        options,
        engine=engine,
        most=most,
        watch=lambda jobs: _shown(progress, jobs, engine.workers),
        on_start=lambda start: lines.say(summary.start_line(start)),
        on_step=lambda step: lines.say(summary.step_line(step)),
        on_note=lines.say,
    )
    _print(found)
    click.echo(f"Written to {folder}/:")
    click.echo(f"  {summary.RECOMMENDED}, {summary.PATH} and the files of a run")


@contextlib.contextmanager
def _shown(how: "How", jobs: "Sequence[TrainingJob]", workers: int) -> "Iterator[OnEvent]":
    """Shows the trainings of one configuration while they run."""
    from emulator.cli.progress import display
    from emulator.runner.events import TrainingFinished, TrainingResult

    with display(how, jobs, workers) as shown:

        def on_event(event: "Event") -> None:
            if not isinstance(event, TrainingFinished):
                shown.show(event)
            elif isinstance(event.result, TrainingResult):
                shown.end(event.training)
            else:
                shown.fail(event.training)

        yield on_event


def _print(found: "Search") -> None:
    """Print what was tried, and the recommendation."""
    from rich.console import Console

    from emulator.runner.search import summary

    console = Console()
    console.print(_table(found))
    click.echo()
    for sentence in summary.sentences(found):
        console.print(sentence, markup=False, highlight=False)


def _table(found: "Search") -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from emulator.common.text import printable
    from emulator.runner.search import summary

    title = f"{found.space.study.scenario.name}, {found.space.variant}"
    grid = Table(
        title=Text(printable(title)), box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0)
    )
    grid.add_column("configuration", overflow="fold", min_width=14)
    for header in summary.COLUMNS:
        grid.add_column(header, justify="right", overflow="fold")
    for trial in (*found.trials, *filter(None, [found.dense])):
        style = "bold" if trial == found.best else ""
        cells = (printable(trial.name), *summary.row(trial))
        grid.add_row(*(Text(cell, style) for cell in cells))
    return grid
