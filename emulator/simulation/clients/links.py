"""A client's access link as a scenario describes it: rates, delay, loss, and what they share."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    model_validator,
)
from typing_extensions import Self

from emulator.common.distributions import (
    DISTRIBUTIONS,
    DurationDistribution,
    LossDistribution,
    RateDistributions,
    ShareDistribution,
    kind_tag,
)
from emulator.common.errors import FieldError
from emulator.common.tagged_unions import ShortForm, kind_or, spelled_out
from emulator.common.text import printable, short_repr
from emulator.network.capacity import CAPACITIES, CapacityModel
from emulator.network.capacity.trace import Trace
from emulator.network.tcp import Direction
from emulator.simulation.availability import AVAILABILITIES, AvailabilitySettings
from emulator.simulation.clients.devices import Devices
from emulator.simulation.clients.presets import PRESETS, PresetName
from flasc.common import plugins
from flasc.common.settings import Fraction, PositiveInt, Settings


def _reading(direction: Direction) -> Callable[[object], object]:
    def read(law: object) -> object:
        if isinstance(law, Trace):
            law.read(direction)
        return law

    return read


def link_form(value: object) -> str:
    """What `laws.kind_of` says, or `devices`, which is a word and no rate."""
    return "devices" if value == "devices" else kind_tag(value)


if TYPE_CHECKING:  # which packages are installed is known at run time only
    TimeVarying = CapacityModel
    Available = AvailabilitySettings
else:
    TimeVarying = plugins.members(CAPACITIES, CapacityModel, [*DISTRIBUTIONS, "devices"])
    Available = Annotated[
        plugins.members(AVAILABILITIES, AvailabilitySettings),
        kind_or("missing"),
        ShortForm(spelled_out),
    ]
_Shared = Annotated[RateDistributions | TimeVarying, Discriminator(kind_tag)]
_Link = Annotated[
    RateDistributions | TimeVarying | Annotated[Literal["devices"], Tag("devices")],
    Discriminator(link_form),
]
DownLink = Annotated[_Link, AfterValidator(_reading("down"))]
UpLink = Annotated[_Link, AfterValidator(_reading("up"))]
DownShared = Annotated[_Shared, AfterValidator(_reading("down"))]
UpShared = Annotated[_Shared, AfterValidator(_reading("up"))]


class Ratio(Settings):
    """A rate in proportion to the same client's down: `ratio` times it."""

    ratio: ShareDistribution


def _form(value: object) -> str:
    if isinstance(value, Mapping):
        return "ratio" if "ratio" in value else "law"
    return "ratio" if isinstance(value, Ratio) else "law"


UpLaw = Annotated[
    Annotated[UpLink, Tag("law")] | Annotated[Ratio, Tag("ratio")], Discriminator(_form)
]
Rho = Annotated[float, Field(ge=-1, le=1)]


class Correlation(Settings):
    """How a client's other quantities go with its down: 1 together, -1 opposed, 0 not at all.

    A Gaussian copula with `down` in its middle: each is the correlation of two normals, of which
    the two laws then take the quantiles, so that the laws themselves stay as they are. Given down,
    the others are independent of each other.
    """

    up: Rho = 0.0
    rtt: Rho = 0.0
    loss: Rho = 0.0
    compute: Rho = 0.0


def _of_up(value: object) -> object:
    """A bare number is the correlation of up."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return {"up": value} if is_number else value


class Cells(Settings):
    """Capacity that `clients` at a time share, on top of each one's own link."""

    clients: PositiveInt
    down: DownShared
    up: UpShared
    half_duplex: bool = False


class AccessLink(Settings):
    """A client's link: `down` and `up` as the client sees them, `rtt` there and back.

    `loss` is the probability that a segment is lost, each way. With `half_duplex`, down and up are
    one medium. A `preset` fills in what is not given, and so does a table of `devices`, which goes
    before the preset.
    """

    preset: PresetName | None = None
    devices: Devices | None = None
    down: DownLink
    up: UpLaw
    rtt: DurationDistribution = 0.0
    loss: LossDistribution = 0.0
    half_duplex: bool = False
    correlation: Annotated[Correlation, ShortForm(_of_up, type="number")] = Correlation()
    cells: Cells | None = None
    availability: Available | None = None

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and data.get("devices") is not None:
            data = {"down": "devices", "up": "devices", **data}
        if not isinstance(data, Mapping) or data.get("preset") is None:
            return data
        named = [preset for name, preset in PRESETS.items() if name == data["preset"]]
        # With a wrong name, any preset will do: then nothing but the name is at fault.
        settings = (named or list(PRESETS.values()))[0].settings()
        if settings.keys() <= data.keys():
            raise ValueError(
                f"found preset with {', '.join(settings)} beside it, which is all it has; allowed: "
                "a preset, and less than that (null deletes what is inherited)"
            )
        return settings | dict(data)

    @model_validator(mode="after")
    def _devices_are_there_to_be_used(self) -> Self:
        used = "devices" in (self.down, self.up)
        if used and self.devices is None:
            raise ValueError("found down or up of devices, but no devices; allowed: with a table")
        if self.devices and not used:
            raise ValueError(
                "found devices with down and up beside them; allowed: devices, and less than that "
                "(null deletes what is inherited)"
            )
        return self

    @model_validator(mode="after")
    def _one_relation_of_up_and_down(self) -> Self:
        if self.correlation.up and (self.up == "devices" or isinstance(self.up, Ratio)):
            found = "of the same device" if self.up == "devices" else "as a ratio of down"
            raise ValueError(f"found up {found}, and a correlation of up; allowed: either")
        return self


Label = Annotated[str, Field(min_length=1, max_length=200)]
Weight = Annotated[Fraction, Field(gt=0)]


class Group(AccessLink):
    """A share of the clients with an access link of its own; shares are relative."""

    share: Weight


def shares_alike(groups: object) -> object:
    """Refuse percent beside plain numbers: `30 %` is 0.3, and `70` beside it is 233 times that."""
    if not isinstance(groups, Mapping):
        return groups
    shares = {name: group.get("share") for name, group in groups.items() if isinstance(group, dict)}
    numbers = {k: v for k, v in shares.items() if type(v) in (int, float)}
    percents = {k: v for k, v in shares.items() if isinstance(v, str) and "%" in v}
    if numbers and percents:
        (name, number), (other, percent) = next(iter(numbers.items())), next(iter(percents.items()))
        raise FieldError(
            (name, "share"),
            f"found {short_repr(number)} beside {short_repr(percent)} of {printable(other)}, "
            "where percent are hundredths; allowed: all in percent, or none",
        )
    return groups


Groups = Annotated[dict[Label, Group], Field(min_length=1), BeforeValidator(shares_alike)]


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
    ShortForm(spelled_out),
]


class Network(Settings):
    """Who is connected how. Either `clients` (all alike) or `groups`.

    `charge` says which bytes are timed: the `encoded` message, or its `values` alone as the paper
    counts.
    """

    server: ServerLink
    clients: AccessLink | None = None
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
    def accesses(self) -> Mapping[str, AccessLink]:
        """By group; all clients are one that is called so."""
        return {"clients": self.clients} if self.clients else self.groups or {}

    @model_validator(mode="after")
    def _loss_needs_tcp(self) -> Self:
        lossy = any(access.loss != 0 for access in self.accesses.values())
        if self.transport.kind == "fluid" and lossy:
            raise ValueError("found loss with transport fluid; allowed: loss with transport tcp")
        return self
