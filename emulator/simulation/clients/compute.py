"""Settings of compute times and of the LoRA ranks that fit in memory."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Discriminator, Tag, model_validator
from typing_extensions import Self

from emulator.common.distributions import (
    Distribution,
    DurationDistribution,
    Empirical,
    ShareDistribution,
    SpeedDistribution,
    only,
)
from emulator.simulation.clients.devices import DeviceTable
from flasc.common.settings import Fraction, Settings, fraction_schema

Utilisation = Annotated[
    Fraction,
    only(lambda x: 0 < x <= 1, "above 0 and at most 1, like 30 %"),
    fraction_schema("a fraction above 0 to 1, like 30 % or 0.3"),
]


def _form(value: object) -> str:
    if isinstance(value, DeviceTable) or (isinstance(value, Mapping) and "format" in value):
        return "table"
    return "devices" if value == "devices" else "distribution"


def _timed(value: object) -> object:
    if isinstance(value, DeviceTable):
        value.seconds()
    return value


PerExample = Annotated[
    Annotated[DurationDistribution, Tag("distribution")]
    | Annotated[Literal["devices"], Tag("devices")]
    | Annotated[DeviceTable, Tag("table")],
    Discriminator(_form),
    AfterValidator(_timed),
]


class Compute(Settings):
    """Compute time of clients, forward and backward, and the largest LoRA rank that they can hold.

    The compute time is either `per_example`, or follows from `speed`, operations per second, of
    which the share `utilisation` is used. `per_example`, the time for one example, is a
    distribution; `devices`: the time of each client's device in the table of its group; or a table
    of devices, independent of the clients' links.
    """

    per_example: PerExample | None = None
    """time for one example, forward and backward; `devices`: that of the client's device in the
    table of its group; a table: that of a device drawn from it, independently of the client's
    link"""
    speed: SpeedDistribution | None = None
    """alternative to `per_example`: operations per second, like 20 GFLOP/s; the model's operations
    are counted"""
    utilisation: Utilisation | None = None
    """share of the speed that training uses; with `speed` only"""
    max_rank: ShareDistribution | None = None
    """largest LoRA rank that a client can hold"""
    too_large: Literal["skip", "error"] = "skip"
    """clients that cannot hold a method's rank are never asked, or cause an error"""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = {"per_example": self.per_example, "speed": self.speed}
        given = [name for name, value in ways.items() if value is not None]
        if len(given) > 1 or not (given or self.max_rank is not None):
            found = " and ".join(given) or "no compute time"
            raise ValueError(f"found {found}; allowed: one of {', '.join(ways)}")
        if (self.speed is None) != (self.utilisation is None):
            raise ValueError(
                "found one of speed and utilisation; allowed: both, as no device reaches its speed"
            )
        return self

    def distribution(self) -> Distribution | Literal["devices"]:
        """Distribution of the seconds per example; with `speed`, of the operations per second."""
        given = self.per_example if self.speed is None else self.speed
        if isinstance(given, DeviceTable):
            seconds = given.seconds().tolist()
            return Empirical[float].model_construct(kind="empirical", values=seconds)
        return 0.0 if given is None else given
