"""One run, measured and ordered: what every report shows."""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TypeVar

from emulator.common.errors import LedgerError
from emulator.common.text import suggestion
from emulator.reports import validation
from emulator.reports.timeline import RoundLine, lines
from emulator.reports.validation import Validation
from emulator.results import metadata
from emulator.results.bottlenecks import RoundBottleneck, round_bottlenecks
from emulator.results.equal_time import learn_differently
from emulator.results.ledger import Ledger
from emulator.results.metadata import ACCURACY, Group, RunMetadata, Swept
from emulator.results.metrics import Curve, Outcome, Summary, curve, outcome, summarise
from emulator.results.participation import GroupShare, by_group
from emulator.results.privacy import epsilon
from emulator.results.stored import Stored
from emulator.results.summary_file import SummaryFile
from emulator.simulation.event_table import EventTable
from emulator.simulation.records import Emulation, Round, Row
from emulator.simulation.target import (
    ACCURACY as OF_ACCURACY,
    FALLING,
    LOSS,
    MEANING,
    Goal,
    Measure,
    value_text,
)

T = TypeVar("T")
FEWEST_CLIENTS, MOST_CLIENTS = 3, 30  # per round of a timeline
MOST_LINES = 10_000  # clients in rounds, of all timelines together: less than 1 MB


@dataclass(frozen=True, slots=True)
class Timeline:
    """The rounds of one simulation that the page shows, of `of_rounds` in all."""

    rounds: tuple[RoundLine, ...]
    of_rounds: int


@dataclass(frozen=True)
class Study:
    """One run. Names have no control characters; nothing else is escaped.

    `missing` are the simulations that an incomplete run lacks; with `summaries` it has no rows.
    `densities`, `fleet`, `swept`, `remark` and `failure` are as in RunMetadata.
    """

    name: str
    target: Goal | None
    split: str
    scenario: str
    provenance: str
    methods: tuple[str, ...]
    variants: tuple[str, ...]
    outcomes: tuple[Outcome, ...]
    curves: Mapping[Emulation, Curve]
    missing: tuple[Emulation, ...]
    timelines: Mapping[Emulation, Timeline]
    densities: Mapping[str, tuple[float, float]]
    fleet: Mapping[str, tuple[Group, ...]]
    validations: Mapping[Emulation, Validation] = field(default_factory=dict)
    bottlenecks: Mapping[Emulation, tuple[RoundBottleneck, ...]] = field(default_factory=dict)
    groups: Mapping[Emulation, tuple[GroupShare, ...]] = field(default_factory=dict)
    metric: str = ACCURACY
    metric_measure: Measure = OF_ACCURACY
    remark: str = ""
    failure: str = ""
    summaries: bool = False
    swept: Swept = field(default_factory=dict)

    def of(self, method: str, variant: str) -> list[Outcome]:
        """Return the outcomes of one method under one variant, one per seed."""
        return self._by_place.get((method, variant), [])

    @functools.cached_property
    def _by_place(self) -> dict[tuple[str, str], list[Outcome]]:
        """The outcomes by method and variant."""
        found: dict[tuple[str, str], list[Outcome]] = {}
        for each in self.outcomes:
            found.setdefault((each.method, each.variant), []).append(each)
        return found

    def summary(self, method: str, variant: str) -> Summary | None:
        """Return their summary over seeds; None without outcomes."""
        outcomes = self.of(method, variant)
        return summarise(outcomes) if outcomes else None

    @property
    def metric_title(self) -> str:
        """Return the metric's name with a capital letter."""
        return capitalised(self.metric)

    @property
    def metric_told(self) -> str:
        """Return the metric's name, and that lower values are better if they are."""
        return told(self.metric, self.metric_measure)

    @property
    def goal(self) -> str:
        """Return what times refer to: 'accuracy 0.70', or the end of the run without a target."""
        return goal(self.target, self.metric)

    @property
    def curved(self) -> Measure:
        """Return what curves show: what the target is of."""
        return self.target.measure if self.target else self.metric_measure

    @property
    def any_goal(self) -> Goal:
        """Return the target, or else some value of what curves show."""
        return self.target or Goal(1.0, measure=self.curved)

    @property
    def curved_name(self) -> str:
        """Return the name of what curves show."""
        return measured_by(self.curved, self.metric)

    @property
    def measured(self) -> str:
        """Return which evaluations decide: 'validation, at one evaluation'."""
        return f"{self.split}, {MEANING[self.target.rule]}" if self.target else self.split

    @property
    def has_tradeoffs(self) -> bool:
        """Return whether variants learn differently; time alone cannot rank them then."""
        return learn_differently(self.curves)


def only(study: Study, methods: Sequence[str], variants: Sequence[str]) -> Study:
    """Return the part of a study with these methods and variants, in its order; empty: all.

    Raises LedgerError for a name that it does not have.
    """
    for what, names, known in (
        ("method", methods, study.methods),
        ("variant", variants, study.variants),
    ):
        for name in names:
            if name not in known:
                raise LedgerError(f"found no {what} {name!r}{suggestion(name, known)}")
    kept = [name for name in study.methods if not methods or name in methods]
    places = [name for name in study.variants if not variants or name in variants]
    return replace(
        study,
        methods=tuple(kept),
        variants=tuple(places),
        outcomes=tuple(o for o in study.outcomes if o.method in kept and o.variant in places),
        curves={
            who: curve
            for who, curve in study.curves.items()
            if who.method in kept and who.variant in places
        },
        swept={name: each for name, each in study.swept.items() if name in places},
    )


def goal(target: Goal | None, metric: str) -> str:
    """Return what times refer to: 'accuracy 0.70', or the end of the run without a target."""
    if target is None:
        return "the end of the run"
    return f"{measured_by(target.measure, metric)} {value_text(target.value)}"


def measured_by(measure: Measure, metric: str) -> str:
    """Return the name of a measure; `metric` is the task's own."""
    return LOSS if measure == LOSS else metric


def told(metric: str, measure: Measure) -> str:
    """Return the name of a metric, and that lower values are better if they are."""
    return f"{metric} (lower is better)" if measure == FALLING else metric


def capitalised(text: str) -> str:
    """Return `text` with a capital first letter."""
    return text[:1].upper() + text[1:]


def printable(text: str) -> str:
    """Return `text` with control characters replaced, such as a terminal's escape sequences."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def load(stored: Stored, tables: Mapping[Emulation, EventTable] = MappingProxyType({})) -> Study:
    """Measure every simulation of a ledger, and read validation.json beside it if it matches.

    Rows that are in `tables` are not read from the ledger again. Summaries were measured by their
    run; a study of them has no timelines, bottlenecks and groups. Without seeds in the metadata,
    the seeds of the simulations are taken as all seeds. Raises LedgerError for metadata or rows
    that no run writes, and SupportError if epsilon is needed and the accountant is missing.
    """
    meta = RunMetadata.from_meta(stored.meta())
    emulations = stored.emulations()
    if isinstance(stored, SummaryFile):
        found = _summarised(stored)
    else:
        found = _measured(stored, meta, tables)
    methods = _ordered(map(printable, meta.methods), (e.method for e in found.outcomes))
    variants = _ordered(map(printable, meta.variants), (e.variant for e in found.outcomes))
    due = [_shown(each) for each in metadata.due(meta, emulations)]
    return Study(
        name=printable(meta.name) or "unnamed",
        target=meta.goal,
        split=printable(meta.split),
        scenario=meta.scenario,
        provenance=meta.provenance or "",
        methods=methods,
        variants=variants,
        outcomes=tuple(found.outcomes[e] for e in due if e in found.outcomes),
        curves=found.curves,
        missing=tuple(e for e in due if e not in found.outcomes),
        timelines=found.timelines,
        densities={printable(name): pair for name, pair in meta.densities.items()},
        fleet={
            printable(variant): tuple(replace(each, name=printable(each.name)) for each in fleet)
            for variant, fleet in meta.fleet.items()
        },
        validations=found.validations,
        bottlenecks=found.bottlenecks,
        groups=found.groups,
        metric=printable(meta.metric),
        metric_measure=meta.metric_measure,
        remark=printable(meta.remark or ""),
        failure=printable(meta.failure or ""),
        summaries=isinstance(stored, SummaryFile),
        swept=_settings(meta),
    )


@dataclass(frozen=True)
class _Simulations:
    """What is measured of the simulations of a run."""

    outcomes: dict[Emulation, Outcome] = field(default_factory=dict)
    curves: dict[Emulation, Curve] = field(default_factory=dict)
    timelines: dict[Emulation, Timeline] = field(default_factory=dict)
    bottlenecks: dict[Emulation, tuple[RoundBottleneck, ...]] = field(default_factory=dict)
    groups: dict[Emulation, tuple[GroupShare, ...]] = field(default_factory=dict)
    validations: dict[Emulation, Validation] = field(default_factory=dict)


def _measured(
    ledger: Ledger, meta: RunMetadata, tables: Mapping[Emulation, EventTable]
) -> _Simulations:
    """Return what the rows of a ledger say; those in `tables` are not read."""
    accounts = meta.privacy or {}
    cached = functools.cache(epsilon)  # many simulations have the same number of rounds
    found = _Simulations()
    path = ledger.path.with_name("validation.json")
    cases = validation.read(path)
    emulations = ledger.emulations()
    for emulation in emulations:
        rows = tables[emulation] if emulation in tables else ledger.rows(emulation)
        shown = _shown(emulation)
        account = accounts.get(emulation.variant)
        found.outcomes[shown] = outcome(
            shown, rows, meta.goal, account=account, epsilon=cached, metric=meta.metric_measure
        )
        if emulation in cases and (checked := validation.of(path, cases[emulation], rows)):
            found.validations[shown] = checked
        found.bottlenecks[shown] = tuple(round_bottlenecks(rows))
        found.groups[shown] = tuple(by_group(rows))
        found.curves[shown] = curve(rows)
        found.timelines[shown] = _timeline(rows, MOST_LINES // len(emulations))
    return found


def _summarised(stored: SummaryFile) -> _Simulations:
    """Return what the summaries of a run say."""
    found = _Simulations()
    for emulation, each in stored.measured():
        shown = _shown(emulation)
        found.outcomes[shown] = replace(each.outcome, method=shown.method, variant=shown.variant)
        found.curves[shown] = each.curve
    return found


def incomplete(ledger: Stored) -> str:
    """Return a sentence on the simulations that a run lacks; '' without any. Reads no rows."""
    meta, found = RunMetadata.from_meta(ledger.meta()), ledger.emulations()
    lacking = [_shown(each) for each in metadata.due(meta, found) if each not in found]
    return metadata.incomplete(lacking, len(lacking) + len(found), printable(meta.failure or ""))


def unfinished(ledger: Stored) -> str:
    """Return a sentence on simulations that are missing or ended early; '' without any."""
    failure = RunMetadata.from_meta(ledger.meta()).failure or ""
    return incomplete(ledger) or metadata.ended_early(printable(failure))


def metric(meta: Mapping[str, str]) -> str:
    """Return the name of the metric in a ledger's metadata."""
    return printable(meta.get("metric", ACCURACY))


def _settings(meta: RunMetadata) -> Swept:
    """Return the numbers that sweeps set, with the printable names of a study."""
    return {
        printable(variant): tuple(
            replace(each, path=printable(each.path), label=printable(each.label)) for each in of
        )
        for variant, of in (meta.swept or {}).items()
    }


def _shown(emulation: Emulation) -> Emulation:
    names = printable(emulation.method), printable(emulation.variant)
    return Emulation(*names, emulation.seed, emulation.network_seed)


def _timeline(rows: Iterable[Row], room: int) -> Timeline:
    """Return as many rounds as fit into `room` lines of one client each, and at least one."""
    clients = max(FEWEST_CLIENTS, min(MOST_CLIENTS, room))
    rows = EventTable.of(rows)
    cohort = int(rows.columns(Round)["cohort"].max(initial=1))
    return Timeline(*lines(rows, max(1, room // max(1, min(cohort, clients))), clients))


def _ordered(named: Iterable[T], seen: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys([*named, *seen]))
