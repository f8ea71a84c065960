"""Estimates before a run: message sizes, a lower bound of a round's time, histograms."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emulator.common.distributions import Floats
from emulator.common.units import format_duration, format_size
from emulator.runner.metadata import first_fleet
from emulator.runner.recording import Recording
from emulator.scenario.document import printable
from emulator.scenario.scenario import Scenario
from emulator.scenario.study import TrainingJob
from flasc.training.message_sizes import message_bytes

MAX_BARS = 40


@dataclass(frozen=True, slots=True)
class Screen:
    """Width of the terminal, and whether it shows block characters."""

    columns: int = 80
    blocks: bool = True


SCREEN = Screen()


@dataclass(frozen=True, slots=True)
class Messages:
    """Mean bytes of a client's messages in a round; `source`: 'recorded' or 'computed'."""

    down: float
    up: float
    source: str


def bars(values: Floats, width: int, blocks: bool = True) -> str:
    """A histogram of the logarithms of positive `values`, in at most `width` characters.

    Heights are relative to the largest bin; every bin that is not empty is visible.
    """
    ticks = " ▁▂▃▄▅▆▇█" if blocks else " .:-=+*#@"
    counts, _ = np.histogram(np.log(values), max(1, min(width, MAX_BARS)))
    heights = np.ceil(counts / counts.max() * (len(ticks) - 1)).astype(int)
    return "".join(ticks[height] for height in heights)


def messages(trainings: Sequence[TrainingJob], recordings: Path) -> Iterator[str]:
    """One line per method: its message sizes and the resulting lower bound of a round's time.

    If trainings of a method differ (by seed or variant), the first is used.
    """
    first: dict[str, TrainingJob] = {}
    for training in trainings:
        first.setdefault(training.method, training)
    width = max(len(printable(method)) for method in first)
    yield "a client's messages in a round, and bytes / rates until the slowest of a cohort is done:"
    for method, training in first.items():
        found = known(training, recordings)
        text = "not known until it is trained"
        if found is not None:
            least_s = [round_s(found, variant) for variant in training.variants.values()]
            times = dict.fromkeys(format_duration(s) for s in (min(least_s), max(least_s)))
            text = (
                f"{format_size(found.down):>7} down, {format_size(found.up):>7} up "
                f"({found.source}); {' to '.join(times)}"
            )
        yield f"  {printable(method):<{width}}  {text}"


def known(training: TrainingJob, recordings: Path) -> Messages | None:
    """Mean recorded sizes, or else sizes from the settings. Raises RecordingError."""
    recording = Recording(recordings, training.settings.model_dump(mode="json"))
    if recording.downloads and recording.uploads:
        down, up = (
            float(np.mean([entry.nbytes for entry in entries.values()]))
            for entries in (recording.downloads, recording.uploads)
        )
        return Messages(down, up, "recorded")
    computed = message_bytes(training.settings)
    return None if computed is None else Messages(*computed, "computed")


def is_whole(training: TrainingJob, recordings: Path) -> bool:
    """Whether a recording reaches the last round, or the round after the target where runs end.

    If the network decides which clients take part, a run may still leave the recorded path.
    """
    plan = next(iter(training.variants.values())).training
    recording = Recording(recordings, training.settings.model_dump(mode="json"))
    if len(recording.steps) >= plan.rounds:
        return True
    if plan.target is None:
        return False
    states = [state for state, split in recording.scores if split == "validation"]
    scores = [recording.scores[each, "validation"] for each in sorted(states, key=recording.depth)]
    return plan.target.ends([score.accuracy for score in scores])


def is_foreseen(training: TrainingJob) -> bool:
    """Whether the seed alone decides which clients take part, so that a replay needs no training.

    It does not if times or absences matter.
    """
    return all(
        scenario.policy.kind == "synchronous"
        and scenario.selection.kind == "uniform"
        and not (scenario.compute and scenario.compute.max_rank)
        and not any(
            access.availability and access.availability.kind != "always"
            for access in scenario.network.accesses.values()
        )
        for scenario in training.variants.values()
    )


def round_s(sent: Messages, scenario: Scenario) -> float:
    """Median over cohorts of the slowest client's bytes / rates, without RTT and shared links.

    The slowest of c independent clients is below the quantile q with probability q^c, so its
    median is the clients' quantile 2^(-1/c).
    """
    clients = first_fleet(scenario)
    each_s = sent.down / clients.down_Bps + sent.up / clients.up_Bps
    return float(np.quantile(each_s, 0.5 ** (1 / scenario.training.cohort)))
