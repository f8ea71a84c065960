"""`check`: what a study would train and simulate, as text. Does not import torch."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from emulator.common.distributions import Floats
from emulator.common.errors import ScenarioError
from emulator.common.text import counted, printable, short_repr
from emulator.common.units import format_duration, format_rate
from emulator.results import privacy
from emulator.runner import defaults, metadata
from emulator.runner.estimates import (
    SCREEN,
    Screen,
    bars,
    is_foreseen,
    is_whole,
    messages,
    opened,
    training_time,
)
from emulator.scenario.document import fix_hint
from emulator.scenario.scenario import Scenario
from emulator.scenario.study import Study, TrainingJob, variant_labels
from emulator.simulation.clients import link_profiles
from emulator.simulation.clients.fleet import Fleet
from emulator.simulation.target import FALLING, FIRST, LOSS, MEANING, Goal
from flasc.common import plugins
from flasc.training.settings import Problem, TrainingSettings


def plan(
    study: Study, recordings: Path, screen: Screen = SCREEN, workers: int = 1
) -> Iterator[str]:
    """Lines for a terminal: the number of trainings, and the networks.

    `workers` is the number of processes of a run. Raises ScenarioError before the first line if
    something cannot be trained.
    """
    require_trainable(study, recordings)
    scenario = study.scenario
    trainings = study.trainings()
    training = scenario.training
    emulations = sum(each.count for each in trainings)
    yield f"{scenario.name}: fine"
    yield (
        f"{counted(len(trainings), 'training')} ({counted(len(study.methods), 'method')}, "
        f"{counted(len(training.seeds), 'seed')}) of at most {training.rounds} rounds, "
        f"{training.cohort} of {scenario.task.clients} clients per round; "
        f"{counted(emulations, 'emulation')} ({counted(len(study.variants), 'variant')})"
    )
    if goal := training.goal:
        mean = "" if goal.rule == FIRST else f", {MEANING[goal.rule]}"
        yield f"target: {_goal(goal, scenario.task.metric)} on the validation split{mean}"
    accounts = map(metadata.privacy_account, study.variants.values())
    for account in dict.fromkeys(filter(None, accounts)):
        yield f"privacy: {privacy.describe(account, training.rounds)}"
    yield _recorded(trainings, recordings, workers)
    yield from defaults.remarks(study, recordings)
    yield from networks(study, screen)
    yield from metadata.remarks(study)
    yield from messages(study, recordings)


def networks(study: Study, screen: Screen) -> Iterator[str]:
    """The links of each variant, as text and histograms."""
    scenario = study.scenario
    before: Fleet | None = None
    servers = [variant.network.server for variant in study.variants.values()]
    vary_server = any(server != servers[0] for server in servers)
    links, plots = {}, {}
    for label, variant in study.variants.items():
        clients = metadata.first_fleet(variant)
        links[label] = _links(variant, clients, vary_server)
        if before is None or not np.array_equal(before.up_Bps, clients.up_Bps):
            plots[label] = list(_plots(clients, screen))
        before = clients
    for label, text in _distinct(scenario, links).items():
        yield f"{printable(label)}: {text}"
        yield from plots.get(label, ())


def _goal(goal: Goal, metric: str) -> str:
    if goal.measure == LOSS:
        return f"loss of at most {goal.value:g}"
    if goal.measure == FALLING:
        return f"{metric} of at most {goal.value:g}"
    return f"{'' if metric == 'accuracy' else f'{metric} of '}{goal.value:.1%}"


def recorded_rounds(training: TrainingJob, recordings: Path) -> int:
    """Number of server steps that are recorded of a training. Raises RecordingError."""
    return len(opened(training, recordings).steps)


def _recorded(trainings: Sequence[TrainingJob], recordings: Path, workers: int) -> str:
    rounds = [recorded_rounds(each, recordings) for each in trainings]
    ended = [is_whole(each, recordings) for each in trainings]
    whole = [each for each, has_ended in zip(trainings, ended, strict=True) if has_ended]
    sure = sum(map(is_foreseen, whole))
    ends = [f"{sure} to the end"]
    if unsure := len(whole) - sure:
        text = f"{unsure} perhaps to the end (who takes part is not known until it is run)"
        ends = [*ends, text] if sure else [text]
    left = [each for each, has_ended in zip(trainings, ended, strict=True) if not has_ended]
    rest = f"; {training_time(left, recordings, workers)}" if left else ""
    return (
        f"recorded already: {sum(rounds)} rounds of {sum(map(bool, rounds))} of "
        f"{counted(len(trainings), 'training')}, {', '.join(ends)}{rest}"
    )


def _plots(clients: Fleet, screen: Screen) -> Iterator[str]:
    """A histogram for each direction whose rate differs among clients."""
    for way, rates_Bps in (("down", clients.down_Bps), ("up", clients.up_Bps)):
        low, high = float(rates_Bps.min()), float(rates_Bps.max())
        if low < high:
            ends = f"  {way:<4} {_rate(low):>9} ", f" {_rate(high)}"
            width = screen.columns - sum(map(len, ends))
            yield f"{ends[0]}{bars(rates_Bps, width, screen.blocks)}{ends[1]}"


def _links(scenario: Scenario, clients: Fleet, with_server: bool) -> str:
    """The links as medians and, if they differ, the 10th to 90th percentile."""
    network = scenario.network
    rtt = _spread(format_duration, 2 * clients.delay_s)
    links = f"{_rates(clients.down_Bps, clients.up_Bps)}, RTT {rtt}"
    if clients.loss.any():
        links += f", loss {_spread('{:.2%}'.format, clients.loss)}"
    accesses = network.accesses.values()
    counts = np.bincount(clients.group, minlength=len(clients.groups))
    groups = [f"{n} {printable(name)}" for n, name in zip(counts, clients.groups, strict=True)]
    server = f"down {_rate(clients.server_down_Bps)}, up {_rate(clients.server_up_Bps)}"
    named: dict[str, list[str]] = {
        "application": [text] if (text := network.application.describe()) else [],
        "server": [server] if with_server else [],
        "clients": groups if network.groups else [],
        "presets": [access.preset for access in accesses if access.preset],
        "devices": [str(access.devices) for access in accesses if access.devices],
        "tables": [str(access.table) for access in accesses if access.table],
        "changing": link_profiles.changing(network),
        "leaving": [
            f"{printable(name)} ({access.availability.kind})"
            for name, access in network.accesses.items()
            if access.availability and access.availability.kind != "always"
        ],
        "policy": scenario.policy.describe(scenario.training.cohort),
        "selection": [] if scenario.selection.kind == "uniform" else [scenario.selection.kind],
    }
    lines = [f"{what}: {', '.join(dict.fromkeys(names))}" for what, names in named.items() if names]
    return "; ".join([f"{links}, over {network.transport.kind}", *lines, *_shared(clients)])


def _distinct(scenario: Scenario, links: Mapping[str, str]) -> dict[str, str]:
    """`links` by variant; equal lines are extended by the settings of `vary`."""
    point_of = variant_labels(scenario)
    alike: defaultdict[str, list[Mapping[str, str]]] = defaultdict(list)
    for label, line in links.items():
        alike[line].append(point_of[label])
    axes = {
        line: [axis for axis in scenario.vary if len({each.get(axis) for each in here}) > 1]
        for line, here in alike.items()
    }
    return {
        label: "; ".join([line, *_settings(scenario, point_of[label], axes[line])])
        for label, line in links.items()
    }


def _settings(scenario: Scenario, point: Mapping[str, str], axes: Sequence[str]) -> Iterator[str]:
    for axis in axes:
        for key, value in scenario.vary[axis][point[axis]].items():
            text = printable(value) if isinstance(value, str) else short_repr(value)
            yield f"{printable(key)}: {text}"


def _shared(clients: Fleet) -> Iterator[str]:
    if clients.half_duplex.any():
        yield f"half duplex: {clients.half_duplex.mean():.0%} of the clients"
    if n := len(clients.cell_up_Bps):
        most = np.bincount(clients.cell[clients.cell >= 0]).max()
        few = int(clients.cell_half_duplex.sum())
        half = f", {'' if few == n else f'{few} of them '}half duplex" if few else ""
        rates = _rates(clients.cell_down_Bps, clients.cell_up_Bps)
        yield f"{counted(n, 'cell')} of at most {most} clients: {rates}{half}"


def _rates(down_Bps: Floats, up_Bps: Floats) -> str:
    return f"down {_spread(_rate, down_Bps)}, up {_spread(_rate, up_Bps)}"


def _spread(text: Callable[[float], str], values: Floats) -> str:
    low, median, high = (text(float(q)) for q in np.quantile(values, (0.1, 0.5, 0.9)))
    return median if low == high else f"{median} ({low} to {high})"


def _rate(rate_Bps: float) -> str:
    return format_rate(8 * rate_Bps)


def require_trainable(study: Study, recordings: Path, cache: Path | None = None) -> None:
    """Raise ScenarioError for a training that is not recorded and cannot be computed.

    A training that is recorded to its end needs no data; a packed recording and message logs train
    nothing.
    """
    if not study.trains:
        return
    for training in study.trainings():
        found = _refused(training.settings, cache)
        if found and not is_whole(training, recordings):
            where = study.document.where(found.key.split("."))
            raise ScenarioError(
                f"{where}: {found.key}: found {printable(found.found)}; allowed: {found.allowed}",
                fix_hint([where]),
            )


def _refused(settings: TrainingSettings, cache: Path | None) -> Problem | None:
    """The key that the data or the model of a training do not allow; None if there is none."""
    task, most = settings.task, settings.task.most_clients
    if most is not None and task.clients > most:
        return Problem(
            "task.clients",
            str(task.clients),
            f"at most {most} of {task.name}, whose data are split among them",
        )
    if plugins.origin(type(task)) is not None:  # a plug-in may find its model elsewhere
        return None
    if found := task.missing_data():
        allowed = "a file, relative to the scenario (in --set to the current folder)"
        return Problem("task.file", printable(found), allowed)
    if found := task.missing_model():
        return Problem(
            "task.model",
            f"{short_repr(task.model)}, {printable(found)}",
            "a folder with config.json, relative to the scenario (in --set to the current folder), "
            "or a name: see flasc-emu list models",
        )
    return settings.model_problem(cache)
