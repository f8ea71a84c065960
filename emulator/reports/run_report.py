"""What a report is made of: a ledger read once, measured and put in order."""

import functools
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from emulator.reports import validation
from emulator.reports.timeline import RoundLine, lines
from emulator.reports.validation import Validation
from emulator.results.bottlenecks import RoundBottleneck, round_bottlenecks
from emulator.results.equal_time import learn_differently
from emulator.results.ledger import Ledger
from emulator.results.metadata import ACCURACY, Group, RunMetadata
from emulator.results.metrics import Curve, Outcome, Summary, curve, outcome, summarise
from emulator.results.participation import GroupShare, by_group
from emulator.results.privacy import epsilon
from emulator.simulation.records import Emulation, Round, Row

T = TypeVar("T")
FEWEST_CLIENTS, MOST_CLIENTS = 3, 30  # of a round, on its timeline
MOST_LINES = 10_000  # clients in rounds, of all timelines together: under a megabyte


@dataclass(frozen=True, slots=True)
class Timeline:
    """The rounds of one emulation that are kept to be looked at, `of_rounds` in all."""

    rounds: tuple[RoundLine, ...]
    of_rounds: int


@dataclass(frozen=True, slots=True)
class Study:
    """One run, ready to show. Names are free of control characters; nothing else is escaped.

    `missing` are the emulations that a run which was cut off still owes. `densities` has the
    shares of entries that methods send, down and up; `fleet` a variant's groups. Both are empty
    where the ledger's run did not say. `remark` is what the scenario leaves unsaid, if anything.
    """

    name: str
    target: float | None
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
    remark: str = ""

    def of(self, method: str, variant: str) -> list[Outcome]:
        """The outcomes of one method under one variant, a seed each."""
        return [o for o in self.outcomes if (o.method, o.variant) == (method, variant)]

    def summary(self, method: str, variant: str) -> Summary | None:
        """The same over seeds; None where none of them was emulated."""
        outcomes = self.of(method, variant)
        return summarise(outcomes) if outcomes else None

    @property
    def metric_title(self) -> str:
        """The metric's name at the head of something."""
        return self.metric[:1].upper() + self.metric[1:]

    @property
    def goal(self) -> str:
        """What the times are times of: 'accuracy 0.70', or the whole run where no target is set."""
        return "the end of the run" if self.target is None else f"{self.metric} {self.target:.2f}"

    @property
    def has_tradeoffs(self) -> bool:
        """Whether variants learn differently: then time alone does not tell which is better."""
        return learn_differently(self.curves)


def printable(text: str) -> str:
    """`text` with every control character replaced: a name may hold a terminal's escapes."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def load(ledger: Ledger) -> Study:
    """Measure every emulation of a ledger.

    Raises LedgerError where its meta is not what a run writes: 'target' a number if there, and
    'methods', 'variants' and (optional) 'seeds' lists in JSON, and (optional) 'privacy' the account
    of each variant that promises any. Without 'seeds', the seeds that the run got to are taken for
    all. A validation.json beside the ledger is read where it is of what the ledger holds. Raises
    SupportError where privacy cannot be accounted for.
    """
    meta = RunMetadata.from_meta(ledger.meta())
    accounts = meta.privacy or {}
    remembered = functools.cache(epsilon)  # many emulations share their number of rounds
    outcomes: dict[Emulation, Outcome] = {}
    curves: dict[Emulation, Curve] = {}
    timelines: dict[Emulation, Timeline] = {}
    why: dict[Emulation, tuple[RoundBottleneck, ...]] = {}
    groups: dict[Emulation, tuple[GroupShare, ...]] = {}
    validations: dict[Emulation, Validation] = {}
    path = ledger.path.with_name("validation.json")
    cases = validation.read(path)
    emulations = ledger.emulations()
    for filed in emulations:
        rows = ledger.rows(filed)
        shown = Emulation(printable(filed.method), printable(filed.variant), filed.seed)
        account = accounts.get(filed.variant)
        outcomes[shown] = outcome(shown, rows, meta.target, account=account, epsilon=remembered)
        if filed in cases and (found := validation.of(path, cases[filed], rows)):
            validations[shown] = found
        why[shown], groups[shown] = tuple(round_bottlenecks(rows)), tuple(by_group(rows))
        curves[shown] = curve(rows)
        timelines[shown] = _timeline(rows, MOST_LINES // len(emulations))
    methods = _ordered(map(printable, meta.methods), (e.method for e in outcomes))
    variants = _ordered(map(printable, meta.variants), (e.variant for e in outcomes))
    seeds = _ordered(meta.seeds, sorted(e.seed for e in outcomes))
    due = [Emulation(*key) for key in itertools.product(methods, variants, seeds)]
    return Study(
        name=printable(meta.name) or "unnamed",
        target=meta.target,
        split=printable(meta.split),
        scenario=meta.scenario,
        provenance=meta.provenance or "",
        methods=methods,
        variants=variants,
        outcomes=tuple(outcomes[e] for e in due if e in outcomes),
        curves=curves,
        missing=tuple(e for e in due if e not in outcomes),
        timelines=timelines,
        densities={printable(name): pair for name, pair in meta.densities.items()},
        fleet={printable(v): tuple(map(_shown, groups)) for v, groups in meta.fleet.items()},
        validations=validations,
        bottlenecks=why,
        groups=groups,
        metric=printable(meta.metric),
        remark=printable(meta.remark or ""),
    )


def metric(meta: Mapping[str, str]) -> str:
    """The name of what the model is scored by, as a ledger has it."""
    return printable(meta.get("metric", ACCURACY))


def _timeline(rows: Sequence[Row], room: int) -> Timeline:
    """As many rounds as fit into `room` lines of a client each, and one at least."""
    clients = max(FEWEST_CLIENTS, min(MOST_CLIENTS, room))
    cohort = max((row.cohort for row in rows if isinstance(row, Round)), default=1)
    return Timeline(*lines(rows, max(1, room // max(1, min(cohort, clients))), clients))


def _shown(group: Group) -> Group:
    return replace(group, name=printable(group.name))


def _ordered(named: Iterable[T], seen: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys([*named, *seen]))
