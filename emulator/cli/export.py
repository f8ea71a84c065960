"""The command group `export`: a run or a network in the formats of other programs."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from emulator.cli.options import FOLDER, PATH, RECORDINGS, SCENARIO, SET, choice, repeatable

if TYPE_CHECKING:
    from emulator.common.errors import EmulatorError
    from emulator.reports.export.tracked_run import TrackedRun
    from emulator.results.ledger import Ledger
    from emulator.simulation.records import Emulation

RUN = click.argument("run", type=PATH)
METHOD = repeatable("--method", "methods", about="Only this NAME. Repeatable.")
VARIANT = repeatable("--variant", "variants", about="Only this NAME. Repeatable.")


def _out(name: str) -> Callable[[Any], Any]:
    return click.option("--out", type=FOLDER, help=f"Folder to write to  [default: RUN/{name}]")


@click.group()
def export() -> None:
    """Export figures, tables, traces or the recording of a RUN, or a tc script."""


@export.command()
@RUN
@choice("--to", "form", of=["pdf", "svg", "png"], about="Format.")
@choice(
    "--width",
    of=["single", "double"],
    about="Width of the page: one column (3.3 inches) or two (6.9 inches).",
)
@repeatable("--figure", "only", about="Only this NAME. Repeatable.")
@METHOD
@VARIANT
@click.option("--no-title", is_flag=True, help="Leave out titles: a paper has a caption.")
@_out("figures")
def figures(
    run: Path,
    form: str,
    width: str,
    only: tuple[str, ...],
    methods: tuple[str, ...],
    variants: tuple[str, ...],
    no_title: bool,
    out: Path | None,
) -> None:
    """Write each figure of a RUN to a file, for a paper."""
    from emulator.cli.report import warn_if_incomplete
    from emulator.common.errors import LedgerError
    from emulator.reports import plot_style, run_report
    from emulator.reports.figures import DOUBLE_IN, SINGLE_IN, figures as drawings
    from emulator.results.stored import open_run

    with open_run(run) as stored:
        warn_if_incomplete(stored)
        found = run_report.only(run_report.load(stored), methods, variants)
    saved: dict[str, Callable[..., bytes]] = {
        "pdf": plot_style.pdf,
        "svg": lambda draw, of: plot_style.svg(draw, of).encode(),
        "png": lambda draw, of: plot_style.png(draw, of, dpi=600),
    }
    width_in = {"single": SINGLE_IN, "double": DOUBLE_IN}[width]
    named = drawings(width_in, found)
    if no_title:
        named = {name: plot_style.untitled(draw) for name, draw in named.items()}
    for name in only:
        _known("figure", name, named, LedgerError)
    for name in only or named:
        _write((out or run / "figures") / f"{name}.{form}", saved[form](named[name], found))


@export.command()
@RUN
@choice("--to", "form", of=["latex", "markdown"], about="Format.")
@METHOD
@VARIANT
def results(run: Path, form: str, methods: tuple[str, ...], variants: tuple[str, ...]) -> None:
    """Print the table of results of a RUN, for a paper.

    LaTeX needs the package booktabs. The fastest method of each variant is bold.
    """
    from emulator.cli.report import warn_if_incomplete
    from emulator.reports import run_report
    from emulator.reports.export import results_table
    from emulator.results.stored import open_run

    with open_run(run) as stored:
        warn_if_incomplete(stored)
        found = run_report.only(run_report.load(stored), methods, variants)
    to_text = {"latex": results_table.to_latex, "markdown": results_table.to_markdown}[form]
    click.echo(to_text(found), nl=False)


@export.command()
@RUN
@choice("--to", "form", of=["csv", "parquet"], about="Format.")
@_out("tables")
def tables(run: Path, form: str, out: Path | None) -> None:
    """Write the outcomes and all rows of a RUN, one file per table.

    Parquet needs pyarrow: pip install "flasc-emu[export]".
    """
    from emulator.reports import run_report
    from emulator.reports.export import tables as rows

    to_bytes = {"csv": rows.to_csv, "parquet": rows.to_parquet}[form]
    with _ledger(run) as ledger:
        for name, table in rows.tables(ledger, run_report.load(ledger)).items():
            _write((out or run / "tables") / f"{name}.{form}", to_bytes(table))


@export.command()
@RUN
@METHOD
@VARIANT
@_out("traces")
def perfetto(
    run: Path, methods: tuple[str, ...], variants: tuple[str, ...], out: Path | None
) -> None:
    """Write timelines of a RUN for ui.perfetto.dev, one file per simulation."""
    from emulator.reports import run_report
    from emulator.reports.export import perfetto as trace

    with _ledger(run) as ledger:
        for name, emulation in _chosen(ledger, methods, variants):
            text = trace.to_json(
                emulation, ledger.rows(emulation), run_report.metric(ledger.meta())
            )
            _write((out or run / "traces") / f"{name}.json", text.encode())


@export.command()
@RUN
@METHOD
@VARIANT
@_out("tensorboard")
def tensorboard(
    run: Path, methods: tuple[str, ...], variants: tuple[str, ...], out: Path | None
) -> None:
    """Write curves of a RUN for TensorBoard, one folder per simulation.

    The 'Relative' axis shows simulated time. Needs: pip install "flasc-emu[export]".
    """
    from emulator.reports import run_report
    from emulator.reports.export import tensorboard as scalars

    with _ledger(run) as ledger:
        for name, emulation in _chosen(ledger, methods, variants):
            folder = (out or run / "tensorboard") / name
            scalars.write(folder, ledger.rows(emulation), run_report.metric(ledger.meta()))
            click.echo(folder)


@export.command()
@RUN
@METHOD
@VARIANT
@_out("mlflow")
def mlflow(
    run: Path, methods: tuple[str, ...], variants: tuple[str, ...], out: Path | None
) -> None:
    """Write a RUN to an MLflow store, mlflow.db, one MLflow run per simulation.

    A store may hold several RUNs. Needs: pip install "flasc-emu[mlflow]".
    """
    from emulator.reports.export import mlflow as store

    with _ledger(run) as ledger:
        click.echo(store.write(out or run / "mlflow", _tracked(ledger, run, methods, variants)))


@export.command()
@RUN
@METHOD
@VARIANT
@click.option("--out", type=FOLDER, help="Folder to write wandb/ to  [default: RUN]")
def wandb(run: Path, methods: tuple[str, ...], variants: tuple[str, ...], out: Path | None) -> None:
    """Write a RUN for Weights & Biases, one offline run per simulation.

    'wandb sync' uploads them. Needs: pip install "flasc-emu[wandb]".
    """
    from emulator.reports.export import wandb as offline

    with _ledger(run) as ledger:
        for folder in offline.write(out or run, _tracked(ledger, run, methods, variants)):
            click.echo(folder)


@export.command()
@click.argument("runs", type=PATH, nargs=-1, required=True)
@SET
@METHOD
@RECORDINGS
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write  [default: recording.json.gz in RUN, or here for several]",
)
def recording(
    runs: tuple[Path, ...],
    overrides: tuple[str, ...],
    methods: tuple[str, ...],
    recordings: Path | None,
    out: Path | None,
) -> None:
    """Write the trainings of RUNS to one small file, for replay on another machine.

    Each RUN is a run folder, a packed recording or a scenario that is recorded to its end. Several
    RUNS are joined. They may differ only in methods, seeds and rounds. Training states and models
    are excluded.
    """
    from emulator.runner import export_recording, inputs
    from emulator.runner.run import options_for

    only = methods if len(runs) == 1 else ()  # of several, one may lack a method
    studies = {str(run): inputs.read(run, overrides, only) for run in runs}
    stores = {
        # a packed recording has its own; among several runs, the folder is for the others
        name: options_for(s, None if s.packed and len(runs) > 1 else recordings).recordings
        for name, s in studies.items()
    }
    packed = export_recording.packed_recording(studies, stores, methods)
    alone = runs[0] if len(runs) == 1 and runs[0].is_dir() else Path()
    path = out or alone / "recording.json.gz"
    for training in packed.missing:
        note = f"{path} does not have all rounds of {training}, which the scenario asks for"
        click.echo(f"warning: {note}", err=True)
    _write(path, packed.content)


@export.command()
@SCENARIO
@SET
@click.option(
    "--variant", metavar="NAME", help="Variant whose network is used.  [default: the first]"
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    help="Seed of the links.  [default: the first of the scenario]",
)
def tc(scenario: Path, overrides: tuple[str, ...], variant: str | None, seed: int | None) -> None:
    """Print a shell script that shapes the links of real hosts as in a SCENARIO."""
    from emulator.common.errors import ScenarioError
    from emulator.runner import inputs
    from emulator.simulation.clients import fleet
    from emulator.testbed import tc_script

    found = inputs.read(scenario, overrides)
    label = variant or next(iter(found.variants))
    _known("variant", label, found.variants, ScenarioError)
    varied = found.variants[label]
    drawn = varied.fleet_seed if seed is None else seed
    clients = fleet.draw_fleet(varied.network, varied.compute, varied.task.clients, drawn)
    for note in tc_script.not_shaped(varied.network, clients):
        click.echo(f"warning: {note}", err=True)
    click.echo(tc_script.script(varied, label, clients), nl=False)


def _ledger(run: Path) -> "Ledger":
    """The ledger of a run; warns if it lacks simulations."""
    from emulator.cli.report import warn_if_incomplete
    from emulator.results.ledger import Ledger

    ledger = Ledger.open(run / "ledger.sqlite")
    warn_if_incomplete(ledger)
    return ledger


def _chosen(
    ledger: "Ledger", methods: tuple[str, ...], variants: tuple[str, ...]
) -> Iterator[tuple[str, "Emulation"]]:
    """The chosen simulations (default: all), each with a file name."""
    from emulator.common.errors import LedgerError
    from emulator.common.files import distinct

    every = ledger.emulations()
    for method in methods:
        _known("method", method, (e.method for e in every), LedgerError)
    for variant in variants:
        _known("variant", variant, (e.variant for e in every), LedgerError)
    names = distinct(_file_name(e) for e in every)
    for name, e in zip(names, every, strict=True):
        if (not methods or e.method in methods) and (not variants or e.variant in variants):
            yield name, e


def _file_name(of: "Emulation") -> str:
    from emulator.common.files import slug

    draw = "" if of.network_seed is None else f"-network-seed-{of.network_seed}"
    return f"{slug(of.method)}-{slug(of.variant)}{draw}-seed-{of.seed}"


def _tracked(
    ledger: "Ledger", run: Path, methods: tuple[str, ...], variants: tuple[str, ...]
) -> "Iterator[TrackedRun]":
    """The chosen simulations for an experiment tracker; warns if their settings are unknown."""
    from emulator.reports.export.tracked_run import tracked
    from emulator.results.metadata import RunMetadata
    from emulator.runner.origins import origins
    from flasc.common.errors import UserError

    meta = RunMetadata.from_meta(ledger.meta())
    try:
        known = origins(run)
    except UserError as error:
        known = {}
        click.echo(f"warning: exported without settings and recordings: {error.message}", err=True)
    for _, each in _chosen(ledger, methods, variants):
        yield tracked(each, ledger.rows(each), meta, run.resolve().name, known.get(each))


def _known(what: str, name: str, names: Iterable[str], error: "type[EmulatorError]") -> None:
    from emulator.common.text import nearest

    names = list(dict.fromkeys(names))
    if name not in names:
        close = nearest(name, names)
        hint = f"did you mean {close!r}?" if close else ""
        raise error(f"found no {what} {name!r}; allowed: {', '.join(names)}", hint)


def _write(path: Path, content: bytes) -> None:
    from emulator.common.files import replace, storage

    with storage(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, content)
    click.echo(path)
