"""A scenario, its variants (the combinations of `vary`), and the trainings that they need."""

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from emulator.common.errors import ScenarioError
from emulator.common.text import printable, suggestion
from emulator.scenario.document import Document, dump, parse, with_overrides
from emulator.scenario.key_path import dotted, parse_path
from emulator.scenario.logged import LoggedScenario, logged_type
from emulator.scenario.scenario import Scenario
from emulator.scenario.sweeps import SweptValue, is_sweep, sweeps
from emulator.scenario.validation_errors import to_scenario_error
from emulator.scenario.yaml_nodes import Node
from emulator.simulation.records import Emulation
from emulator.simulation.rounds.logged import LoggedTraining, Logs
from flasc.training.settings import TrainingSettings

MAX_VARIANTS = 10_000
UNVARIED = "as given"
VARIABLE = ("task", "training", "methods", "network", "compute", "policy", "selection")


@dataclass(frozen=True)
class TrainingJob:
    """One training and the variants that use it: {label: scenario}.

    `weights` identifies those of a local model or a hub model that is at hand; else it is ''. A
    simulation that has not reached its target by the simulated time `give_up_s` ends there. `log`
    is what another program logged of the training; None: this program trains it. `of_study` counts
    the simulations of the whole study.

    A job may be a part of a training (`emulator.runner.parts`). It starts when the job with the
    index `after` has ended; the one that `exports` writes the model; a `brief` one reports numbers
    of simulations in place of rounds, unless it trains.
    """

    method: str
    seed: int
    settings: TrainingSettings
    variants: dict[str, Scenario]
    weights: str = ""
    give_up_s: float = math.inf
    log: LoggedTraining | None = None
    of_study: int = 1
    after: int | None = None
    exports: bool = True
    brief: bool = False

    def simulations(self) -> Iterator[tuple[Emulation, Scenario]]:
        """Each simulation of the training with its scenario: the draws of a variant in a row."""
        for label, scenario in self.variants.items():
            for draw in scenario.draws:
                yield Emulation(self.method, label, self.seed, draw), scenario

    @property
    def count(self) -> int:
        """The number of its simulations."""
        return sum(len(scenario.draws) for scenario in self.variants.values())


@dataclass(frozen=True)
class Study:
    """A scenario and its variants by label, in the order of `vary`.

    `logs` are message logs by method and seed; all methods of a study have the same seeds, or none
    has a log.
    """

    document: Document
    scenario: Scenario
    variants: dict[str, Scenario]
    only: tuple[str, ...] = ()
    packed: Path | None = None  # the packed recording that it was read from
    run: Path | None = None  # the folder of the run that it was read from
    recordings: Path | None = None  # the folder of the recordings of that run
    logs: Logs = field(default_factory=dict)
    log_texts: tuple[str, ...] = ()  # the logs as JSONL, for the folder of the run

    @property
    def trains(self) -> bool:
        """Whether its trainings can be computed; others can only be replayed."""
        return self.packed is None and not isinstance(self.scenario, LoggedScenario)

    @property
    def methods(self) -> list[str]:
        """The methods to run, in the order of the scenario."""
        return [name for name in self.scenario.methods if not self.only or name in self.only]

    @property
    def swept(self) -> dict[str, list[SweptValue]]:
        """The numbers that sweeps set in each variant; {} without sweeps."""
        axes = sweeps(self.document.data.get("vary"))
        by_label = {axis: {each.label: each for each in of} for axis, of in axes.items()}
        found = {
            variant: [by_label[axis][label] for axis, label in point.items() if axis in by_label]
            for variant, point in variant_labels(self.scenario).items()
        }
        return found if axes else {}

    def trainings(self) -> list[TrainingJob]:
        """The distinct trainings: variants that differ only in the network share one.

        A packed recording is replayed whatever models are at hand.
        """
        found: dict[tuple[str, int, str], TrainingJob] = {}
        for method in self.methods:
            for seed in self.scenario.training.seeds:
                known: dict[tuple[int, ...], tuple[TrainingSettings, str]] = {}
                for label, variant in self.variants.items():
                    shared = tuple(map(id, (variant.task, variant.training, variant.methods)))
                    if shared not in known:
                        settings = variant.training_settings(method, seed)
                        known[shared] = settings, settings.model_dump_json()
                    settings, text = known[shared]
                    key = (method, seed, text)
                    if key not in found:
                        weights = settings.weights() if self.trains else ""
                        log = self._log(method, seed)
                        found[key] = TrainingJob(method, seed, settings, {}, weights, log=log)
                    found[key].variants[label] = variant
        whole = sum(each.count for each in found.values())
        return [replace(each, of_study=whole) for each in found.values()]

    def _log(self, method: str, seed: int) -> LoggedTraining | None:
        """The log of a training. A log without others of its method answers for any seed."""
        by_seed = self.logs.get(method, {})
        return next(iter(by_seed.values())) if len(by_seed) == 1 else by_seed.get(seed)


def titles(trainings: Sequence[TrainingJob]) -> list[str]:
    """Title of each training: its method, with seed and variant if they are needed."""
    seeds = {training.seed for training in trainings}
    count = Counter((training.method, training.seed) for training in trainings)
    found = []
    for training in trainings:
        parts = [training.method]
        if len(seeds) > 1:
            parts.append(f"seed {training.seed}")
        if count[training.method, training.seed] > 1:
            parts.append(next(iter(training.variants)))
        found.append(printable(", ".join(parts)))
    return found


def expand_variants(
    document: Document, name: str, only: Sequence[str] = (), *, logged: bool = False
) -> Study:
    """The study that a document describes; `name` is its name in messages.

    With `logged`, the document may be the scenario of message logs. Raises ScenarioError.
    """
    kind = (logged_type(document.data) if logged else None) or Scenario
    scenario = _validated(document, kind)
    for method in only:
        if method not in scenario.methods:
            raise ScenarioError(
                f"{name}: methods: found no {method!r}{suggestion(method, list(scenario.methods))}"
            )
    if (count := math.prod(map(len, filter(None, scenario.vary.values())))) > MAX_VARIANTS:
        raise ScenarioError(
            f"{document.where(('vary',))}: vary: found {count} variants; allowed: {MAX_VARIANTS}",
            "vary fewer things at once, or split the study",
        )
    return Study(document, scenario, _variants(document, scenario, kind), tuple(only))


def _variants(document: Document, scenario: Scenario, kind: type[Scenario]) -> dict[str, Scenario]:
    """Each variant by label. Variants have no `vary`, and share their equal sections.

    What differs in the network alone is validated alone: a study may have thousands of networks.
    """
    bare, found = document.without("vary"), dict[str, Scenario]()
    rest: dict[str, Any] | None = None
    base = scenario
    for label, point in variant_labels(scenario).items():
        if not point:
            return {label: scenario}
        varied = _applied(document, bare, scenario, point)
        others = {key: value for key, value in varied.data.items() if key != "network"}
        if others == rest and (other := _with_network(base, varied.data)) is not None:
            found[label] = other
        else:
            found[label] = base = _validated(varied, kind)
            rest = others
    return found


def _with_network(scenario: Scenario, data: Mapping[str, Any]) -> Scenario | None:
    """The scenario with another network; None if the network is wrong or does not fit."""
    network = type(scenario).model_fields["network"].annotation
    assert network is not None
    try:
        found = network.model_validate(data.get("network"))
    except ValidationError:
        return None
    other = scenario.model_copy(update={"network": found})
    return None if next(other.problems(), None) else other


def variant_labels(scenario: Scenario) -> dict[str, dict[str, str]]:
    """{variant: {axis: its label on it}}, in the order of `vary`."""
    axes = [[(axis, label) for label in labels] for axis, labels in scenario.vary.items() if labels]
    each = map(dict, itertools.product(*axes))
    return {", ".join(point.values()) or UNVARIED: point for point in each}


def with_data(study: Study, data: Mapping[str, Any], only: Sequence[str] = ()) -> Study:
    """A study of `data`, with the methods in `only`, that has the recordings of `study`."""
    name = "the scenario"
    tree = parse(dump(data), name)
    found = expand_variants(with_overrides(tree, ()), name, only)
    return replace(found, packed=study.packed, run=study.run, recordings=study.recordings)


def narrowed(study: Study, label: str) -> Study:
    """The study with one of its variants alone, which keeps its label."""
    data, point = study.document.data, variant_labels(study.scenario)[label]
    vary = {axis: {one: study.scenario.vary[axis][one]} for axis, one in point.items()}
    return with_data(study, data | ({"vary": vary} if vary else {}), study.only)


def flattened(study: Study, label: str) -> dict[str, Any]:
    """The scenario of one variant as plain data, without `vary`."""
    point = variant_labels(study.scenario)[label]
    return _applied(study.document, study.document.without("vary"), study.scenario, point).data


def _applied(
    document: Document, bare: Document, scenario: Scenario, point: Mapping[str, str]
) -> Document:
    """`bare`, the document without `vary`, with one label of each axis applied."""
    changes: list[tuple[Sequence[str], Node]] = []
    for axis, label in point.items():
        swept = is_sweep(document.data["vary"][axis])
        for text, value in scenario.vary[axis][label].items():
            source = ("vary", axis) if swept else ("vary", axis, label, text)
            target = _target(document, source, scenario)
            if target[:2] == ("network", "clients") != target and scenario.network.clients is None:
                raise _unvaried(document, axis, target)
            node = Node(value, document.where(source)) if swept else document.at(source)
            changes.append((target, node))
    return bare.changed(changes)


def _unvaried(document: Document, axis: str, target: Sequence[str]) -> ScenarioError:
    """The error of an axis that sets keys of `clients` in a scenario with groups."""
    return ScenarioError(
        f"{document.where(('network',))}: network: found groups, and an axis of vary that sets "
        f"{dotted(target)} ({dotted(('vary', axis))}, {document.where(('vary', axis))}); "
        "allowed: axes of keys that the scenario has",
        f"null drops an inherited axis: vary: {{{axis}: null}}",
    )


def _validated(document: Document, kind: type[Scenario]) -> Scenario:
    try:
        return kind.model_validate(document.data)
    except ValidationError as error:
        raise to_scenario_error(error, document, kind) from None


def _target(document: Document, source: tuple[str, ...], scenario: Scenario) -> tuple[str, ...]:
    """The path that a key under `vary` names. Raises ScenarioError if it cannot be varied."""
    at = f"{document.where(source)}: {dotted(source)}"
    try:
        path = parse_path(source[-1])
    except ScenarioError as error:
        raise ScenarioError(f"{at}: {error.message}", error.hint) from None
    if path[0] not in VARIABLE:
        raise ScenarioError(
            f"{at}: found {path[0]!r}{suggestion(path[0], VARIABLE, 'a path that begins with ')}"
        )
    if path[0] == "methods" and path[1:2] and path[1] not in scenario.methods:
        raise ScenarioError(
            f"{at}: found no method {path[1]!r}{suggestion(path[1], list(scenario.methods))}"
        )
    if path[0] == "methods" and len(path) < 3:
        raise ScenarioError(
            f"{at}: found {dotted(path)}; allowed: one key of a method, like "
            f"{dotted(('methods', next(iter(scenario.methods)), 'rank'))}"
        )
    return path
