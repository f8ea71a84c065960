"""A scenario: what is trained, by which methods, over which networks.

Strict and typed; every key that a user may write stands here or in `flasc.training.settings`.
"""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    Tag,
    model_validator,
)
from typing_extensions import Self

from emulator.common.tagged_unions import kind_or, spelled_out
from emulator.results.privacy import DifferentialPrivacy
from emulator.scenario.validation_errors import MisfitError
from emulator.scenario.yaml_nodes import shown
from emulator.simulation.clients.compute import Compute
from emulator.simulation.clients.links import Access, DownShared, Groups, Label, UpShared
from emulator.simulation.policies.base import Deadline, Overselection, PolicySettings, Synchronous
from emulator.simulation.policies.base import Policy as Policy
from emulator.simulation.selection.base import Selection as Selection
from emulator.simulation.selection.base import SelectionSettings, Uniform
from flasc.common import plugins
from flasc.models.settings import Lora
from flasc.training.settings import (
    AdamW,
    Client,
    Engine,
    Method,
    PositiveInt,
    Precision,
    Server,
    Settings,
    Task,
    TrainingSettings,
    Wire,
    parse_fraction,
)

if not TYPE_CHECKING:  # what is installed is known at run time only
    Policy = plugins.extended(Policy, PolicySettings)
    Selection = plugins.extended(Selection, SelectionSettings)

MAX_CLIENTS = 10_000_000  # a fleet is arrays in memory: a few gigabytes then


class ServerLink(Settings):
    """The server's link: `up` is what it sends with, `down` what it receives with."""

    down: DownShared
    up: UpShared


class FluidTransport(Settings):
    """Half an RTT, then bytes at the fair share of the links."""

    kind: Literal["fluid"]


class TcpTransport(Settings):
    """TCP on top of fluid sharing; each effect is a switch (`emulator.network.tcp.Tcp`)."""

    kind: Literal["tcp"] = "tcp"
    handshake: bool = True
    headers: bool = True
    slow_start: bool = True
    token_bucket: bool = True
    congestion: Literal["cubic", "reno"] = "cubic"


Transport = Annotated[
    Annotated[
        Annotated[FluidTransport, Tag("fluid")] | Annotated[TcpTransport, Tag("tcp")],
        kind_or("tcp"),  # switches alone are its
    ],
    BeforeValidator(spelled_out),
]


class Network(Settings):
    """Who is connected how. Either `clients` (all alike) or `groups`.

    `charge` says which bytes are timed: the `encoded` message, or its `values` alone as the paper
    counts.
    """

    server: ServerLink
    clients: Access | None = None
    groups: Groups | None = None
    transport: Transport = TcpTransport()
    charge: Literal["encoded", "values"] = "encoded"

    @model_validator(mode="after")
    def _one_description_of_clients(self) -> Self:
        if (self.clients is None) == (self.groups is None):
            found = "neither" if self.clients is None else "both"
            raise ValueError(f"found {found}; allowed: either 'clients' or 'groups'")
        return self

    @property
    def accesses(self) -> Mapping[str, Access]:
        """By group; all clients are one that is called so."""
        return {"clients": self.clients} if self.clients else self.groups or {}

    @model_validator(mode="after")
    def _loss_needs_tcp(self) -> Self:
        lossy = any(access.loss != 0 for access in self.accesses.values())
        if self.transport.kind == "fluid" and lossy:
            raise ValueError("found loss with transport fluid; allowed: loss with transport tcp")
        return self


def _accuracy(value: float) -> float:
    if not 0 < value <= 1:
        raise ValueError(f"found {value:g}; allowed: an accuracy above 0 and at most 1, like 70 %")
    return value


Accuracy = Annotated[float, BeforeValidator(parse_fraction), AfterValidator(_accuracy)]


class Target(Settings):
    """The accuracy on the validation split that the time is taken to.

    Training goes on for `stop_after` evaluations past the target; `never`: to the last round.
    """

    accuracy: Accuracy
    stop_after: Annotated[int, Field(ge=0, le=2**31 - 1)] | Literal["never"] = 2


class EvaluationPlan(Settings):
    """Every so many rounds on `validation`; `examples` cuts it to the first so many.

    `test` scores the last model on the test split once, cut to the same number.
    """

    every: PositiveInt = 1
    examples: PositiveInt | None = None
    test: bool = False


def _distinct(seeds: list[int]) -> list[int]:
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"found {seeds}; allowed: each seed once")
    return seeds


Seed = Annotated[int, Field(ge=0, le=2**63 - 1)]
Seeds = Annotated[list[Seed], Field(min_length=1), AfterValidator(_distinct)]


class Training(Settings):
    """How long, by whom and how it is trained."""

    rounds: PositiveInt
    cohort: PositiveInt = 10
    seeds: Seeds = Field(default=[0])
    target: Target | None = None
    evaluation: EvaluationPlan = EvaluationPlan()
    lora: Lora = Lora()
    client: Client = Client()
    server: Server = AdamW()
    wire: Wire = Wire()
    engine: Engine = "cohort"
    precision: Precision = "auto"
    dp: DifferentialPrivacy | None = None


NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"  # a run's folder is called so


def _name(value: object) -> object:
    if isinstance(value, str) and not re.search(NAME, value):
        raise ValueError(
            f"found {shown(value)}; allowed: at most 100 letters, digits, dots, dashes and "
            "underscores, a letter or digit first"
        )
    return value


class Scenario(Settings):
    """One study. `vary` is applied before a scenario gets here: see `emulator.scenario.study`."""

    name: Annotated[str, Field(pattern=NAME), BeforeValidator(_name)]
    task: Task
    training: Training
    methods: Annotated[dict[Label, Method], Field(min_length=1)]
    network: Network
    compute: Compute | None = None
    policy: Policy = Synchronous()
    selection: Selection = Uniform()
    vary: dict[Label, dict[Label, dict[Label, Any]]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fleet_fits(self) -> Self:
        if self.task.clients > MAX_CLIENTS:
            raise MisfitError(
                ("task", "clients"),
                f"found {self.task.clients}; allowed: at most {MAX_CLIENTS:,} clients",
            )
        return self

    @model_validator(mode="after")
    def _cohort_fits(self) -> Self:
        if self.training.cohort > self.task.clients:
            raise MisfitError(
                ("training", "cohort"),
                f"found {self.training.cohort} with task.clients {self.task.clients}; "
                "allowed: a cohort of at most all clients",
            )
        return self

    @model_validator(mode="after")
    def _speeds_have_a_table(self) -> Self:
        if self.compute and self.compute.per_example == "devices":
            for name, access in self.network.accesses.items():
                if access.devices is None:
                    raise MisfitError(
                        ("compute", "per_example"),
                        f"found devices, and no devices for {name!r}; "
                        "allowed: with devices of format fedscale for every client",
                    )
                access.devices.seconds()
        return self

    @model_validator(mode="after")
    def _tiers_fit(self) -> Self:
        for name, method in self.methods.items():
            whole = method.rank or self.training.lora.rank
            ranks = [getattr(tier, "rank", 1) for tier in getattr(method, "tiers", [])]
            if max(ranks, default=1) > whole:
                raise MisfitError(
                    ("methods", name, "tiers"),
                    f"found a tier of rank {max(ranks)}; allowed: at most the server's, {whole} "
                    "(the method's own rank, or training.lora.rank)",
                )
        return self

    @model_validator(mode="after")
    def _policy_fits(self) -> Self:
        most, clients = self.policy.at_work(self.training.cohort), self.task.clients
        if most > clients:
            raise MisfitError(
                ("policy",),
                f"found {most} clients at a time with task.clients {clients}; "
                "allowed: at most all clients",
            )
        if isinstance(self.policy, Overselection | Deadline):
            first = self.policy.enough(self.training.cohort)
            if first > most:
                raise MisfitError(
                    ("policy",),
                    f"found a round that waits for {first} updates and asks {most} clients; "
                    "allowed: first (or else training.cohort) of at most select",
                )
        return self

    @model_validator(mode="after")
    def _privacy_is_accounted_for(self) -> Self:
        if self.training.dp and (found := next(self._unaccounted(), None)):
            raise MisfitError(
                ("training", "dp"),
                f"found it with {found}; allowed: synchronous rounds of clients drawn "
                "uniformly of all, whose updates weigh the same",
            )
        return self

    def _unaccounted(self) -> Iterator[str]:
        """What no account of training.dp is of."""
        if self.policy.kind != "synchronous":
            yield f"policy {self.policy.kind}"
        if self.selection.kind != "uniform":
            yield f"selection {self.selection.kind}"
        if self.compute and self.compute.max_rank is not None:
            yield "compute.max_rank"
        if any(access.availability for access in self.network.accesses.values()):
            yield "clients that leave (availability)"
        for name, method in self.methods.items():
            if not method.private:
                yield f"method {name}, which learns from more than the noisy sum"

    def training_settings(self, method: str, seed: int) -> TrainingSettings:
        """All that decides what `method` learns with `seed`."""
        training = self.training
        return TrainingSettings(
            seed=seed,
            task=self.task,
            lora=training.lora,
            client=training.client,
            server=training.server,
            wire=training.wire,
            engine=training.engine,
            precision=training.precision,
            dp=training.dp.mechanism(training.cohort) if training.dp else None,
            method=self.methods[method],
            evaluation_examples=training.evaluation.examples,
        )
