"""What a ledger says of its run, beside the rows. The ledger's table `meta` has it as texts."""

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, FiniteFloat, StrictInt, ValidationError
from pydantic_core import from_json

from emulator.common.errors import LedgerError
from emulator.results.privacy import Account
from emulator.simulation.records import Emulation
from emulator.simulation.target import (
    ACCURACY as OF_ACCURACY,
    FALLING,
    FIRST,
    WINDOW,
    Goal,
    Measure,
    Rule,
)

T = TypeVar("T")
ACCURACY = "accuracy"  # the metric of runs that do not name theirs


def _parsed(value: object) -> Any:
    return from_json(value) if isinstance(value, str) else value


InJson = Annotated[T, BeforeValidator(_parsed)]


@dataclass(frozen=True, slots=True)
class Group:
    """A group of clients: rates in bytes/s, at even steps of their distribution or one for all."""

    name: str
    clients: int
    down_Bps: tuple[FiniteFloat, ...]
    up_Bps: tuple[FiniteFloat, ...]


@dataclass(frozen=True, slots=True)
class Setting:
    """A number that a sweep sets in a variant: bit/s, s, B, FLOP/s or 1 (a plain number)."""

    path: str
    value: FiniteFloat
    unit: Literal["bit/s", "s", "B", "FLOP/s", "1"]
    label: str  # its part of the name of the variant

    @property
    def column(self) -> str:
        """The name of its column in tables, with its unit: network.clients.up_bps."""
        return self.path + _SUFFIX[self.unit]


_SUFFIX = {"bit/s": "_bps", "s": "_s", "B": "_bytes", "FLOP/s": "_flops", "1": ""}
Swept = Mapping[str, Sequence[Setting]]  # by variant


def swept_columns(swept: Swept) -> dict[str, dict[str, float]]:
    """Return {variant: {column: value}}; each variant has all columns of a run."""
    return {v: {each.column: each.value for each in settings} for v, settings in swept.items()}


class RunMetadata(BaseModel):
    """The study behind a ledger's rows: names are as in the scenario, orders too.

    `network_seeds` are the draws of the fleet; None if the seeds draw it. `direction` is None for a
    metric that is to grow. `target_rule` is None for the first evaluation
    that reaches the target, `target_measure` None for such a metric. `densities` has the shares of
    entries that methods send, down and up; `swept` the numbers that sweeps set in each variant;
    `fleet` the groups of each variant; `privacy` the
    account of each variant with differential privacy; `remark` a warning about the scenario.
    `provenance` (JSON) and `failure`, why simulations are missing, are known at the end of a run.
    """

    model_config = ConfigDict(frozen=True)

    name: str = ""
    split: str = "validation"
    metric: str = ACCURACY
    direction: Literal["lower"] | None = None
    methods: InJson[list[str]] = []
    variants: InJson[list[str]] = []
    seeds: InJson[list[StrictInt]] = []
    network_seeds: InJson[list[StrictInt]] | None = None
    densities: InJson[dict[str, tuple[FiniteFloat, FiniteFloat]]] = {}
    fleet: InJson[dict[str, tuple[Group, ...]]] = {}
    scenario: str = ""
    swept: InJson[dict[str, tuple[Setting, ...]]] | None = None
    target: InJson[FiniteFloat] | None = None
    target_rule: Rule | None = None
    target_measure: Measure | None = None
    remark: str | None = None
    privacy: InJson[dict[str, Account]] | None = None
    provenance: str | None = None
    failure: str | None = None

    @property
    def metric_measure(self) -> Measure:
        """Whether the metric is to grow or to fall."""
        return FALLING if self.direction else OF_ACCURACY

    @property
    def goal(self) -> Goal | None:
        """The target with its rule and measure."""
        if self.target is None:
            return None
        measure = self.target_measure or self.metric_measure
        return Goal(self.target, self.target_rule or FIRST, measure)

    def to_meta(self) -> dict[str, str]:
        """Return the texts by key. A field that is None has no key."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {
            name: value if isinstance(value, str) else json.dumps(value, default=asdict)
            for name, value in values.items()
            if value is not None
        }

    @classmethod
    def from_meta(cls, meta: Mapping[str, str]) -> "RunMetadata":
        """Return what `meta` says. Raises LedgerError for a text that no run writes."""
        try:
            return cls.model_validate(meta)
        except ValidationError as error:
            key = str(error.errors()[0]["loc"][0])
            raise LedgerError(
                f"found {meta[key][:80]!r} as the ledger's {key}; allowed: {_ALLOWED[key]}",
                "run the scenario again with this version of flasc-emu",
            ) from None


def due(meta: RunMetadata, found: Sequence[Emulation]) -> list[Emulation]:
    """Return all simulations of a run in the study's order; `found` are those that it has.

    Without names or seeds in the metadata, those of `found` are taken as all.
    """
    methods = dict.fromkeys([*meta.methods, *(each.method for each in found)])
    variants = dict.fromkeys([*meta.variants, *(each.variant for each in found)])
    seeds = dict.fromkeys([*meta.seeds, *sorted(each.seed for each in found)])
    draws = meta.network_seeds or dict.fromkeys(each.network_seed for each in found) or [None]
    return [Emulation(*key) for key in itertools.product(methods, variants, seeds, draws)]


def incomplete(lacking: Sequence[Emulation], whole: int, failure: str) -> str:
    """Return a sentence on the simulations that a run of `whole` lacks, and why; '' without any."""
    if not lacking:
        return ""
    first = lacking[0]
    why = failure or "The run is in progress or was interrupted: run the same command to resume it"
    return (
        f"Incomplete: {len(lacking)} of {whole} simulations are missing, the first is "
        f"{first.title}. {ended_early(why)}"
    )


def ended_early(failure: str) -> str:
    """Return `failure` as a sentence: simulations that a run has may have ended early as well."""
    return failure and f"{failure[:1].upper()}{failure[1:]}."


_ALLOWED = {
    "methods": "a JSON list of str",
    "variants": "a JSON list of str",
    "seeds": "a JSON list of int",
    "network_seeds": "a JSON list of int",
    "densities": "{method: [down, up]} in JSON",
    "fleet": "{variant: [group]} in JSON",
    "swept": "{variant: [setting]} in JSON",
    "direction": "lower",
    "target": "a number",
    "target_rule": " or ".join(WINDOW),
    "target_measure": "accuracy, loss or falling",
    "privacy": "an account per variant, in JSON",
}
