"""The settings of a scenario: task, training, methods and network."""

import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from typing_extensions import Self, override

from emulator.common.errors import FieldError, KeyPath
from emulator.common.text import short_repr
from emulator.scenario.sweeps import Sweeps
from emulator.simulation.clients.links import Label
from emulator.simulation.settings import RoundPlan, Target
from emulator.simulation.simulate import SimulationSettings
from emulator.simulation.target import ACCURACY, FALLING, Measure
from flasc.common.settings import Wire, WireForm, newer
from flasc.common.tagged_unions import ShortForm
from flasc.models.settings import Lora
from flasc.training.settings import (
    AdamW,
    Aggregation,
    Client,
    Engine,
    Method,
    Precision,
    Server,
    Task,
    TrainingSettings,
)

MAX_SEEDS = 1_000
MAX_CLIENTS = 10_000_000  # their links need a few gigabytes of memory


def _distinct(seeds: list[int]) -> list[int]:
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"found {seeds}; allowed: each seed once")
    return seeds


def _from_range(value: object) -> object:
    """The seeds of a range like '0-2', both ends included."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*([0-9]{1,19})\s*-\s*([0-9]{1,19})\s*", value)
    first, last = map(int, match.groups()) if match else (1, 0)
    if not 0 <= last - first < MAX_SEEDS:
        raise ValueError(
            f"found {short_repr(value)}; allowed: a list, like [0, 1, 2], or a range, like 0-2, of "
            f"at most {MAX_SEEDS:,} seeds"
        )
    return list(range(first, last + 1))


Seed = Annotated[int, Field(ge=0, le=2**63 - 1)]
Seeds = Annotated[
    list[Seed],
    Field(min_length=1),
    AfterValidator(_distinct),
    ShortForm(_from_range, about="a range like 0-2"),
]


class Training(RoundPlan):
    """Number of rounds, clients per round, and how the model is trained."""

    seeds: Seeds = Field(default=[0])
    """random seeds; one training per seed"""
    lora: Lora = Lora()
    """the LoRA adapter, built by PEFT"""
    client: Client = Client()
    """local training: SGD or AdamW, restarted each round"""
    server: Server = AdamW()
    """the server's optimiser; the mean update is its gradient"""
    aggregation: Aggregation = newer(Aggregation())
    """how the mean update is computed"""
    wire: WireForm = Wire()
    """encoding of messages: see [wire formats](wire_formats.md)"""
    engine: Engine = "cohort"
    """how clients are trained: the fast engine, or the plain loop that it is compared with
    ([training engines](../background/training_engines.md))"""
    precision: Precision = "auto"
    """precision of the engine's matrix products; auto: fp32 on a CPU, bf16 on a GPU (try `bf16` on
    a CPU with avx512_bf16 or AMX); the trained vector is always fp32"""


NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"  # also the name of the run folder


def _name(value: object) -> object:
    if isinstance(value, str) and not re.search(NAME, value):
        raise ValueError(
            f"found {short_repr(value)}; allowed: at most 100 letters, digits, dots, dashes and "
            "underscores, a letter or digit first"
        )
    return value


Note = Annotated[str, Field(min_length=1, max_length=500)]


class Scenario(SimulationSettings):
    """One variant of a study: `emulator.scenario.study` applies `vary`.

    `network_seeds` are draws of the fleet: each training is simulated under each. None: the seed of
    a training draws its fleet.
    """

    settings_type: ClassVar[type[TrainingSettings]] = TrainingSettings

    name: Annotated[str, Field(pattern=NAME), BeforeValidator(_name)]
    """name of the study and of its results folder in `runs`: 1 to 100 letters, digits, dots, dashes
    and underscores"""
    task: Task
    """data, pretrained model and clients"""
    training: Training
    """length, participants and optimisers of the training"""
    methods: Annotated[dict[Label, Method], Field(min_length=1)]
    """the methods to compare"""
    network_seeds: Seeds | None = newer(None)
    """draws of the fleet: each training is simulated under each. None: the seed of a training draws
    its fleet"""
    vary: Annotated[dict[Label, dict[Label, dict[Label, Any]]], Sweeps()] = Field(
        default_factory=dict
    )
    """variants, as axis: label: dotted key: value, or path: sweep; every combination of one label
    from each axis, at most 10,000"""
    note: Note | None = newer(None)
    """a text that `run` prints after the results, for example where to find more"""

    @property
    @override
    def clients(self) -> int:
        return self.task.clients

    @property
    def draws(self) -> Sequence[int | None]:
        """The draws of the fleet; one None if the seed of a training draws its fleet."""
        return self.network_seeds or (None,)

    @property
    def fleet_seed(self) -> int:
        """The seed of the first fleet."""
        return (self.network_seeds or self.training.seeds)[0]

    @property
    def metric_measure(self) -> Measure:
        """Whether the task's metric is to grow or to fall."""
        return FALLING if self.task.falls else ACCURACY

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for path, message in self.problems():
            raise FieldError(path, message)
        return self

    def problems(self) -> Iterator[tuple[KeyPath, str]]:
        """Settings that do not fit together: the path of one, and a message."""
        cohort, clients = self.training.cohort, self.task.clients
        if clients > MAX_CLIENTS:
            allowed = f"at most {MAX_CLIENTS:,} clients"
            yield ("task", "clients"), f"found {clients}; allowed: {allowed}"
        if cohort > clients:
            found = f"found {cohort} with task.clients {clients}"
            yield ("training", "cohort"), f"{found}; allowed: a cohort of at most all clients"
        if (target := self.training.target) and (found := self.target_problem(target)):
            yield ("training", "target"), found
        if self.compute and self.compute.per_example == "devices":
            for name, access in self.network.accesses.items():
                if access.devices is None:
                    found = f"found devices, and no devices for {name!r}"
                    allowed = "with devices of format fedscale for every client"
                    yield ("compute", "per_example"), f"{found}; allowed: {allowed}"
                else:
                    access.devices.seconds()
        for name, method in self.methods.items():
            whole = method.rank or self.training.lora.rank
            ranks = [getattr(tier, "rank", 1) for tier in getattr(method, "tiers", [])]
            if max(ranks, default=1) > whole:
                found = f"found a tier of rank {max(ranks)}"
                own = "(the method's own rank, or training.lora.rank)"
                allowed = f"at most the server's, {whole} {own}"
                yield ("methods", name, "tiers"), f"{found}; allowed: {allowed}"
        most, first = self.policy.max_concurrency(cohort), self.policy.updates_per_round(cohort)
        if most > clients:
            found = f"found {most} clients at a time with task.clients {clients}"
            yield ("policy",), f"{found}; allowed: at most all clients"
        if first is not None and first > most:
            found = f"found a round that waits for {first} updates and asks {most} clients"
            allowed = "first (or else training.cohort) of at most select"
            yield ("policy",), f"{found}; allowed: {allowed}"
        if self.training.dp and (what := next(self._unaccounted(), "")):
            rounds = "synchronous rounds of clients drawn uniformly of all"
            allowed = f"{rounds}, whose updates weigh the same"
            yield ("training", "dp"), f"found it with {what}; allowed: {allowed}"

    def target_problem(self, target: Target) -> str:
        """Why this is no target for the task's metric; '' if it is one."""
        return target.misfit(self.task.metric)

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
        for key in sorted(self.training.aggregation.model_dump(exclude_defaults=True)):
            yield f"training.aggregation.{key} {getattr(self.training.aggregation, key)}"
        for name, method in self.methods.items():
            if not method.private:
                yield f"method {name}, which learns from more than the noisy sum"

    def training_settings(self, method: str, seed: int) -> TrainingSettings:
        """All settings that determine the training of `method` with `seed`."""
        training = self.training
        return self.settings_type(
            seed=seed,
            task=self.task,
            lora=training.lora,
            client=training.client,
            server=training.server,
            wire=training.wire,
            aggregation=training.aggregation,
            engine=training.engine,
            precision=training.precision,
            dp=training.dp.mechanism(training.cohort) if training.dp else None,
            method=self.methods[method],
            evaluation_examples=training.evaluation.examples,
            evaluation_precision=training.evaluation.precision,
        )
