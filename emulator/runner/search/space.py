"""What a search chooses from: one variant of a scenario, and configurations of its FLASC method."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from emulator.common.errors import ScenarioError
from emulator.common.text import counted, printable, suggestion
from emulator.runner.search import lattice
from emulator.runner.search.lattice import Point
from emulator.scenario.scenario import Scenario
from emulator.scenario.study import Study, narrowed, with_data
from flasc.training.settings import Method, TrainingSettings

KIND = "flasc"
LEAST = 3  # configurations that a search may try, however small the lattice is


@dataclass(frozen=True)
class Axes:
    """The values of each coordinate; an empty one is chosen from the start."""

    rank: Sequence[int] = ()
    down: Sequence[float] = ()
    up: Sequence[float] = ()


@dataclass(frozen=True)
class Space:
    """The scenario under one variant, the start, and the name of every configuration.

    `study` has one variant. `template` is the method whose other settings all configurations have.
    """

    study: Study
    template: str
    start: Point
    names: Mapping[Point, str]

    @property
    def variant(self) -> str:
        """The label of the variant."""
        return next(iter(self.study.variants))

    @property
    def scenario(self) -> Scenario:
        """The scenario under that variant."""
        return self.study.variants[self.variant]

    @property
    def half(self) -> int:
        """How many configurations a search tries without another limit."""
        return max(LEAST, len(self.names) // 2)

    def method(self, point: Point) -> Mapping[str, Any]:
        """The settings of a configuration, as a scenario writes them."""
        methods: Mapping[str, Any] = self.study.document.data["methods"]
        if name := _alike(self.study, self.template).get(point):
            return dict(methods[name])
        densities = map(lattice.density_value, (point.down, point.up))
        rank = {} if point.rank == self.scenario.training.lora.rank else {"rank": point.rank}
        kept = {key: value for key, value in methods[self.template].items() if key != "rank"}
        return kept | dict(zip(("down", "up"), densities, strict=True)) | rank

    def study_of(self, points: Sequence[Point], others: Sequence[str] = ()) -> Study:
        """The study of some configurations, after `others` of the scenario's methods."""
        data = self.study.document.data
        methods = {name: data["methods"][name] for name in others}
        methods |= {self.names[point]: self.method(point) for point in points}
        return with_data(self.study, data | {"methods": methods})

    def dense(self) -> str | None:
        """The LoRA to compare with: the one of the start's rank, else the first; None without."""
        ranks = {
            name: settings.lora.rank
            for name, settings in _settings(self.study).items()
            if _kind(settings.method) == "lora"
        }
        return min(ranks, key=lambda name: ranks[name] != self.start.rank, default=None)


def read_space(study: Study, method: str | None, variant: str | None, axes: Axes) -> Space:
    """The space around a FLASC method of `study`, under one of its variants.

    Of a packed recording, it has the configurations that are recorded. Raises ScenarioError.
    """
    if study.scenario.network_seeds is not None:
        raise ScenarioError(
            f"{study.document.where(('network_seeds',))}: network_seeds: found draws of the fleet; "
            "allowed in a search: none, since it compares the seeds of trainings",
            "leave them out: --set network_seeds=null",
        )
    one = narrowed(study, _chosen_variant(study, variant))
    template = _chosen_method(study, method)
    if next(iter(one.variants.values())).training.target is None:
        raise ScenarioError(
            f"{study.document.where(('training',))}: training.target: missing key; a search needs "
            "a target, whose time it makes least",
            "add one, like --set training.target=50%",
        )
    _check(axes)
    alike = _alike(one, template)
    start = next(point for point, name in alike.items() if name == template)
    points = lattice.grid(
        axes.rank or [start.rank],
        axes.down or lattice.densities_around(start.down),
        axes.up or lattice.densities_around(start.up),
    )
    if study.packed is not None:
        given = (axes.rank, axes.down, axes.up)
        points = [p for p in alike if all(not a or v in a for a, v in zip(given, p, strict=True))]
    if start not in points:
        near = points and f"; the nearest is {lattice.describe(lattice.nearest(start, points))}"
        raise ScenarioError(
            f"{study.document.where(('methods', template))}: methods.{printable(template)}: the "
            f"search starts at {lattice.describe(start)}; allowed: one of the "
            f"{counted(len(points), 'configuration')} of --rank, --down and --up{near or ''}",
            "add its rank and its densities to these options, or start from another --method",
        )
    return Space(one, template, start, {p: alike.get(p) or _new_name(one, p) for p in points})


def _check(axes: Axes) -> None:
    """Raise ScenarioError for a rank or a density that no method can have."""
    for name, values in (("down", axes.down), ("up", axes.up), ("rank", axes.rank)):
        allowed = "at least 1" if name == "rank" else "above 0 and at most 1"
        for value in values:
            if not (value >= 1 if name == "rank" else 0 < value <= 1):
                raise ScenarioError(f"{name}: found {value:g}; allowed: {allowed}")


def _new_name(study: Study, point: Point) -> str:
    """A name for a configuration that the scenario does not have."""
    name = lattice.name(point, next(iter(study.variants.values())).training.lora.rank)
    return f"{name}, searched" if name in study.scenario.methods else name


def _chosen_variant(study: Study, variant: str | None) -> str:
    labels = list(study.variants)
    if variant is None and len(labels) == 1:
        return labels[0]
    shown = [printable(label) for label in labels]
    at = f"{study.document.where(('vary',))}: "
    if variant is None:
        raise ScenarioError(
            f"{at}found {counted(len(labels), 'variant')}; allowed: one, as the best densities "
            "depend on the network",
            f"choose one: --variant NAME, with NAME of {', '.join(shown)}",
        )
    if variant not in labels:
        raise ScenarioError(f"{at}found no variant {variant!r}{suggestion(variant, shown)}")
    return variant


def _chosen_method(study: Study, method: str | None) -> str:
    """The method to start from. Raises ScenarioError if it is none of kind flasc, or not clear."""
    at = f"{study.document.where(('methods',))}: methods: "
    names = [m for m in study.methods if _kind(study.scenario.methods[m]) == KIND]
    shown = [printable(name) for name in names]
    if not names:
        raise ScenarioError(
            f"{at}found none of kind {KIND}; a search changes the densities of one",
            "add one: FLASC: {kind: flasc, down: 1/4, up: 1/4}",
        )
    if method is None and len(names) > 1:
        raise ScenarioError(
            f"{at}found {len(names)} of kind {KIND}; allowed: one to start from",
            f"choose one: --method NAME, with NAME of {'; '.join(shown)}",
        )
    if method is not None and method not in names:
        raise ScenarioError(f"{at}found no {method!r} of kind {KIND}{suggestion(method, shown)}")
    return method or names[0]


def _kind(method: Method) -> str:
    return str(method.model_dump()["kind"])


def _settings(study: Study) -> dict[str, TrainingSettings]:
    """What each method trains, with the first seed."""
    scenario, seed = next(iter(study.variants.values())), study.scenario.training.seeds[0]
    return {name: scenario.training_settings(name, seed) for name in study.methods}


def _alike(study: Study, template: str) -> dict[Point, str]:
    """The methods that differ from `template` in rank and densities alone, `template` first."""
    settings = _settings(study)
    names = [template, *(name for name in settings if name != template)]
    found: dict[Point, str] = {}
    for name in names:
        each = settings[name]
        if _kind(each.method) == KIND and _rest(each) == _rest(settings[template]):
            own = each.method.model_dump()
            found.setdefault(Point(each.lora.rank, own["down"], own["up"]), name)
    return found


def _rest(settings: TrainingSettings) -> dict[str, Any]:
    return settings.model_dump(exclude={"lora": {"rank"}, "method": {"down", "up"}})
