"""Round policies as a scenario names them: who is asked, when a round ends, what is late.

How each is carried out stands in `emulator.rounds`, by formula in docs/rounds.md.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

from emulator.laws import Duration
from emulator.units import format_duration
from flasc.config import PositiveInt, Settings


def spelled_out(value: object) -> object:
    """A bare name is that kind with its defaults."""
    return {"kind": value} if isinstance(value, str) else value


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


def _kind(default: str) -> Discriminator:
    """A mapping without a kind is the default one."""

    def kind(value: object) -> str:
        if isinstance(value, Mapping):
            return str(value.get("kind", default))
        return str(getattr(value, "kind", default))

    return Discriminator(kind)


Staleness = Annotated[
    Annotated[
        Annotated[Constant, Tag("constant")] | Annotated[Polynomial, Tag("polynomial")],
        _kind("constant"),
    ],
    BeforeValidator(spelled_out),
]
Late = Literal["drop", "accept"]


class Chosen(Settings):
    """What all policies have: who of the available clients is asked."""

    selection: Literal["uniform", "oort"] = "uniform"


class Synchronous(Chosen):
    """The server waits for the whole cohort (McMahan et al. 2017)."""

    kind: Literal["synchronous"] = "synchronous"


class Overselection(Chosen):
    """`select` clients are asked; the `first` updates (training.cohort) end the round."""

    kind: Literal["overselection"]
    select: PositiveInt
    first: PositiveInt | None = None
    late: Late = "drop"
    staleness: Staleness = Constant()


class Deadline(Chosen):
    """The round ends `deadline` after it began, or once the `first` updates (all) have arrived.

    (Bonawitz et al. 2019.) `select` clients are asked: training.cohort if not given.
    """

    kind: Literal["deadline"]
    deadline: Annotated[Duration, AfterValidator(_positive)]
    select: PositiveInt | None = None
    first: PositiveInt | None = None
    late: Late = "drop"
    staleness: Staleness = Constant()


class Buffered(Chosen):
    """FedBuff: `concurrency` clients at work at all times, a step for `buffer` updates."""

    kind: Literal["buffered"]
    concurrency: PositiveInt
    buffer: PositiveInt
    staleness: Staleness = Polynomial(kind="polynomial")


class Asynchronous(Chosen):
    """A step for every update: FedBuff with a buffer of one (FedAsync, Xie et al. 2019)."""

    kind: Literal["asynchronous"]
    concurrency: PositiveInt
    staleness: Staleness = Polynomial(kind="polynomial")


Policy = Annotated[
    Annotated[
        Annotated[Synchronous, Tag("synchronous")]
        | Annotated[Overselection, Tag("overselection")]
        | Annotated[Deadline, Tag("deadline")]
        | Annotated[Buffered, Tag("buffered")]
        | Annotated[Asynchronous, Tag("asynchronous")],
        _kind("synchronous"),
    ],
    BeforeValidator(spelled_out),
]


def at_work(policy: Policy, cohort: int) -> int:
    """The most clients that a policy asks at a time, where training.cohort is `cohort`."""
    match policy:
        case Buffered() | Asynchronous():
            return policy.concurrency
        case Overselection() | Deadline():
            return policy.select or cohort
        case _:
            return cohort


def describe(policy: Policy, cohort: int) -> str:
    """What it asks of clients, in words: 'first 10 of 13'; '' if a cohort is waited for."""
    oort = ["selection oort"] if policy.selection == "oort" else []
    match policy:
        case Overselection():
            found = [f"first {enough(policy, cohort)} of {policy.select}"]
        case Deadline():
            asked = at_work(policy, cohort)
            found = [f"deadline {format_duration(policy.deadline)}", f"{asked} asked"]
            found += [f"first {policy.first}"] if policy.first else []
        case Buffered():
            found = [f"{policy.concurrency} at work", f"a step for {policy.buffer} updates"]
        case Asynchronous():
            found = [f"{policy.concurrency} at work", "a step for each update"]
        case _:
            found = []
    late = ["late ones count"] if getattr(policy, "late", "drop") == "accept" else []
    return ", ".join([*found, *late, *oort])


def enough(policy: Overselection | Deadline, cohort: int) -> int:
    """How many updates end a round of `policy` before its deadline."""
    if isinstance(policy, Overselection):
        return policy.first or cohort
    return policy.first or at_work(policy, cohort)
