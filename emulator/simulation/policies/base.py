"""Round policies as a scenario names them: how many are asked, when a round ends, what is late.

How each is carried out stands in `emulator.simulation.registry`, by formula in
docs/howto/deadlines_churn_asynchrony.md.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, Tag

from emulator.common.distributions import Duration
from emulator.common.tagged_unions import kind_or, spelled_out
from emulator.common.units import format_duration
from flasc.common.plugins import Pluggable
from flasc.common.settings import PositiveInt, Settings


def _positive(value: float) -> float:
    if value <= 0:
        raise ValueError(f"found {value:g} s; allowed: a deadline above 0, like 30 s")
    return value


class Constant(Settings):
    """A stale update counts as much as a fresh one."""

    kind: Literal["constant"] = "constant"

    def weight(self, staleness: int) -> float:
        """Of an update that `staleness` server steps overtook; 1 where none did."""
        return 1.0


class Polynomial(Settings):
    """(1 + s)^-a for an update that s server steps overtook (Xie et al. 2019; FedBuff: a = 1/2)."""

    kind: Literal["polynomial"]
    a: Annotated[float, Field(ge=0, le=100)] = 0.5

    def weight(self, staleness: int) -> float:
        """Of an update that `staleness` server steps overtook; 1 where none did."""
        return float((1 + staleness) ** -self.a)


Staleness = Annotated[
    Annotated[
        Annotated[Constant, Tag("constant")] | Annotated[Polynomial, Tag("polynomial")],
        kind_or("constant"),
    ],
    BeforeValidator(spelled_out),
]
Late = Literal["drop", "accept"]
_LATE: dict[Late, list[str]] = {"drop": [], "accept": ["late ones count"]}  # in words


class PolicySettings(Pluggable):
    """What every policy says of itself; `cohort` is training.cohort."""

    plugin_group = "flasc_emu.policies"

    kind: str

    def at_work(self, cohort: int) -> int:
        """The most clients that it asks at a time."""
        return cohort

    def terms(self, cohort: int) -> list[str]:
        """What it asks of clients, in words, for `check`: ['first 10 of 13']."""
        return []


class Synchronous(PolicySettings):
    """The server waits for the whole cohort (McMahan et al. 2017)."""

    kind: Literal["synchronous"] = "synchronous"


class Overselection(PolicySettings):
    """`select` clients are asked; the `first` updates (training.cohort) end the round."""

    kind: Literal["overselection"]
    select: PositiveInt
    first: PositiveInt | None = None
    late: Late = "drop"
    staleness: Staleness = Constant()

    def at_work(self, cohort: int) -> int:
        """Those who are asked."""
        return self.select

    def enough(self, cohort: int) -> int:
        """How many updates end a round."""
        return self.first or cohort

    def terms(self, cohort: int) -> list[str]:
        """The first so many of so many."""
        return [f"first {self.enough(cohort)} of {self.select}", *_LATE[self.late]]


class Deadline(PolicySettings):
    """The round ends `deadline` after it began, or once the `first` updates (all) have arrived.

    (Bonawitz et al. 2019.) `select` clients are asked: training.cohort if not given.
    """

    kind: Literal["deadline"]
    deadline: Annotated[Duration, AfterValidator(_positive)]
    select: PositiveInt | None = None
    first: PositiveInt | None = None
    late: Late = "drop"
    staleness: Staleness = Constant()

    def at_work(self, cohort: int) -> int:
        """Those who are asked."""
        return self.select or cohort

    def enough(self, cohort: int) -> int:
        """How many updates end a round before its deadline."""
        return self.first or self.at_work(cohort)

    def terms(self, cohort: int) -> list[str]:
        """Its deadline, and of how many."""
        first = [f"first {self.first}"] if self.first else []
        asked = f"{self.at_work(cohort)} asked"
        return [f"deadline {format_duration(self.deadline)}", asked, *first, *_LATE[self.late]]


class Buffered(PolicySettings):
    """FedBuff: `concurrency` clients at work at all times, a step for `buffer` updates."""

    kind: Literal["buffered"]
    concurrency: PositiveInt
    buffer: PositiveInt
    staleness: Staleness = Polynomial(kind="polynomial")

    def at_work(self, cohort: int) -> int:
        """At all times."""
        return self.concurrency

    def terms(self, cohort: int) -> list[str]:
        """How many are at work, and when the server steps."""
        return [f"{self.concurrency} at work", f"a step for {self.buffer} updates"]


class Asynchronous(PolicySettings):
    """A step for every update: FedBuff with a buffer of one (FedAsync, Xie et al. 2019)."""

    kind: Literal["asynchronous"]
    concurrency: PositiveInt
    staleness: Staleness = Polynomial(kind="polynomial")

    def at_work(self, cohort: int) -> int:
        """At all times."""
        return self.concurrency

    def terms(self, cohort: int) -> list[str]:
        """How many are at work."""
        return [f"{self.concurrency} at work", "a step for each update"]


Policy = Annotated[
    Annotated[
        Annotated[Synchronous, Tag("synchronous")]
        | Annotated[Overselection, Tag("overselection")]
        | Annotated[Deadline, Tag("deadline")]
        | Annotated[Buffered, Tag("buffered")]
        | Annotated[Asynchronous, Tag("asynchronous")],
        kind_or("synchronous"),
    ],
    BeforeValidator(spelled_out),
]
