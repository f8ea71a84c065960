"""Settings of everything that decides what a training learns. Torch-free.

Which clients take part, how long that takes and over which network is decided by the emulator.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, Tag, model_validator
from typing_extensions import Self

from flasc.common import plugins
from flasc.common.schedules import Constant, Schedule, Steps
from flasc.common.settings import (
    Momentum,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    Settings,
    Wire,
    newer,
)
from flasc.common.tagged_unions import kind_or
from flasc.data.tokens import positions
from flasc.methods import METHODS, MethodSettings as MethodSettings
from flasc.models.folder import Problem as Problem, model_type, problem
from flasc.models.identity import weights_at_hand
from flasc.models.resolve import model_at_hand
from flasc.models.settings import COHORT, Lora
from flasc.tasks import TASKS, TaskSettings

if TYPE_CHECKING:  # installed packages are known at run time only
    Method = MethodSettings
    Task = TaskSettings
else:
    Method = Annotated[plugins.members(METHODS, MethodSettings), Field(discriminator="kind")]
    Task = Annotated[plugins.members(TASKS, TaskSettings), Field(discriminator="name")]


class Client(Settings):
    """Local training: SGD or torch's AdamW, restarted in each round.

    With `base_dropout` false, as in the reference code, the base model stays in evaluation mode and
    only LoRA has dropout.
    """

    optimizer: Literal["sgd", "adamw"] = newer("sgd")
    """`sgd`, or torch's `adamw` with betas of 0.9 and 0.999"""
    lr: PositiveFloat = 0.1
    """learning rate, constant after the warm-up"""
    momentum: Momentum = 0.9
    """SGD's momentum; `adamw` ignores it"""
    weight_decay: NonNegativeFloat = newer(0.0)
    """decoupled weight decay of `adamw`; refused with `sgd`"""
    warmup: Steps = newer(0)
    """the rate is multiplied by (*s* + 1) / `warmup` in a client's first `warmup` steps *s* of each
    round"""
    clip_norm: PositiveFloat | None = newer(None)
    """largest L2 norm of a step's gradient; none: not clipped"""
    batch: PositiveInt = 16
    """batch size; the last batch of an epoch may be smaller"""
    epochs: PositiveInt = 1
    """passes over the client's examples per round"""
    base_dropout: bool = False
    """whether the base model's own dropout is active during training"""

    @model_validator(mode="after")
    def _decays(self) -> Self:
        if self.weight_decay and self.optimizer == "sgd":
            raise ValueError(
                f"found weight_decay {self.weight_decay:g} with sgd; allowed: with optimizer: adamw"
            )
        return self


class Aggregation(Settings):
    """How updates become the mean that is the gradient of the server's optimiser.

    The defaults are those of the reference code. Both alternatives keep the sum of the weights that
    the round policy gives.
    """

    weights: Literal["uniform", "examples"] = "uniform"
    """weight of an update: the same for all, or the client's number of examples (McMahan et al.
    2017)"""
    zeros: Literal["count", "senders"] = "count"
    """an entry that a client did not send: counts as zero in the mean, or is left out, so that the
    mean is over the clients that sent it"""


class AdamW(Settings):
    """The reference code's server: torch's AdamW, bias-corrected, with weight decay."""

    kind: Literal["adamw"] = "adamw"
    lr: PositiveFloat = 1e-2
    """learning rate"""
    schedule: Schedule = newer(Constant())
    """factor on `lr` at each server step *t*, counted from 0: see
    [schedules](../howto/choose_methods_and_tasks.md#learning-rate-schedules)"""
    beta1: Momentum = 0.9
    """decay rate of the first moment"""
    beta2: Momentum = 0.999
    """decay rate of the second moment"""
    eps: PositiveFloat = 1e-8
    """added to the root of the second moment"""
    weight_decay: NonNegativeFloat = 0.01
    """decoupled weight decay"""


class FedAdam(Settings):
    """Reddi et al. 2021, algorithm 2: without bias correction and weight decay, adaptivity tau."""

    kind: Literal["fedadam"]
    lr: PositiveFloat = 1e-2
    """learning rate"""
    schedule: Schedule = newer(Constant())
    """factor on `lr` at each server step *t*, counted from 0: see
    [schedules](../howto/choose_methods_and_tasks.md#learning-rate-schedules)"""
    beta1: Momentum = 0.9
    """decay rate of the first moment"""
    beta2: Momentum = 0.99
    """decay rate of the second moment"""
    tau: PositiveFloat = 1e-3
    """adaptivity: added to the root of the second moment"""


class FedAvg(Settings):
    """The mean update times `lr` (1: McMahan et al. 2017)."""

    kind: Literal["fedavg"]
    lr: PositiveFloat = 1.0
    """factor on the mean update"""
    schedule: Schedule = newer(Constant())
    """factor on `lr` at each server step *t*, counted from 0: see
    [schedules](../howto/choose_methods_and_tasks.md#learning-rate-schedules)"""


Server = Annotated[
    Annotated[AdamW, Tag("adamw")]
    | Annotated[FedAdam, Tag("fedadam")]
    | Annotated[FedAvg, Tag("fedavg")],
    kind_or("adamw"),  # the reference code's
]


# `reference` is slow and trains any model; it replaces `cohort` for models that `cohort` lacks.
Engine = Literal["cohort", "reference"]
# tf32 needs a GPU. auto is fp32 on a CPU and bf16 on a GPU, with master weights in fp32.
Precision = Literal["auto", "fp32", "tf32", "bf16"]
Scaling = Literal["reference", "mean"]


class Privacy(Settings):
    """Client-level differential privacy: updates clipped to `clip`, noise of `noise` times that.

    `reference` leaves the mean divided by `clip`, as in FLASC's reference code; `mean` has the
    scale of the updates. `cohort` is the number of clients in a round, or its expectation.
    """

    clip: PositiveFloat
    noise: PositiveFloat
    scaling: Scaling = "reference"
    cohort: PositiveInt


# Keys of a method that replace those of the training section.
_OVERRIDES = ("rank", "client_lr", "server_lr", "server_schedule", "wire")


class TrainingSettings(Settings):
    """Everything that decides what one training learns, given the clients of each round."""

    seed: Annotated[int, Field(ge=0, le=2**63 - 1)]
    task: Task
    lora: Lora
    client: Client
    server: Server
    wire: Wire
    aggregation: Aggregation = newer(Aggregation())
    method: Method
    engine: Engine = "cohort"
    precision: Precision = "auto"
    dp: Privacy | None = newer(None)
    evaluation_examples: PositiveInt | None  # the first examples of a split; None: all
    evaluation_precision: Precision | None = newer(None)  # None: the precision of training

    def weights(self) -> str:
        """The identity of the model's weights and of the user's data.

        As far as their names do not tell and they are at hand; '' without any.
        """
        known = weights_at_hand(self.task.model), self.task.data_at_hand()
        return "; ".join(filter(None, known))

    def model_problem(self, cache: Path | None = None) -> Problem | None:
        """Why the model cannot be trained, as far as its files on this machine tell; else None."""
        head, scope = self.task.head, self.method.scope
        if head == "causal" and scope == "head":
            found = "a method that trains the head alone; a language model's head is frozen"
            return Problem("methods", found, "a method that trains LoRA")
        for where, precision in self._precisions().items():
            if precision not in ("auto", "fp32") and self.needs_reference(cache):
                found = f"{precision}; the reference engine, which trains this, has fp32 only"
                return Problem(where, found, "auto or fp32")
        folder = model_at_hand(self.task.model, cache=cache)
        if head is None or folder is None:
            return None
        tokens, most = getattr(self.task, "tokens", 0), positions(folder)
        if most is not None and tokens > most:
            default = "" if "tokens" in self.task.model_fields_set else " (the default)"
            found = f"{tokens}{default} with a model of {most} positions ({folder})"
            return Problem("task.tokens", found, f"at most {most}")
        return problem(folder, head, self.lora, scope)

    def _precisions(self) -> dict[str, Precision]:
        """The precisions that are asked for, by their keys in a scenario."""
        asked = {"training.precision": self.precision}
        if self.evaluation_precision:
            asked["training.evaluation.precision"] = self.evaluation_precision
        return asked

    def needs_reference(self, cache: Path | None = None) -> bool:
        """Whether the cohort engine cannot train this, as far as it is known before loading."""
        whole = self.method.scope == "all" or self.client.base_dropout
        return whole or self.engine == "reference" or bool(self.model_without_cohort_engine(cache))

    def model_without_cohort_engine(self, cache: Path | None = None) -> str:
        """The model's architecture, if it is known and the cohort engine lacks it; else ''."""
        folder = model_at_hand(self.task.model, cache=cache)
        kind = model_type(folder) if folder else ""
        return "" if kind in COHORT else kind

    @model_validator(mode="before")
    @classmethod
    def _apply_method_overrides(cls, data: dict[str, object]) -> dict[str, object]:
        """Replaces the training section's rank, rates and wire by the method's own."""
        method = data.get("method")
        if not isinstance(method, MethodSettings):
            return data
        lora, client, server = data["lora"], data["client"], data["server"]
        assert isinstance(lora, Lora)
        assert isinstance(client, Client)
        assert isinstance(server, (AdamW, FedAdam, FedAvg))
        own = {"rank": method.rank} if method.rank and method.has_rank else {}
        client_lr = {"lr": method.client_lr} if method.client_lr else {}
        server_lr = {"lr": method.server_lr} if method.server_lr else {}
        schedule = {"schedule": method.server_schedule} if method.server_schedule else {}
        return data | {
            "lora": lora.model_copy(update=own),
            "client": client.model_copy(update=client_lr),
            "server": server.model_copy(update=server_lr | schedule),
            "wire": method.wire or data["wire"],
            # Applied values are removed, so that the same training has the same digest.
            "method": method.model_copy(update=dict.fromkeys(_OVERRIDES)),
        }
