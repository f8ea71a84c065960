"""Typed settings of the methods, one class each; what they mean is in `flasc.methods`. Torch-free.

The first line of a class is what `flasc-emu list methods` says of it.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from flasc.common.plugins import Pluggable
from flasc.common.settings import (
    Density,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    Settings,
    Wire,
    newer,
    parse_fraction,
)

Rank = Annotated[int, Field(ge=1, le=1024)]


def _share(value: float) -> float:
    if not value > 0:
        raise ValueError(f"found {value:g}; allowed: a share above 0, like 1/3 or 70 %")
    return value


Share = Annotated[float, BeforeValidator(parse_fraction), AfterValidator(_share)]


class MethodSettings(Pluggable):
    """What every method may set for itself instead of the training section's value.

    And `error_feedback`: a client keeps what its upload leaves out and adds it to its next one.
    """

    plugin_group = "flasc_emu.methods"
    has_rank: ClassVar[bool] = True  # whether LoRA's rank means anything to it

    @property
    def private(self) -> bool:
        """Whether all that it learns from clients is the sum of their updates."""
        return True

    rank: Rank | None = None
    client_lr: PositiveFloat | None = None
    server_lr: PositiveFloat | None = None
    wire: Wire | None = newer(None)
    error_feedback: bool = newer(False)


class Full(MethodSettings):
    """Full fine-tuning: every weight is trained and sent."""

    has_rank = False

    kind: Literal["full"]


class Head(MethodSettings):
    """Linear probe: only the classifier is trained and sent."""

    has_rank = False

    kind: Literal["head"]


class DenseLora(MethodSettings):
    """LoRA, every entry sent both ways (arXiv 2106.09685)."""

    kind: Literal["lora"]


class FfaLora(MethodSettings):
    """FFA-LoRA: A stays at its random start, B and head are trained and sent (arXiv 2403.12313)."""

    kind: Literal["ffa_lora"]


class Flasc(MethodSettings):
    """FLASC: dense training; the largest entries go down, the largest deltas up (arXiv 2406.05233).

    Both densities are multiplied by `gamma` every `every` rounds.
    """

    kind: Literal["flasc"]
    down: Density
    up: Density
    gamma: Density = newer(1.0)
    every: PositiveInt = newer(1)


class FederatedSelect(MethodSettings):
    """Federated Select: the largest entries go down; training stays inside (arXiv 2208.09432).

    The density is multiplied by `gamma` every `every` rounds.
    """

    kind: Literal["federated_select"]
    density: Density
    gamma: Density = 1.0
    every: PositiveInt = 1


class SparseAdapter(MethodSettings):
    """SparseAdapter: one mask for good; clients train only inside it (arXiv 2210.04284).

    The mask is fixed after `dense_rounds` by a `score` of each entry; 0 is the original's way, at
    the start. SNIP and GraSP need gradients: a round in which each client of the cohort measures
    on the first so many `examples` of its own.
    """

    kind: Literal["sparse_adapter"]
    density: Density
    score: Literal["magnitude", "random", "snip", "grasp"] = newer("magnitude")
    dense_rounds: Annotated[int, Field(ge=0, le=2**31 - 1)] = newer(1)
    examples: PositiveInt = newer(16)

    @property
    def private(self) -> bool:
        """Gradients are measured beside updates."""
        return self.score not in ("snip", "grasp")


class AdapterLth(MethodSettings):
    """Adapter LTH: the smallest entries are pruned away round by round (Wu and Chen 2022).

    Every `every` rounds the share `gamma` of the entries that are left stays.
    """

    kind: Literal["adapter_lth"]
    gamma: Density
    every: PositiveInt


class DensityTier(Settings):
    """A share of the clients with densities of their own; shares are relative."""

    share: Share
    down: Density
    up: Density


class FlascTiers(MethodSettings):
    """FLASC with densities for each tier of clients (arXiv 2406.05233).

    `rank_head` false is the reference code's quirk: downloads rank LoRA's entries alone and carry
    the whole head, uploads rank everything.
    """

    kind: Literal["flasc_tiers"]
    tiers: Annotated[list[DensityTier], Field(min_length=1)]
    rank_head: bool = False


class RankTier(Settings):
    """A share of the clients with a LoRA rank of its own; shares are relative."""

    share: Share
    rank: Rank


class RankTiers(MethodSettings):
    """LoRA with a rank for each tier of clients, and the whole head (arXiv 2406.05233).

    A tier keeps the first ranks (`truncation`), or A's rows and B's columns of largest `norm`.
    """

    kind: Literal["rank_tiers"]
    tiers: Annotated[list[RankTier], Field(min_length=1)]
    by: Literal["truncation", "norm"] = "truncation"


class HetLora(MethodSettings):
    """HetLoRA: first ranks by tier, updates weighted by the adapter's norm (arXiv 2401.06432).

    `weighting` norm weighs an update by ||B A|| of the client that made it. `prune` below 1 lets
    clients cut their rank to that share where the ranks behind it have shrunk while training;
    `penalty` times the product of those ranks' norms is added to the local loss.
    """

    kind: Literal["het_lora"]
    tiers: Annotated[list[RankTier], Field(min_length=1)]
    weighting: Literal["uniform", "norm"] = "norm"
    prune: Density = 1.0
    penalty: NonNegativeFloat = 0.0

    @property
    def private(self) -> bool:
        """Weights and ranks tell of single updates."""
        return self.weighting == "uniform" and self.prune == 1


Method = Annotated[
    Full
    | Head
    | DenseLora
    | FfaLora
    | Flasc
    | FederatedSelect
    | SparseAdapter
    | AdapterLth
    | FlascTiers
    | RankTiers
    | HetLora,
    Field(discriminator="kind"),
]
