"""`check` of message logs: what they hold, what they cannot answer, and the networks."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from emulator.common.text import counted, printable
from emulator.common.units import format_score, format_size
from emulator.integrations import message_log
from emulator.integrations.message_log import MessageLog
from emulator.runner import check, inputs, message_logs, metadata, run_source
from emulator.runner.estimates import SCREEN, Screen


def of(paths: Sequence[Path]) -> Sequence[Path]:
    """The message logs that `paths` are, or that the run folder at the only path has; or none."""
    if inputs.are_logs(paths):
        return paths
    return run_source.logs_in(paths[0]) if paths[0].is_dir() else ()


def plan(
    files: Sequence[Path],
    paths: Sequence[Path],
    overrides: Sequence[str] = (),
    networks: Sequence[Path] = (),
    screen: Screen = SCREEN,
    vary: Sequence[str] = (),
) -> Iterator[str]:
    """Lines for a terminal about the logs in `files` and, if there are some, about the networks.

    `paths` are the files, or the folder of the run that has them. Raises MessageLogError and
    ScenarioError before the first line.
    """
    logs = [message_log.read(path) for path in files]
    found = message_logs.combined(logs)
    has_network = bool(networks or overrides or vary or paths[0].is_dir())
    study = inputs.read(paths, overrides, networks=networks, vary=vary) if has_network else None
    for log in logs:
        yield from lines(log)
    clients = found.scenario["task"]["clients"]
    methods = len(found.trainings)
    seeds = f", {len(logs) // methods} seeds each" if len(logs) > methods else ""
    yield f"{counted(methods, 'method')}{seeds}, {counted(clients, 'client')}"
    if study is None:
        yield from message_logs.log_remarks(found.trainings, timed=True)
        yield f"to time them: flasc-emu run LOG... --network NAME, {message_logs.NETWORKS}"
        return
    yield from check.networks(study, screen)
    yield from metadata.remarks(study)


def lines(log: MessageLog) -> Iterator[str]:
    """What a log holds, and what it cannot answer."""
    header, visits = log.header, log.visits
    seed = f", seed {header.seed}" if header.seed else ""
    yield f"{printable(str(log.path))}: fine: run {header.run}, method {header.method}{seed}"
    answered = [visit for visit in visits if not visit.failed]
    unused = sum(not visit.merged for visit in answered)
    yield (
        f"  {counted(log.rounds, 'round')}, {counted(len(visits), 'visit')} of "
        f"{counted(len({visit.client for visit in visits}), 'client')} "
        f"({len(visits) - len(answered)} failed, {unused} not merged); "
        f"{format_size(sum(visit.bytes_down for visit in visits))} down, "
        f"{format_size(sum(visit.bytes_up for visit in visits))} up"
    )
    seconds = sum(visit.seconds is not None for visit in answered)
    examples = sum(visit.examples is not None for visit in answered)
    cannot = "" if examples == len(answered) else "; compute.per_example cannot be set"
    yield f"  {len(answered)} answered: seconds in {seconds}, examples in {examples}{cannot}"
    scores = [score for score in log.scores if score.split == "validation"]
    if scores:
        best = (max if header.direction == "higher" else min)(scores, key=lambda s: s.value)
        of = f"{counted(len(scores), 'score')} of {header.metric} on validation"
        yield f"  {of}, the best {format_score(best.value)} after round {best.round}"
    else:
        yield "  no scores on validation; a target cannot be set"
