"""The command `run`."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from emulator.cli.options import FOLDER, NETWORKS, RECORDINGS, SCENARIO, SET, choice, repeatable
from emulator.cli.report import print_report
from emulator.common.errors import EmulationError

if TYPE_CHECKING:
    from emulator.cli.progress import How
    from emulator.runner.events import TrainingResult
    from emulator.runner.executors import Engine
    from emulator.scenario.study import Study


@click.command()
@SCENARIO
@SET
@NETWORKS
@click.option(
    "--out",
    type=FOLDER,
    help="Folder for results  [default: runs/NAME; with --network runs/NAME-on-NETWORK]",
)
@RECORDINGS
@repeatable("--method", "only", about="Only this method. Repeatable.")
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
    "--progress",
    of=["auto", "live", "plain", "json", "none"],
    about="Progress display on stderr: live view, plain lines or JSON lines.",
)
def run(
    scenario: Path,
    overrides: tuple[str, ...],
    networks: tuple[Path, ...],
    out: Path | None,
    recordings: Path,
    only: tuple[str, ...],
    workers: int | None,
    engine: str,
    address: str | None,
    needs: tuple[str, ...],
    device: str,
    progress: "How",
) -> None:
    """Run a scenario: train, simulate and report.

    Recorded trainings are replayed, so another network takes seconds and an interrupted run resumes
    when you run it again. SCENARIO may also be the folder of a run, for example to replay it under
    another --network, or a packed recording, which is replayed without training.
    """
    from emulator.cli.progress import display, titles
    from emulator.runner import inputs, run as running
    from emulator.runner.events import Event, TrainingFinished, TrainingResult
    from emulator.runner.executors import Options

    study = inputs.read(scenario, overrides, only, networks)
    trainings = study.trainings()
    names = titles(trainings)
    folder = out or Path("runs") / running.folder_name(study, networks)
    fewest = 1 if study.packed else None
    with (
        _engine(engine, workers or fewest, address, needs, device) as chosen,
        display(progress, trainings, chosen.workers) as shown,
    ):

        def on_event(event: Event) -> None:
            if isinstance(event, TrainingFinished):
                lines = _result_lines(study, names[event.training], event.result)
                end = shown.end if isinstance(event.result, TrainingResult) else shown.fail
                end(event.training, lines)
            else:
                shown.show(event)

        outcome = running.run(
            study, folder, Options(recordings, device), engine=chosen, on_event=on_event
        )
    if outcome.written:
        print_report(folder, "table")
        trained, reused = outcome.trained_rounds, outcome.reused_rounds
        click.echo(f"{trained} rounds trained, {reused} reused; written to {folder}/:")
        click.echo("  " + ", ".join(path.name for path in outcome.written))
    if outcome.failures:
        failed = "; ".join(names[index] for index, _ in outcome.failures)
        of_first = "; the first" if len(outcome.failures) > 1 else ""
        _, error = outcome.failures[0]
        raise EmulationError(f"not finished: {failed}{of_first}: {error.message}", error.hint)


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


def _result_lines(study: "Study", name: str, result: "TrainingResult | Exception") -> list[str]:
    """The lines of the result table for one training, or its error."""
    from emulator.reports.terminal import method_lines
    from emulator.results.metrics import outcome, summarise
    from emulator.runner.events import TrainingResult
    from emulator.simulation.target import FIRST

    if not isinstance(result, TrainingResult):
        return [f"{name}: {result}"]
    target = study.scenario.training.target
    goal = (target.accuracy, target.rule) if target else (None, FIRST)
    summaries = [
        summarise([outcome(emulation, rows, goal[0], rule=goal[1])])
        for emulation, rows in result.emulations.items()
    ]
    return [name, *method_lines(summaries, study.scenario.task.metric)[1:]]
