"""What a study would do, in words, before anything runs. Torch-free."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from emulator import fleet
from emulator.document import printable
from emulator.recording import Recording
from emulator.scenario import Scenario
from emulator.study import Study, Training
from emulator.units import format_duration, format_rate


def plan(study: Study, recordings: Path) -> Iterator[str]:
    """Lines for a terminal: how much there is to do, and over which networks."""
    scenario = study.scenario
    trainings = study.trainings()
    training = scenario.training
    emulations = sum(len(each.variants) for each in trainings)
    yield f"{scenario.name}: fine"
    yield (
        f"{_counted(len(trainings), 'training')} ({_counted(len(scenario.methods), 'method')}, "
        f"{_counted(len(training.seeds), 'seed')}) of at most {training.rounds} rounds, "
        f"{training.cohort} of {scenario.task.clients} clients a round; "
        f"{_counted(emulations, 'emulation')} ({_counted(len(study.variants), 'variant')})"
    )
    if training.target:
        yield f"target: {training.target.accuracy:.1%} on the validation split"
    recorded = [recorded_rounds(each, recordings) for each in trainings]
    yield (
        f"recorded already: {sum(recorded)} rounds of "
        f"{_counted(sum(map(bool, recorded)), 'training')}"
    )
    for label, variant in study.variants.items():
        yield f"{printable(label)}: {_links(variant)}"


def recorded_rounds(training: Training, recordings: Path) -> int:
    """Server steps that a recording holds for this training. Raises RecordingError."""
    settings = training.settings.model_dump(mode="json")
    return len(Recording(recordings, settings).steps)


def _counted(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _links(scenario: Scenario) -> str:
    """The fleet's links as median and, where they differ, the 10th to 90th percentile."""
    clients = fleet.build(
        scenario.network, scenario.compute, scenario.task.clients, scenario.training.seeds[0]
    )

    def rate(values: np.ndarray) -> str:
        low, median, high = (format_rate(8 * q) for q in np.quantile(values, (0.1, 0.5, 0.9)))
        return median if low == high else f"{median} ({low} to {high})"

    rtt = format_duration(2 * float(np.median(clients.delay_s)))
    loss = f", loss {np.median(clients.loss):.2%}" if clients.loss.any() else ""
    links = f"down {rate(clients.down_Bps)}, up {rate(clients.up_Bps)}, RTT {rtt}{loss}"
    return f"{links}, over {scenario.network.transport.kind}"
