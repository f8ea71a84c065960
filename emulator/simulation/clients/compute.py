"""How long clients compute, as a scenario describes it, and what they can hold."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Discriminator,
    Tag,
    model_validator,
)
from typing_extensions import Self

from emulator.common.distributions import (
    Distribution,
    DurationDistribution,
    Empirical,
    ShareDistribution,
    SpeedDistribution,
)
from emulator.simulation.clients.devices import DeviceTable
from flasc.common.settings import Fraction, Settings


def _utilisation(value: float) -> float:
    if not 0 < value <= 1:
        raise ValueError(f"found {value:g}; allowed: above 0 and at most 1, like 30 %")
    return value


Utilisation = Annotated[Fraction, AfterValidator(_utilisation)]


def _form(value: object) -> str:
    if isinstance(value, DeviceTable) or (isinstance(value, Mapping) and "format" in value):
        return "table"
    return "devices" if value == "devices" else "law"


def _timed(value: object) -> object:
    if isinstance(value, DeviceTable):
        value.seconds()
    return value


PerExample = Annotated[
    Annotated[DurationDistribution, Tag("law")]
    | Annotated[Literal["devices"], Tag("devices")]
    | Annotated[DeviceTable, Tag("table")],
    Discriminator(_form),
    AfterValidator(_timed),
]


class Compute(Settings):
    """How long clients compute, forward and backward, in one of two ways; and what they can hold.

    `per_example`: time for one example; `devices`: as each client's device has it in the table of
    its group; a table of its own: as its devices have it, whatever link a client has. `speed`:
    operations a second, of which `utilisation` is put to use.
    """

    per_example: PerExample | None = None
    speed: SpeedDistribution | None = None
    utilisation: Utilisation | None = None
    max_rank: ShareDistribution | None = None
    too_large: Literal["skip", "error"] = "skip"

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = {"per_example": self.per_example, "speed": self.speed}
        given = [name for name, value in ways.items() if value is not None]
        if len(given) > 1 or not (given or self.max_rank is not None):
            found = " and ".join(given) or "no compute time"
            raise ValueError(f"found {found}; allowed: one of {', '.join(ways)}")
        if (self.speed is None) != (self.utilisation is None):
            raise ValueError(
                "found one of speed and utilisation; allowed: both, as no device does all it could"
            )
        return self

    def seconds_law(self) -> Distribution | Literal["devices"]:
        """Of the time for one example, seconds; for a `speed`, of the operations a second."""
        law = self.per_example if self.speed is None else self.speed
        if isinstance(law, DeviceTable):
            seconds = law.seconds().tolist()
            return Empirical[float].model_construct(kind="empirical", values=seconds)
        return 0.0 if law is None else law
