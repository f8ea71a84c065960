"""Makes a study of message logs, by method and seed, and the network that the user gives.

Client n is the nth id in the order of first appearance, or the id with partition n, and has the
link of client n. Logs that share ids are numbered together.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from emulator.common.errors import MessageLogError
from emulator.common.text import counted, printable, short_repr
from emulator.common.units import format_size
from emulator.integrations import message_log
from emulator.integrations.message_log import MessageLog
from emulator.integrations.message_log.problems import validated
from emulator.scenario.logged import KIND
from emulator.simulation.clients.applications import ApplicationSettings
from emulator.simulation.records import UNKNOWN
from emulator.simulation.rounds.logged import LoggedRound, LoggedTraining, LoggedVisit, Logs, titled
from flasc.common.messages import Score

T = TypeVar("T")
NAMELESS = "log"
UNUSED_TARGET = "no scores on validation, so the target in the header is not used"
NETWORKS = "like 4g_cell, 5g, cable or a file (names: flasc-emu list networks)"


@dataclass(frozen=True)
class FoundLogs:
    """The trainings, the scenario of them all without a network, and texts to keep."""

    trainings: Logs
    scenario: Mapping[str, Any]
    texts: tuple[str, ...]  # the logs as JSONL


def read(paths: Sequence[Path]) -> FoundLogs:
    """The logs in the files. Raises MessageLogError if one is invalid or two do not fit."""
    return combined([message_log.read(path) for path in paths])


def combined(logs: Sequence[MessageLog]) -> FoundLogs:
    """The logs as trainings of one study. Raises MessageLogError if they do not fit together."""
    methods = _by_method(logs)
    numbers = numbered(logs)
    clients = _clients(logs, numbers)
    metric = _agreed("metric", [(log, log.header.metric) for log in logs])
    direction = _agreed("direction", [(log, log.header.direction) for log in logs])
    target = _agreed("target", [(log, log.header.target) for log in logs])
    is_target_used = target is not None and all(map(_is_scored, logs))
    unused = "" if target is None or is_target_used else UNUSED_TARGET
    trainings: dict[str, dict[int, LoggedTraining]] = {name: {} for name in methods}
    for log, number in zip(logs, numbers, strict=True):
        method, seed = log.header.method, log.header.seed
        trainings[method][seed] = _training(log, number, clients, unused)
    training: dict[str, Any] = {
        "rounds": max(log.rounds for log in logs),
        "cohort": max(each.cohort for _, each in titled(trainings)),
    }
    if (seeds := list(next(iter(methods.values())))) != [0]:
        training["seeds"] = seeds
    if is_target_used:
        key = "accuracy" if direction == "higher" else "loss"
        training["target"] = {key: target, "stop_after": "never"}
    task = {"name": KIND, "clients": clients, "scored_by": metric}
    if direction != "higher":
        task["direction"] = direction
    scenario = {
        "name": _scenario_name(logs[0].header.run),
        "task": task,
        "training": training,
        "methods": {name: {"kind": KIND, "log": _digests(of)} for name, of in methods.items()},
    }
    return FoundLogs(trainings, scenario, tuple(log.text for log in logs))


def _by_method(logs: Sequence[MessageLog]) -> dict[str, dict[int, MessageLog]]:
    """The logs by method and seed, seeds in order.

    Raises MessageLogError if two logs have the same ones, or if methods differ in their seeds.
    """
    found: dict[str, dict[int, MessageLog]] = {}
    for log in logs:
        method, seed = log.header.method, log.header.seed
        if (other := found.setdefault(method, {}).setdefault(seed, log)) is not log:
            raise MessageLogError(
                f"{_name(log)} and {_name(other)}: found method {short_repr(method)} with seed "
                f"{seed} in both; allowed: a method or a seed of its own for each log",
                "rename the method in the header of one log, or number repetitions: seed 0, 1, ...",
            )
    found = {method: dict(sorted(of.items())) for method, of in found.items()}
    (first, seeds), *others = ((method, list(of)) for method, of in found.items())
    for method, own in others:
        if own != seeds:
            raise MessageLogError(
                f"{printable(first)} and {printable(method)}: found logs with "
                f"{_seeds_text(seeds)} and with {_seeds_text(own)}; allowed: the same seeds for "
                "all methods",
                "leave out the logs of other seeds, or time the methods one by one",
            )
    return found


def _seeds_text(seeds: Sequence[int]) -> str:
    return f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"


def _digests(logs: Mapping[int, MessageLog]) -> str | dict[str, str]:
    """The digest of a method's log, or those of several by seed."""
    found = {str(seed): log.digest for seed, log in logs.items()}
    return found if len(found) > 1 else next(iter(found.values()))


def numbered(logs: Sequence[MessageLog]) -> list[Mapping[str, int]]:
    """The number of each client of each log, by id."""
    families: list[dict[str, int]] = []
    found: list[Mapping[str, int]] = []
    for log in logs:
        if log.partitions:
            found.append(log.partitions)
            continue
        family = next((each for each in families if not each.keys().isdisjoint(log.ids)), None)
        if family is None:
            families.append(family := {})
        for each in log.ids:
            family.setdefault(each, len(family))
        found.append({each: family[each] for each in log.ids})
    return found


def _clients(logs: Sequence[MessageLog], numbers: Sequence[Mapping[str, int]]) -> int:
    """The number of clients. Raises MessageLogError if headers differ or name too few."""
    fewest = 1 + max(max(each.values()) for each in numbers)
    clients = _agreed("clients", [(log, log.header.clients) for log in logs]) or fewest
    if clients < fewest:
        names = ", ".join(map(_name, logs))
        raise MessageLogError(
            f"{names}: clients: found {clients}, and the logs name {fewest} in all; allowed: at "
            "least as many clients as ids",
            "give each client the same id in all logs, or a partition",
        )
    return clients


def _agreed(what: str, found: Sequence[tuple[MessageLog, T | None]]) -> T | None:
    """The value that all logs that have one share; None without any. Raises MessageLogError."""
    given = [(log, value) for log, value in found if value is not None]
    if not given:
        return None
    (first, value), *others = given
    for log, other in others:
        if other != value:
            raise MessageLogError(
                f"{_name(first)} and {_name(log)}: {what}: found {short_repr(value)} and "
                f"{short_repr(other)}; allowed: the same in all logs",
                "time the logs one by one, or change a header",
            )
    return value


def _is_scored(log: MessageLog) -> bool:
    """Whether a target can be measured."""
    return any(score.split == "validation" for score in log.scores)


def _training(
    log: MessageLog, numbers: Mapping[str, int], clients: int, unscored: str
) -> LoggedTraining:
    """The training of a log; `unscored` is a remark if it has no scores, or ''."""
    visits: list[dict[int, LoggedVisit]] = [{} for _ in range(log.rounds)]
    merged = [0] * log.rounds
    for each in log.visits:
        visits[each.round - 1][numbers[each.client]] = LoggedVisit(
            each.bytes_down, each.bytes_up, each.seconds, each.examples, each.steps or 0,
            each.failed,
        )  # fmt: skip
        merged[each.round - 1] += each.merged and not each.failed
    initial: dict[str, Score] = {}
    scores: list[dict[str, Score]] = [{} for _ in range(log.rounds)]
    for score in log.scores:
        scored = UNKNOWN if score.examples is None else score.examples
        loss = float(UNKNOWN) if score.loss is None else score.loss
        [initial, *scores][score.round][score.split] = Score(scored, score.value, loss)
    rounds = [LoggedRound(*each) for each in zip(visits, merged, scores, strict=True)]
    held = {
        numbers[each.client]: each.examples
        for each in log.clients
        if each.examples is not None and each.client in numbers
    }
    examples = [held[n] for n in range(clients)] if held.keys() >= set(range(clients)) else None
    groups = {numbers[c.client]: c.group for c in log.clients if c.group and c.client in numbers}
    source = f"{printable(log.path.name)}, digest {log.digest}"
    program = _program(log)
    remarks = tuple(
        filter(None, [*_untimed(log), _sent_by(program), "" if _is_scored(log) else unscored])
    )
    application = program.model() if program else None
    return LoggedTraining(
        rounds, examples, groups, initial, source, remarks, log.remarks, application
    )


def _program(log: MessageLog) -> ApplicationSettings | None:
    """How the program sent its messages. Raises MessageLogError."""
    if log.program is None:
        return None
    keys = log.program.model_dump(exclude_none=True, exclude={"kind"})
    return validated(ApplicationSettings, keys, log.path, None, dict.fromkeys(keys, "program"))


def _sent_by(program: ApplicationSettings | None) -> str:
    """A remark about how the program sends its messages, or ''."""
    if program is None or not (text := program.describe()):
        return ""
    unless = "unless the network has an application or transport fluid"
    return f"messages are sent as by {text}, {unless}"


def _untimed(log: MessageLog) -> Iterator[str]:
    """A remark about the messages that are no training, if there are some."""
    if not log.untimed:
        return
    purposes = Counter(each.purpose for each in log.untimed)
    kinds = ", ".join(f"{number} {printable(purpose)}" for purpose, number in purposes.items())
    yield (
        f"{counted(len(log.untimed), 'request')} without training "
        f"({kinds}), {format_size(sum(each.bytes_down for each in log.untimed))} down and "
        f"{format_size(sum(each.bytes_up for each in log.untimed))} up: not timed"
    )


def _scenario_name(run: str) -> str:
    """The name of a run as a scenario and a folder can have it."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", run).strip("-._")[:100] or NAMELESS


def _name(log: MessageLog) -> str:
    return printable(str(log.path))


def log_remarks(logs: Logs, *, timed: bool) -> Iterator[str]:
    """Remarks about what was noticed in logs, and about what is not as it was in the real run.

    With `timed`, local training takes the logged seconds.
    """
    for title, log in titled(logs):
        yield from log.file_remarks
        for remark in (*log.remarks, *_differences(log, timed=timed)):
            yield f"{printable(title)}: {remark}"


def _differences(log: LoggedTraining, *, timed: bool) -> Iterator[str]:
    """What is not as it was in the real run."""
    visits = [visit for each in log.rounds for visit in each.visits.values()]
    silent = sum(visit.seconds is None and not visit.failed for visit in visits)
    if timed and silent:
        yield (
            f"{silent} of {counted(len(visits), 'visit')} have no "
            "seconds, so their local training takes no time"
        )
    if over := sum(each.rule().first < len(each.visits) for each in log.rounds):
        yield (
            f"in {counted(over, 'round')} more updates arrived than were "
            "merged: the first ones to arrive end such a round, and the scores are those logged"
        )
