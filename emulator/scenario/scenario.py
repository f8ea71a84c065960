"""The settings of a scenario: task, training, methods and network."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from typing_extensions import Self

from emulator.common.errors import FieldError
from emulator.common.tagged_unions import ShortForm, kind_or, spelled_out
from emulator.common.text import short_repr
from emulator.simulation.clients.compute import Compute
from emulator.simulation.clients.links import Label, Network
from emulator.simulation.policies import POLICIES, PolicySettings
from emulator.simulation.policies.synchronous import Synchronous
from emulator.simulation.selection import SELECTIONS, SelectionSettings
from emulator.simulation.selection.uniform import Uniform
from emulator.simulation.settings import DifferentialPrivacy, EvaluationPlan, Target
from flasc.common import plugins
from flasc.common.settings import PositiveInt, Settings, Wire
from flasc.models.settings import Lora
from flasc.training.settings import (
    AdamW,
    Client,
    Engine,
    Method,
    Precision,
    Server,
    Task,
    TrainingSettings,
)

if TYPE_CHECKING:  # which packages are installed is known at run time only
    Policy = PolicySettings
    Selection = SelectionSettings
else:
    Policy = Annotated[
        plugins.members(POLICIES, PolicySettings), kind_or("synchronous"), ShortForm(spelled_out)
    ]
    Selection = Annotated[
        plugins.members(SELECTIONS, SelectionSettings), kind_or("uniform"), ShortForm(spelled_out)
    ]

MAX_CLIENTS = 10_000_000  # their links need a few gigabytes of memory


def _distinct(seeds: list[int]) -> list[int]:
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"found {seeds}; allowed: each seed once")
    return seeds


Seed = Annotated[int, Field(ge=0, le=2**63 - 1)]
Seeds = Annotated[list[Seed], Field(min_length=1), AfterValidator(_distinct)]


class Training(Settings):
    """Number of rounds, clients per round, and how the model is trained."""

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


NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"  # also the name of the run folder


def _name(value: object) -> object:
    if isinstance(value, str) and not re.search(NAME, value):
        raise ValueError(
            f"found {short_repr(value)}; allowed: at most 100 letters, digits, dots, dashes and "
            "underscores, a letter or digit first"
        )
    return value


class Scenario(Settings):
    """One variant of a study: `emulator.scenario.study` applies `vary`."""

    name: Annotated[str, Field(pattern=NAME), BeforeValidator(_name)]
    task: Task
    training: Training
    methods: Annotated[dict[Label, Method], Field(min_length=1)]
    network: Network
    compute: Compute | None = None
    policy: Policy = Synchronous()
    selection: Selection = Uniform()
    vary: dict[Label, dict[Label, dict[Label, Any]]] = Field(default_factory=dict)

    @property
    def clients(self) -> int:
        """Number of all clients."""
        return self.task.clients

    @model_validator(mode="after")
    def _fleet_fits(self) -> Self:
        if self.task.clients > MAX_CLIENTS:
            raise FieldError(
                ("task", "clients"),
                f"found {self.task.clients}; allowed: at most {MAX_CLIENTS:,} clients",
            )
        return self

    @model_validator(mode="after")
    def _cohort_fits(self) -> Self:
        if self.training.cohort > self.task.clients:
            raise FieldError(
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
                    raise FieldError(
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
                raise FieldError(
                    ("methods", name, "tiers"),
                    f"found a tier of rank {max(ranks)}; allowed: at most the server's, {whole} "
                    "(the method's own rank, or training.lora.rank)",
                )
        return self

    @model_validator(mode="after")
    def _policy_fits(self) -> Self:
        cohort, clients = self.training.cohort, self.task.clients
        most = self.policy.max_concurrency(cohort)
        if most > clients:
            raise FieldError(
                ("policy",),
                f"found {most} clients at a time with task.clients {clients}; "
                "allowed: at most all clients",
            )
        first = self.policy.updates_per_round(cohort)
        if first is not None and first > most:
            raise FieldError(
                ("policy",),
                f"found a round that waits for {first} updates and asks {most} clients; "
                "allowed: first (or else training.cohort) of at most select",
            )
        return self

    @model_validator(mode="after")
    def _privacy_has_an_account(self) -> Self:
        if self.training.dp and (found := next(self._unaccounted(), None)):
            raise FieldError(
                ("training", "dp"),
                f"found it with {found}; allowed: synchronous rounds of clients drawn "
                "uniformly of all, whose updates weigh the same",
            )
        return self

    def _unaccounted(self) -> Iterator[str]:
        """The settings for which the privacy accounting of training.dp is not valid."""
        if self.policy.kind != "synchronous":
            yield f"policy {self.policy.kind}"
        if self.selection.kind != "uniform":
            yield f"selection {self.selection.kind}"
        if self.compute and self.compute.max_rank is not None:
            yield "compute.max_rank"
        if any(access.availability for access in self.network.accesses.values()):
            yield "clients that are not always available (availability)"
        for name, method in self.methods.items():
            if not method.private:
                yield f"method {name}, which learns from more than the noisy sum"

    def training_settings(self, method: str, seed: int) -> TrainingSettings:
        """All settings that determine the training of `method` with `seed`."""
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
