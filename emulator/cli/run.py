"""The command `run`."""

import contextlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from emulator.cli.options import (
    FOLDER,
    METHODS,
    NETWORK_SEEDS,
    NETWORKS,
    RECORDINGS,
    SCENARIO_OR_LOGS,
    SET,
    VARY,
    choice,
    repeatable,
    with_draws,
)
from emulator.cli.report import print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emulator.cli.progress import How
    from emulator.runner.events import TrainingResult
    from emulator.runner.executors import Engine
    from emulator.runner.run import Keep, Outcome
    from emulator.scenario.study import Study, TrainingJob


@click.command()
@SCENARIO_OR_LOGS
@SET
@NETWORKS
@VARY
@NETWORK_SEEDS
@click.option(
    "--out",
    type=FOLDER,
    help="Folder for results  [default: runs/NAME; with --network runs/NAME-on-NETWORK, with "
    "--vary runs/NAME-over-KEY]",
)
@RECORDINGS
@METHODS
@click.option(
    "--workers", type=click.IntRange(1), help="Number of processes  [default: one per core]"
)
@choice(
    "--engine",
    of=["local", "ray"],
    about="Run the workers on this machine or with Ray (pip install 'flasc-emu[ray]').",
)
@click.option(
    "--address",
    metavar="HOST:PORT",
    help="With --engine ray: address of a cluster, or 'auto' on one of its nodes  "
    "[default: a local Ray instance]",
)
@repeatable(
    "--needs",
    metavar="NAME=AMOUNT",
    about="With --engine ray: resources of one worker, like CPU=1 or GPU=0.25. Repeatable.",
)
@choice("--device", of=["auto", "cpu", "cuda"], about="Device for training.")
@choice(
    "--keep",
    of=["ledger", "summary"],
    about="What to store: all rows of the simulations, or a summary of each, which has its results "
    "and its curve, but no page, traces and exports.",
)
@click.option("--no-train", is_flag=True, help="Refuse to train: only replay what is recorded.")
@choice(
    "--progress",
    of=["auto", "live", "plain", "json", "none"],
    about="Progress display on stderr: live view, plain lines or JSON lines.",
)
def run(
    paths: tuple[Path, ...],
    overrides: tuple[str, ...],
    networks: tuple[Path, ...],
    vary: tuple[str, ...],
    network_seeds: str | None,
    out: Path | None,
    recordings: Path | None,
    only: tuple[str, ...],
    workers: int | None,
    engine: str,
    address: str | None,
    needs: tuple[str, ...],
    device: str,
    keep: "Keep",
    no_train: bool,
    progress: "How",
) -> None:
    """Run a scenario: train, simulate and report.

    Recorded trainings are replayed, so another network takes seconds and an interrupted run resumes
    when you run it again. SCENARIO is a file or a name from flasc-emu list scenarios. It may also
    be a packed recording, which is replayed without training, or the folder of a run, for example
    to replay it under another --network. The folder knows its recordings.

    A LOG is a message log of a training that another program ran (.jsonl or .csv). Several logs are
    one study. They need a --network.
    """
    from emulator.cli.progress import display
    from emulator.common.text import printable
    from emulator.runner import inputs, run as running
    from emulator.runner.events import Event, TrainingFinished, TrainingResult
    from emulator.scenario.study import titles

    study = inputs.read(paths, with_draws(overrides, network_seeds), only, networks, vary)
    trainings = study.trainings()
    names = titles(trainings)
    options = running.options_for(study, recordings, device, not no_train, keep)
    folder = out or Path("runs") / running.folder_name(study, networks, vary)
    fewest = None if study.trains else 1
    with (
        _engine(engine, workers or fewest, address, needs, device) as chosen,
        display(progress, trainings, chosen.workers) as shown,
    ):

        def on_event(event: Event) -> None:
            if isinstance(event, TrainingFinished):
                result, name = event.result, names[event.training]
                if isinstance(result, TrainingResult):
                    lines = partial(_result_lines, study, name, result)
                    shown.end(event.training, lines, replayed=not result.trained_rounds)
                else:
                    error = f"{name}: {result}"
                    shown.fail(event.training, lambda: [error])
            else:
                shown.show(event)

        outcome = running.run(study, folder, options, engine=chosen, on_event=on_event)
    if outcome.report:
        print_table(outcome.report.study)
        click.echo(_rounds_line(outcome, study, trainings))
        click.echo(f"Written to {folder}/:")
        click.echo("  " + ", ".join(path.name for path in outcome.report.paths))
        if study.scenario.note:
            click.echo(printable(study.scenario.note))
    if outcome.failure:
        raise outcome.failure


def _rounds_line(outcome: "Outcome", study: "Study", trainings: "Sequence[TrainingJob]") -> str:
    """The last line of the results: rounds, trainings and simulations."""
    from emulator.common.text import counted

    rounds, of = counted(outcome.trained_rounds, "round"), counted(len(trainings), "training")
    before = f", {outcome.reused_rounds} recorded before" if outcome.reused_rounds else ""
    counts = {len(training.variants) for training in trainings}
    shared = ""
    if outcome.trained_rounds and len(counts) == 1 and counts != {1}:
        keys = [key for axis in study.scenario.vary.values() for p in axis.values() for key in p]
        kind = "network" if all(key.startswith("network") for key in keys) else "variant"
        shared = f"each run once for {counted(min(counts), kind)}: "
    simulations = counted(sum(training.count for training in trainings), "simulation")
    return f"{rounds} trained{before} ({of}, {shared}{simulations})."


def _engine(
    name: str, workers: int | None, address: str | None, needs: tuple[str, ...], device: str
) -> "contextlib.AbstractContextManager[Engine]":
    from emulator.runner.executors import Local
    from emulator.runner.run import default_workers

    if name == "ray":
        from emulator.runner.executors import ray_cluster

        wanted = workers if address else workers or default_workers()
        return ray_cluster.connected(address, wanted, ray_cluster.parse_needs(needs), device)
    if address or needs:
        raise click.UsageError("--address and --needs need --engine ray")
    return contextlib.nullcontext(Local(workers or default_workers()))


def _result_lines(study: "Study", name: str, result: "TrainingResult") -> list[str]:
    """The lines of the result table for one training; its name without rows."""
    from emulator.reports.terminal import method_lines
    from emulator.results.metrics import outcome, summarise

    if not result.emulations:
        return [name]
    metric = study.scenario.metric_measure
    summaries = [
        summarise([outcome(emulation, rows, study.scenario.training.goal, metric=metric)])
        for emulation, rows in result.emulations.items()
    ]
    return [name, *method_lines(summaries, study.scenario.task.metric)[1:]]
