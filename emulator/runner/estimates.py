"""Estimates before a run: message sizes, a lower bound of a round's time, histograms."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emulator.common.distributions import Floats
from emulator.common.units import format_duration, format_size
from emulator.network.tcp import Direction
from emulator.runner import trace_remarks, training_pace
from emulator.runner.metadata import first_fleet
from emulator.runner.recording import Recording
from emulator.scenario.document import printable
from emulator.scenario.scenario import Scenario
from emulator.scenario.study import Study, TrainingJob
from emulator.simulation.clients.least_times import LeastTimes
from emulator.simulation.clients.link_profiles import WAYS
from emulator.simulation.simulate import build_selector
from flasc.training.message_sizes import message_bytes, payload_bytes

MAX_BARS = 40
MAX_DRAWN = 500  # rounds whose cohorts are drawn, for the least times of rounds


@dataclass(frozen=True, slots=True)
class Screen:
    """Width of the terminal, and whether it shows block characters."""

    columns: int = 80
    blocks: bool = True


SCREEN = Screen()


@dataclass(frozen=True, slots=True)
class Messages:
    """Mean bytes of a client's messages in a round; `source`: 'recorded' or 'computed'.

    `least` are the bytes of the smallest messages that are timed, by `network.charge`.
    """

    down: float
    up: float
    source: str
    least: Mapping[str, Mapping[Direction, int]]


def bars(values: Floats, width: int, blocks: bool = True) -> str:
    """A histogram of the logarithms of positive `values`, in at most `width` characters.

    Heights are relative to the largest bin; every bin that is not empty is visible.
    """
    ticks = " ▁▂▃▄▅▆▇█" if blocks else " .:-=+*#@"
    counts, _ = np.histogram(np.log(values), max(1, min(width, MAX_BARS)))
    heights = np.ceil(counts / counts.max() * (len(ticks) - 1)).astype(int)
    return "".join(ticks[height] for height in heights)


def messages(study: Study, recordings: Path) -> Iterator[str]:
    """One line per method: its message sizes and the least time of a round.

    Remarks about deadlines and short traces follow. If trainings of a method differ (by seed or
    variant), the first is used.
    """
    first: dict[str, TrainingJob] = {}
    for training in study.trainings():
        first.setdefault(training.method, training)
    sizes = {method: known(training, recordings) for method, training in first.items()}
    variants = {
        label: each for training in first.values() for label, each in training.variants.items()
    }
    least: dict[str, list[float]] = {method: [] for method in first}
    late: dict[str, list[str]] = {}
    whole_s: dict[str, float] = {}
    for label, variant in variants.items():
        rounds = LeastRounds(variant)
        for method, training in first.items():
            found = sizes[method]
            if label in training.variants and found is not None:
                seconds = rounds.seconds(found)
                least[method] += seconds
                whole_s[label] = max(rounds.whole_s(seconds), whole_s.get(label, 0.0))
                if text := rounds.late(found, printable(method)):
                    late.setdefault(text, []).append(printable(label))
    width = max(len(printable(method)) for method in first)
    yield (
        "a client's messages in a round, and the least time of a round (of one client, if rounds "
        "overlap):"
    )
    for method, found in sizes.items():
        text = "not known until it is trained"
        if found is not None:
            of = least[method]
            times = dict.fromkeys(format_duration(s) for s in (min(of), max(of)))
            text = (
                f"{format_size(found.down):>7} down, {format_size(found.up):>7} up "
                f"({found.source}); {' to '.join(times)}"
            )
        yield f"  {printable(method):<{width}}  {text}"
    for text, labels in late.items():
        yield text + (f" ({', '.join(labels)})" if len(labels) < len(variants) else "")
    yield from trace_remarks.ends(study, whole_s, "all rounds take at least")


def known(training: TrainingJob, recordings: Path) -> Messages | None:
    """Mean recorded sizes, or else sizes from the settings. Raises RecordingError."""
    recording = opened(training, recordings)
    if recording.downloads and recording.uploads:
        entries = {"down": recording.downloads.values(), "up": recording.uploads.values()}
        down, up = (float(np.mean([each.nbytes for each in of])) for of in entries.values())
        least: dict[str, Mapping[Direction, int]] = {
            "encoded": {way: min(each.nbytes for each in entries[way]) for way in WAYS},
            "values": {way: min(each.value_bytes for each in entries[way]) for way in WAYS},
        }
        return Messages(down, up, "recorded", least)
    encoded, values = message_bytes(training.settings), payload_bytes(training.settings)
    if encoded is None or values is None:
        return None
    by_charge = {"encoded": encoded, "values": values}
    least = {charge: {"down": down, "up": up} for charge, (down, up) in by_charge.items()}
    return Messages(*encoded, "computed", least)


def opened(training: TrainingJob, recordings: Path) -> Recording:
    """What is recorded of a training. Raises RecordingError."""
    settings = training.settings.model_dump(mode="json")
    return Recording(recordings, settings, weights=training.weights)


def is_whole(training: TrainingJob, recordings: Path) -> bool:
    """Whether a recording reaches the last round, or the round after the target where runs end.

    If the network decides which clients take part, a run may still leave the recorded path.
    """
    plan = next(iter(training.variants.values())).training
    recording = opened(training, recordings)
    if len(recording.steps) >= plan.rounds:
        return True
    if plan.target is None:
        return False
    states = [state for state, split in recording.scores if split == "validation"]
    scores = [recording.scores[each, "validation"] for each in sorted(states, key=recording.depth)]
    return plan.target.ends(scores)


def is_foreseen(training: TrainingJob) -> bool:
    """Whether the seed alone decides which clients take part, so that a replay needs no training.

    It does not if times or absences matter.
    """
    return all(
        scenario.policy.kind == "synchronous"
        and scenario.selection.kind == "uniform"
        and _is_closed(scenario)
        for scenario in training.variants.values()
    )


def _is_known(scenario: Scenario) -> bool:
    """Whether the seed alone decides which clients take part in each round."""
    return (
        scenario.selection.kind == "uniform"
        and _is_closed(scenario)
        and scenario.training.rounds <= MAX_DRAWN
    )


def _is_closed(scenario: Scenario) -> bool:
    """Whether all clients can take part in each round, and no work reaches into the next."""
    return (
        scenario.policy.kind in ("synchronous", "overselection", "deadline")
        and getattr(scenario.policy, "late", "drop") == "drop"
        and not (scenario.compute and scenario.compute.max_rank)
        and not any(
            access.availability and access.availability.kind != "always"
            for access in scenario.network.accesses.values()
        )
    )


class LeastRounds:
    """Lower bounds of the rounds of a scenario with its first seed.

    Where clients come and go or work over several rounds, a bound is that of the fastest client.
    """

    def __init__(self, scenario: Scenario) -> None:
        fleet, cohort = first_fleet(scenario), scenario.training.cohort
        self._times = LeastTimes(scenario.network, fleet)
        self._charge = scenario.network.charge
        self._deadline_s: float = getattr(scenario.policy, "deadline", math.inf)
        self._asked = scenario.policy.max_concurrency(cohort)
        self._wanted = scenario.policy.updates_per_round(cohort) or cohort
        self._rounds, self._is_closed = scenario.training.rounds, _is_closed(scenario)
        everyone = np.arange(len(fleet))
        self._cohorts = [everyone]
        if _is_known(scenario):
            selector = build_selector(scenario, scenario.training.seeds[0])
            numbers = range(1, scenario.training.rounds + 1)
            drawn = (selector.select(n, everyone, self._asked) for n in numbers)
            self._cohorts = [cohort for cohort in drawn if len(cohort)] or [everyone]
            if scenario.training.dp:
                self._wanted = len(fleet)  # all that were drawn
        elif not self._is_closed:
            self._wanted = 1

    def seconds(self, sent: Messages) -> list[float]:
        """The least seconds of each round whose cohort is known, or of any round."""
        found = (self._updates_s(sent, cohort) for cohort in self._cohorts)
        whole = [float(times_s[min(self._wanted, len(times_s)) - 1]) for times_s in found]
        return [min(each_s, self._deadline_s) for each_s in whole]

    def whole_s(self, seconds: Sequence[float]) -> float:
        """The least time of all rounds, if `seconds` are those of each; 0 if rounds overlap."""
        if not self._is_closed:
            return 0.0
        return math.fsum(seconds) if len(seconds) > 1 else self._rounds * seconds[0]

    def late(self, sent: Messages, method: str) -> str:
        """A remark, if in every round some updates cannot arrive before the deadline, or ''."""
        if self._deadline_s == math.inf:
            return ""
        found = [self._updates_s(sent, cohort) for cohort in self._cohorts]
        arrive = max(int(np.searchsorted(each, self._deadline_s, "right")) for each in found)
        if arrive >= self._wanted:
            return ""
        deadline = f"with the deadline of {format_duration(self._deadline_s)}"
        if arrive:
            return (
                f"{deadline}, at most {arrive} of {self._asked} updates of {method} can be in time"
            )
        first_s = min(float(each[0]) for each in found)
        takes = f"one takes {format_duration(first_s)} or more"
        return f"{deadline}, no update of {method} can be in time: {takes}"

    def _updates_s(self, sent: Messages, cohort: NDArray[np.int64]) -> Floats:
        return self._times.updates_s(sent.least[self._charge], cohort)


def training_time(left: Sequence[TrainingJob], recordings: Path, workers: int) -> str:
    """How long the trainings that are `left` take in so many processes, in words.

    A training that reaches its target ends sooner. Raises RecordingError.
    """
    paces = [training_pace.stored(each.settings) for each in left]
    known = [pace for pace in paces if pace is not None]
    if len(known) < len(left):
        return "how long the rest takes is not known"
    spent_s = [
        _updates(job, recordings) * pace.of(job.settings)
        for job, pace in zip(left, known, strict=True)
    ]
    workers = min(workers, len(left))
    whole_s = max(sum(spent_s) / workers, *spent_s)
    processes = f"{workers} processes" if workers > 1 else "1 process"
    update_s = known[0].of(left[0].settings)
    return (
        f"the rest takes up to about {format_duration(whole_s)} in {processes} "
        f"({format_duration(update_s)} per update of a client, as in the last training here, on "
        f"{known[0].device})"
    )


def _updates(job: TrainingJob, recordings: Path) -> int:
    """The most updates of clients that a training still needs."""
    scenario = next(iter(job.variants.values()))
    rounds = max(0, scenario.training.rounds - len(opened(job, recordings).steps))
    cohort = scenario.training.cohort
    return rounds * (scenario.policy.updates_per_round(cohort) or cohort)
