"""Settings of the network: access links, groups, cells, the server's link, transport, program."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator
from typing_extensions import Self

from emulator.common.distributions import (
    DISTRIBUTIONS,
    DurationDistributions,
    LossDistribution,
    RateDistributions,
    ShareDistribution,
    kind_tag,
)
from emulator.common.errors import FieldError
from emulator.common.text import printable, short_repr, suggestion
from emulator.network.capacity import CAPACITIES, CapacityModel
from emulator.network.capacity.trace import Trace
from emulator.network.tcp import Congestion, Direction, Tcp
from emulator.simulation.availability import AVAILABILITIES, AvailabilitySettings
from emulator.simulation.clients import applications
from emulator.simulation.clients.applications import ApplicationSettings
from emulator.simulation.clients.devices import Devices
from emulator.simulation.clients.presets import PRESETS, PresetName
from emulator.simulation.clients.speed_tests import SpeedTests, columns_of
from flasc.common import plugins
from flasc.common.settings import Fraction, PositiveInt, Settings, fraction_schema
from flasc.common.tagged_unions import ShortForm, kind_or, spelled_out


def _reading(direction: Direction) -> Callable[[object], object]:
    def read(rate: object) -> object:
        if isinstance(rate, Trace):
            rate.read(direction)
        return rate

    return read


def link_form(value: object) -> str:
    """The tag of a rate or an RTT: `devices` or `table`, otherwise as in `kind_tag`."""
    return str(value) if value in ("devices", "table") else kind_tag(value)


if TYPE_CHECKING:  # installed plug-ins are known only at run time
    TimeVarying = CapacityModel
    Available = AvailabilitySettings
else:
    TimeVarying = plugins.members(CAPACITIES, CapacityModel, [*DISTRIBUTIONS, "devices", "table"])
    Available = Annotated[
        plugins.members(AVAILABILITIES, AvailabilitySettings),
        kind_or("missing"),
        ShortForm(spelled_out),
    ]
_Shared = Annotated[RateDistributions | TimeVarying, Discriminator(kind_tag)]
_OfTable = Annotated[Literal["table"], Tag("table")]
_Link = Annotated[
    RateDistributions | TimeVarying | Annotated[Literal["devices"], Tag("devices")] | _OfTable,
    Discriminator(link_form),
]
Rtt = Annotated[DurationDistributions | _OfTable, Discriminator(link_form)]
DownLink = Annotated[_Link, AfterValidator(_reading("down"))]
UpLink = Annotated[_Link, AfterValidator(_reading("up"))]
DownShared = Annotated[_Shared, AfterValidator(_reading("down"))]
UpShared = Annotated[_Shared, AfterValidator(_reading("up"))]


class Ratio(Settings):
    """A rate that is `ratio` times the same client's down."""

    ratio: ShareDistribution
    """factor on the client's own download rate, instead of a rate"""


def _form(value: object) -> str:
    is_ratio = "ratio" in value if isinstance(value, Mapping) else isinstance(value, Ratio)
    return "ratio" if is_ratio else "rate"


Up = Annotated[
    Annotated[UpLink, Tag("rate")] | Annotated[Ratio, Tag("ratio")], Discriminator(_form)
]
Rho = Annotated[float, Field(ge=-1, le=1)]


class Correlation(Settings):
    """Correlation of a client's other quantities with its down, -1 to 1.

    A Gaussian copula: each value is the correlation of two normals, whose quantiles the two
    distributions take, so that the distributions themselves do not change. Given down, the other
    quantities are independent of each other.
    """

    up: Rho = 0.0
    """upload rate; 0 if up is a ratio"""
    rtt: Rho = 0.0
    """RTT"""
    loss: Rho = 0.0
    """loss"""
    compute: Rho = 0.0
    """compute time"""


def _of_up(value: object) -> object:
    """A number alone is the correlation of up."""
    return {"up": value} if type(value) in (int, float) else value


class Cells(Settings):
    """Links that `clients` clients each share, in addition to their own links."""

    clients: PositiveInt
    """clients per cell"""
    down: DownShared
    """total rate at which the clients of a cell receive"""
    up: UpShared
    """total rate at which the clients of a cell send"""
    half_duplex: bool = False
    """both directions of a cell share one medium, as fast as the faster one"""


class AccessLink(Settings):
    """A client's link: `down` and `up` from its point of view, and the round-trip time `rtt`.

    `loss` is the probability that a segment is lost, in each direction. With `half_duplex`, down
    and up share one medium. `devices` or a `table` of speed tests, and a `preset`, fill in missing
    keys; the preset comes last.
    """

    preset: PresetName | None = None
    """values for keys that are not given: see [presets](network_presets.md)"""
    devices: Devices | None = None
    """published table; each client is one of its devices"""
    table: SpeedTests | None = None
    """table of speed tests, a CSV file; each client draws one row: its down, up and RTT together"""
    down: DownLink
    """rate at which a client receives; a preset, a device or a table provides it"""
    up: Up
    """rate at which a client sends; a preset, a device or a table provides it"""
    rtt: Rtt = 0.0
    """round-trip time between client and server; `check` and the report warn if it is left out"""
    loss: LossDistribution = 0.0
    """probability that a segment is lost, in each direction; with `tcp` only"""
    half_duplex: bool = False
    """both directions share one medium, as fast as the faster one"""
    correlation: Annotated[
        Correlation, ShortForm(_of_up, types=("number",), about="that of up alone")
    ] = Correlation()
    """Gaussian copula with the client's download rate"""
    cells: Cells | None = None
    """a further link that clients share; none: clients share only the server's link"""
    availability: Available | None = None
    """when a client is present; none: always"""

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and data.get("devices") is not None:
            data = {"down": "devices", "up": "devices", **data}
        if isinstance(data, Mapping) and data.get("table") is not None:
            data = dict.fromkeys(columns_of(data["table"]), "table") | dict(data)
        if not isinstance(data, Mapping) or data.get("preset") is None:
            return data
        named = [preset for name, preset in PRESETS.items() if name == data["preset"]]
        # With a wrong name, any preset is used: then only the name is reported.
        settings = (named or list(PRESETS.values()))[0].settings()
        if settings.keys() <= data.keys():
            raise ValueError(
                f"found preset with {', '.join(settings)} beside it, which are all its keys; "
                "allowed: a preset with fewer keys beside it (null deletes an inherited key)"
            )
        return settings | dict(data)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        used = "devices" in (self.down, self.up)
        if used and self.devices is None:
            raise ValueError(
                "found down or up of devices, but no devices; allowed: devices with a table"
            )
        if self.devices and not used:
            raise ValueError(
                "found devices with down and up beside them; allowed: devices with at most one of "
                "them (null deletes an inherited key)"
            )
        if self.correlation.up and (self.up == "devices" or isinstance(self.up, Ratio)):
            found = "of the same device" if self.up == "devices" else "as a ratio of down"
            raise ValueError(f"found up {found}, and a correlation of up; allowed: one of them")
        self._check_table()
        return self

    def _check_table(self) -> None:
        """Refuses columns that the table does not have, and what contradicts its rows."""
        used = [key for key in ("down", "up", "rtt") if getattr(self, key) == "table"]
        known = columns_of(self.table) if self.table else []
        for key in used:
            if key not in known:
                allowed = f"table with {key} in its columns"
                raise FieldError((key,), f"found table, which has no {key}; allowed: {allowed}")
            if key != "down" and getattr(self.correlation, key):
                raise ValueError(
                    f"found {key} of the same row, and a correlation of {key}; allowed: one of them"
                )
        if self.table and (
            beside := ["devices"] * bool(self.devices) or sorted({*known} - {*used})
        ):
            raise ValueError(
                f"found a table and {beside[0]} beside it; allowed: one of them (null deletes an "
                "inherited key)"
            )


Label = Annotated[str, Field(min_length=1, max_length=200)]
Weight = Annotated[
    Fraction, Field(gt=0), fraction_schema("a fraction or a number above 0, like 1/3 or 70 %")
]


class Group(AccessLink):
    """A group of clients with their own kind of access link; `share`s are relative."""

    share: Weight
    """share of the clients, relative to the other groups; in percent for all groups or for none"""


def shares_alike(groups: object) -> object:
    """Refuses percentages beside plain numbers: `30 %` is 0.3, and `70` is 233 times that."""
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
            "and a percentage is a number of hundredths; allowed: all in percent, or none",
        )
    return groups


Groups = Annotated[dict[Label, Group], Field(min_length=1), BeforeValidator(shares_alike)]


class ServerLink(Settings):
    """The server's link: it sends at `up` and receives at `down`."""

    down: DownShared
    """rate at which the server receives; uploads share it"""
    up: UpShared
    """rate at which the server sends; downloads share it"""


class FluidTransport(Settings):
    """Half an RTT, then bytes at the fair share of the links."""

    kind: Literal["fluid"]

    def model(self) -> None:
        """No TCP model."""


class TcpTransport(Settings):
    """TCP effects in addition to fluid sharing; each can be switched off (`Tcp`)."""

    kind: Literal["tcp"] = "tcp"
    handshake: bool = True
    """connection setup and, for a download, a request: 1 RTT more for an upload, 1.5 RTT for a
    download"""
    headers: bool = True
    """66 more bytes on the wire per 1,448 bytes of payload"""
    slow_start: bool = True
    """the window starts at 10 segments and doubles per RTT"""
    token_bucket: bool = True
    """an idle link passes one segment immediately, as traffic shapers do"""
    congestion: Congestion = "cubic"
    """speed of a long transfer under loss; bbr has no validated model here"""

    def model(self) -> Tcp:
        """The TCP model with these switches."""
        return Tcp(**self.model_dump(exclude={"kind"}))


Transport = Annotated[
    Annotated[
        Annotated[FluidTransport, Tag("fluid")] | Annotated[TcpTransport, Tag("tcp")],
        kind_or("tcp"),  # if only switches are given
    ],
    ShortForm(spelled_out),
]


def _named(value: object) -> object:
    """A text alone is the name of a preset."""
    if not isinstance(value, str):
        return value
    if value not in applications.PRESETS:
        raise ValueError(f"found {short_repr(value)}{suggestion(value, applications.PRESETS)}")
    return {"preset": value}


class Network(Settings):
    """Links of the server and of the clients, given as `clients` or as `groups`.

    `application` is what the program that sends the messages adds to each. `charge` selects the
    bytes that are timed: the `encoded` message, or, as in the paper, only its `values`.
    """

    server: ServerLink
    """the server's link, shared by all clients"""
    clients: AccessLink | None = None
    """link of every client; either this or `groups`"""
    groups: Groups | None = None
    """clients by group; either this or `clients`"""
    transport: Transport = TcpTransport()
    """how transfer times are computed"""
    application: Annotated[
        ApplicationSettings, ShortForm(_named, about="the name of a preset alone")
    ] = ApplicationSettings()
    """what the program that sends the messages adds to each, with transport tcp only"""
    charge: Literal["encoded", "values"] = "encoded"
    """bytes that are timed: the whole message, or only its values, as in the paper"""

    @property
    def accesses(self) -> Mapping[str, AccessLink]:
        """Access links by group; without groups, one group named `clients`."""
        return {"clients": self.clients} if self.clients else self.groups or {}

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.clients is None) == (self.groups is None):
            found = "neither" if self.clients is None else "both"
            raise ValueError(f"found {found}; allowed: either 'clients' or 'groups'")
        lossy = any(access.loss != 0 for access in self.accesses.values())
        if self.transport.kind == "fluid" and lossy:
            raise ValueError("found loss with transport fluid; allowed: loss with transport tcp")
        self._check_application()
        return self

    def _check_application(self) -> None:
        """Refuses an application whose effects the transport leaves out."""
        application = self.application
        if application.model() is None:
            return
        if not isinstance(self.transport, TcpTransport):
            raise FieldError(
                ("application",),
                "found an application with transport fluid; allowed: transport tcp, or "
                "application raw",
            )
        opened = (application.tls or application.grpc) and application.connection == "per_message"
        if opened and not self.transport.handshake:
            raise FieldError(
                ("application",),
                "found tls or grpc per message with transport handshake: false, which leaves out "
                "what opening a connection takes; allowed: handshake: true, or connection: kept",
            )
