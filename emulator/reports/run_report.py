"""What a report is made of: a ledger read once, measured and put in order."""

import functools
import itertools
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from emulator.common.errors import LedgerError
from emulator.reports import validation
from emulator.reports.timeline import RoundLine, lines
from emulator.reports.validation import Validation
from emulator.results import soundness
from emulator.results.bottlenecks import RoundBottleneck, round_bottlenecks
from emulator.results.equal_time import learn_differently
from emulator.results.ledger import Ledger
from emulator.results.metrics import Curve, Outcome, Summary, curve, outcome, summarise
from emulator.results.participation import GroupShare, by_group
from emulator.results.privacy import Account, epsilon
from emulator.simulation.records import Emulation, Round, Row

T = TypeVar("T")
ACCURACY = "accuracy"  # what runs that do not name their metric are scored by
FEWEST_CLIENTS, MOST_CLIENTS = 3, 30  # of a round, on its timeline
MOST_LINES = 10_000  # clients in rounds, of all timelines together: under a megabyte


@dataclass(frozen=True, slots=True)
class Group:
    """A group of clients: rates in bytes/s at even steps of their distribution, or one for all."""

    name: str
    clients: int
    down_Bps: tuple[float, ...]
    up_Bps: tuple[float, ...]


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
    def trades(self) -> bool:
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
    meta = ledger.meta()
    target, accounts = _target(meta), _accounts(meta)
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
        rows = soundness.rows_of(ledger, filed)
        shown = Emulation(printable(filed.method), printable(filed.variant), filed.seed)
        account = accounts.get(filed.variant)
        outcomes[shown] = outcome(shown, rows, target, account=account, epsilon=remembered)
        if filed in cases and (found := validation.of(path, cases[filed], rows)):
            validations[shown] = found
        why[shown], groups[shown] = tuple(round_bottlenecks(rows)), tuple(by_group(rows))
        curves[shown] = curve(rows)
        timelines[shown] = _timeline(rows, MOST_LINES // len(emulations))
    methods = _ordered(_names(meta, "methods"), (e.method for e in outcomes))
    variants = _ordered(_names(meta, "variants"), (e.variant for e in outcomes))
    seeds = _ordered(_list(meta, "seeds", int), sorted(e.seed for e in outcomes))
    due = [Emulation(*key) for key in itertools.product(methods, variants, seeds)]
    return Study(
        name=printable(meta.get("name", "")) or "unnamed",
        target=target,
        split=printable(meta.get("split", "validation")),
        scenario=meta.get("scenario", ""),
        provenance=meta.get("provenance", ""),
        methods=methods,
        variants=variants,
        outcomes=tuple(outcomes[e] for e in due if e in outcomes),
        curves=curves,
        missing=tuple(e for e in due if e not in outcomes),
        timelines=timelines,
        densities=_densities(meta),
        fleet=_fleet(meta),
        validations=validations,
        bottlenecks=why,
        groups=groups,
        metric=metric(meta),
        remark=printable(meta.get("remark", "")),
    )


def metric(meta: Mapping[str, str]) -> str:
    """The name of what the model is scored by, as a ledger has it."""
    return printable(meta.get("metric", ACCURACY))


def _timeline(rows: Sequence[Row], room: int) -> Timeline:
    """As many rounds as fit into `room` lines of a client each, and one at least."""
    clients = max(FEWEST_CLIENTS, min(MOST_CLIENTS, room))
    cohort = max((row.cohort for row in rows if isinstance(row, Round)), default=1)
    return Timeline(*lines(rows, max(1, room // max(1, min(cohort, clients))), clients))


def _ordered(named: Iterable[T], seen: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys([*named, *seen]))


def _target(meta: Mapping[str, str]) -> float | None:
    if "target" not in meta:
        return None
    try:
        return _finite(meta["target"])
    except ValueError:
        raise _foreign("target", meta["target"], "a number") from None


def _accounts(meta: Mapping[str, str]) -> dict[str, Account]:
    """The accounts by variant."""
    text = meta.get("privacy", "{}")
    try:
        return {variant: Account(**fields) for variant, fields in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise _foreign("privacy", text, "an account a variant, in JSON") from None


def _list(meta: Mapping[str, str], key: str, kind: type[T]) -> list[T]:
    text = meta.get(key, "[]")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or not all(type(item) is kind for item in found):
        raise _foreign(key, text, f"a JSON list of {kind.__name__}")
    return found


def _densities(meta: Mapping[str, str]) -> dict[str, tuple[float, float]]:
    text = meta.get("densities", "{}")
    try:
        pairs = ((printable(name), down, up) for name, (down, up) in json.loads(text).items())
        return {name: (_finite(down), _finite(up)) for name, down, up in pairs}
    except (AttributeError, TypeError, ValueError, OverflowError, RecursionError):
        raise _foreign("densities", text, "{method: [down, up]} in JSON") from None


def _fleet(meta: Mapping[str, str]) -> dict[str, tuple[Group, ...]]:
    text = meta.get("fleet", "{}")
    try:
        found = json.loads(text).items()
        return {printable(variant): tuple(map(_group, groups)) for variant, groups in found}
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError):
        raise _foreign("fleet", text, "{variant: [group]} in JSON") from None


def _group(found: Mapping[str, Any]) -> Group:
    down, up = (tuple(map(_finite, found[way])) for way in ("down_Bps", "up_Bps"))
    return Group(printable(found["name"]), int(found["clients"]), down, up)


def _names(meta: Mapping[str, str], key: str) -> list[str]:
    return [printable(name) for name in _list(meta, key, str)]


def _finite(found: Any) -> float:
    """As a float: no page could show another. Raises ValueError, TypeError and OverflowError."""
    number = float(found)
    if not math.isfinite(number):
        raise ValueError(f"{number} is not finite")
    return number


def _foreign(key: str, found: str, allowed: str) -> LedgerError:
    message = f"found {found[:80]!r} as the ledger's {key}; allowed: {allowed}"
    return LedgerError(message, "run the scenario again with this version of flasc-emu")
