"""YAML format: quantities with units."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, ValidationError

from emulator.common.distributions import Duration, Loss, Rate
from emulator.common.units import format_rate, format_size, parse_size
from emulator.scenario import document
from emulator.scenario.validation_errors import to_scenario_error
from emulator.testbed import schedule as limits
from emulator.testbed.formats.ids import Ids
from emulator.testbed.schedule import Message, Schedule, Star
from flasc.common.settings import Settings


def _size(text: object) -> int:
    if (nbytes := parse_size(text)) > limits.MAX_BYTES:
        raise ValueError(f"found {text!r}; allowed: at most {format_size(limits.MAX_BYTES)}")
    return nbytes


def _rate(value: float) -> float:
    if not limits.MIN_RATE_BPS <= value / 8 <= limits.MAX_RATE_BPS:
        least, most = format_rate(8 * limits.MIN_RATE_BPS), format_rate(8 * limits.MAX_RATE_BPS)
        raise ValueError(f"found {value:g} bps; allowed: {least} to {most}")
    return value


Label = Annotated[str, Field(min_length=1, max_length=200)]
BoundedRate = Annotated[Rate, AfterValidator(_rate)]
BoundedDuration = Annotated[Duration, Field(le=limits.MAX_S)]


class Access(Settings):
    """A link; its owner receives at `down` and sends at `up`."""

    down: BoundedRate
    up: BoundedRate


class ClientAccess(Access):
    """A client's link: round-trip time, and loss probability of a segment, in each direction."""

    rtt: BoundedDuration = 0.0
    loss: Loss = 0.0


class Transfer(Settings):
    """A message to (`down`) or from (`up`) a client, given by name or, in a list, number from 0."""

    client: Label | int
    direction: Literal["down", "up"]
    size: Annotated[int, BeforeValidator(_size)]
    start: BoundedDuration = 0.0


class Transfers(Settings):
    """The whole file."""

    server: Access
    clients: Annotated[
        Annotated[Annotated[dict[Label, ClientAccess], Field(min_length=1)], Tag("named")]
        | Annotated[Annotated[list[ClientAccess], Field(min_length=1)], Tag("numbered")],
        Discriminator(lambda value: "numbered" if isinstance(value, list) else "named"),
    ]
    transfers: Annotated[list[Transfer], Field(min_length=1)]


def read(path: Path) -> Schedule:
    """The schedule in the file at `path`. Raises ScenarioError."""
    text = document.load(path)
    try:
        found = Transfers.model_validate(text.data)
    except ValidationError as error:
        raise to_scenario_error(error, text, Transfers) from None
    links = found.clients if isinstance(found.clients, list) else list(found.clients.values())
    clients = Ids(range(len(links)) if isinstance(found.clients, list) else found.clients)
    messages = []
    for n, one in enumerate(found.transfers):
        place = f"{text.where(('transfers', n))}: transfers.{n}.client"
        client = clients.number(one.client, place)
        messages.append(Message(client, one.direction, one.size, one.start))
    star = Star(
        up_Bps=[link.up / 8 for link in links],
        down_Bps=[link.down / 8 for link in links],
        delay_s=[link.rtt / 2 for link in links],
        loss=[link.loss for link in links],
        server_up_Bps=found.server.up / 8,
        server_down_Bps=found.server.down / 8,
    )
    return Schedule(path.stem, star, clients.ids, range(len(messages)), messages)
