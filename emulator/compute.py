"""How long clients compute, as a scenario describes it, and what they can hold."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    PrivateAttr,
    Tag,
    model_validator,
)
from typing_extensions import Self

from emulator.errors import ScenarioError
from emulator.laws import DurationLaw, Empirical, Law, ShareLaw, SpeedLaw
from emulator.network.capacity.devices import read_fedscale
from emulator.nodes import printable
from flasc.config import Settings, parse_fraction


def _utilisation(value: float) -> float:
    if not 0 < value <= 1:
        raise ValueError(f"found {value:g}; allowed: above 0 and at most 1, like 30 %")
    return value


Utilisation = Annotated[float, BeforeValidator(parse_fraction), AfterValidator(_utilisation)]


def seconds_of(path: Path) -> Empirical[float]:
    """Times for one example, as a law, of the devices in FedScale's table: FLASH's has none.

    Raises ScenarioError; also where a device's time is missing: it is not taken for none.
    """
    devices = read_fedscale(path)
    seconds = [device.per_example_s or 0.0 for device in devices]
    if 0.0 in seconds:
        name = devices[seconds.index(0.0)].name
        raise ScenarioError(
            f"{printable(str(path))}: {printable(name)}: found no time to train; "
            "allowed: a time above 0 for every device"
        )
    return Empirical[float].model_construct(kind="empirical", values=seconds)


def _form(value: object) -> str:
    return "devices" if value == "devices" else "law"


PerExample = Annotated[
    Annotated[DurationLaw, Tag("law")] | Annotated[Literal["devices"], Tag("devices")],
    Discriminator(_form),
]


class Compute(Settings):
    """How long clients compute, forward and backward, in one of three ways; and what they can hold.

    `per_example`: time for one example; `devices`: as each client's device has it in the table of
    its group. `speed`: operations a second, of which `utilisation` is put to use. `file`:
    FedScale's table of devices, which says how long each takes, whatever link a client has.
    """

    per_example: PerExample | None = None
    speed: SpeedLaw | None = None
    utilisation: Utilisation | None = None
    file: str | None = None
    max_rank: ShareLaw | None = None
    too_large: Literal["skip", "error"] = "skip"
    _table: Empirical[float] | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = {"per_example": self.per_example, "speed": self.speed, "file": self.file}
        given = [name for name, value in ways.items() if value is not None]
        if len(given) > 1 or not (given or self.max_rank is not None):
            found = " and ".join(given) or "no compute time"
            raise ValueError(f"found {found}; allowed: one of {', '.join(ways)}")
        if (self.speed is None) != (self.utilisation is None):
            raise ValueError(
                "found one of speed and utilisation; allowed: both, as no device does all it could"
            )
        if self.file is not None:
            try:
                self._table = seconds_of(Path(self.file))
            except ScenarioError as error:
                raise ValueError(error.message) from None
        return self

    def seconds_law(self) -> Law | Literal["devices"]:
        """Of the time for one example, seconds; for a `speed`, of the operations a second."""
        return next(x for x in (self.per_example, self.speed, self._table, 0.0) if x is not None)
