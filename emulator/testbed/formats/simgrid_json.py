"""JSON format of the SimGrid reference: numbers in bytes and seconds.

One scenario, a list of scenarios, or {"meta": ..., "scenarios": [...]}. A scenario is
{server_in_Bps, server_out_Bps, clients: [{up_Bps, down_Bps, latency_s}], flows: [{client, dir,
start_s, size_B}]}; `id`s are optional and by default count from 0.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, TypeVar

from pydantic import BeforeValidator, Field, ValidationError

from emulator.common.errors import ScenarioError
from emulator.common.text import printable, short_repr
from emulator.scenario.document import Document
from emulator.scenario.key_path import quoted
from emulator.scenario.validation_errors import to_scenario_error
from emulator.scenario.yaml_nodes import Node
from emulator.testbed import schedule as limits
from emulator.testbed.formats.ids import Ids
from emulator.testbed.schedule import Id, Message, Schedule, Star
from flasc.common.settings import Settings

MAX_FILE_BYTES = 16 * 2**20
_LONGEST_NUMBER = 100  # more digits exceed every limit, and Python refuses to parse them

S = TypeVar("S", bound=Settings)


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


Name = Annotated[str, Field(max_length=200)] | int | None
Rate_Bps = Annotated[
    float, Field(ge=limits.MIN_RATE_BPS, le=limits.MAX_RATE_BPS, allow_inf_nan=False)
]
Seconds = Annotated[float, Field(ge=0, le=limits.MAX_S, allow_inf_nan=False)]
Size_B = Annotated[int, BeforeValidator(_whole), Field(ge=0, le=limits.MAX_BYTES)]


class Client(Settings):
    """A client's link; `latency_s` is one-way."""

    id: Name = None
    up_Bps: Rate_Bps
    down_Bps: Rate_Bps
    latency_s: Seconds


class Flow(Settings):
    """One message; `dir` is from the client's point of view."""

    id: Name = None
    client: Annotated[str, Field(max_length=200)] | int
    dir: Literal["up", "down"]
    start_s: Seconds
    size_B: Size_B


class Scenario(Settings):
    """One scenario; the server receives at `server_in_Bps`. `kind` and `n_clients` are ignored."""

    id: Name = None
    kind: Any = None
    n_clients: Any = None
    server_in_Bps: Rate_Bps
    server_out_Bps: Rate_Bps
    clients: Annotated[list[Any], Field(min_length=1)]
    flows: list[Any]


def read(path: Path) -> list[Schedule]:
    """The schedules in the file at `path`. Raises ScenarioError."""
    name = printable(str(path))
    data, at = _parse(_text(path, name), name), ""
    if isinstance(data, dict) and "scenarios" in data:
        if strange := sorted(set(data) - {"meta", "scenarios"}):
            _refuse(f"{name}: {quoted(strange[0])}", "unknown key; allowed: meta, scenarios")
        data, at = data["scenarios"], "scenarios"
    elif isinstance(data, dict):
        return [_schedule(data, 0, f"{name}: ")]
    if not (isinstance(data, list) and data):
        _refuse(name, f"found {short_repr(data)}; allowed: a scenario or a list of scenarios")
    found = [_schedule(one, n, f"{name}: {at}[{n}].") for n, one in enumerate(data)]
    Ids([schedule.id for schedule in found], f"{name}: {at or 'scenarios'}: id")
    return found


def _schedule(data: object, number: int, place: str) -> Schedule:
    """One scenario; `place` is the prefix of its keys in messages."""
    scenario = _item(Scenario, data, place.rstrip(".: "))
    clients = [_item(Client, c, f"{place}clients[{n}]") for n, c in enumerate(scenario.clients)]
    flows = [_item(Flow, f, f"{place}flows[{n}]") for n, f in enumerate(scenario.flows)]
    numbers = Ids(_ids(clients), f"{place}clients: id")
    indices = [numbers.number(f.client, f"{place}flows[{n}]: client") for n, f in enumerate(flows)]
    messages = [
        Message(index, flow.dir, flow.size_B, flow.start_s)
        for index, flow in zip(indices, flows, strict=True)
    ]
    star = Star(
        up_Bps=[client.up_Bps for client in clients],
        down_Bps=[client.down_Bps for client in clients],
        delay_s=[client.latency_s for client in clients],
        loss=[0.0] * len(clients),
        server_up_Bps=scenario.server_out_Bps,
        server_down_Bps=scenario.server_in_Bps,
    )
    ids = Ids(_ids(flows), f"{place}flows: id").ids
    id_ = number if scenario.id is None else scenario.id
    return Schedule(id_, star, numbers.ids, ids, messages)


def _ids(items: Sequence[Client | Flow]) -> list[Id]:
    return [number if item.id is None else item.id for number, item in enumerate(items)]


def _item(kind: type[S], data: object, place: str) -> S:
    """One validated item; validated separately, so that only the first error is reported."""
    if kind is Flow and isinstance(data, dict):  # results of other simulators
        data = {key: value for key, value in data.items() if not key.startswith("finish_")}
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        found = data if isinstance(data, dict) else {}
        raise to_scenario_error(error, Document(found, Node(None, place)), kind) from None


def _refuse(place: str, problem: str) -> NoReturn:
    raise ScenarioError(f"{place}: {problem}")


def _text(path: Path, name: str) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        _refuse(name, "no such file")
    except (OSError, ValueError) as error:
        _refuse(name, f"cannot be read: {getattr(error, 'strerror', None) or error}")
    if len(raw) > MAX_FILE_BYTES:
        _refuse(name, f"found more than 16 MiB; allowed: {MAX_FILE_BYTES // 2**20} MiB")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        _refuse(f"{name}:{line}", f"found byte 0x{raw[error.start]:02x}; allowed: UTF-8 text")


def _parse(text: str, name: str) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            found_twice = f"found key {short_repr(twice)} twice in {short_repr(found)}"
            _refuse(name, f"{found_twice}; allowed: once")
        return found

    def whole(digits: str) -> int | float:
        return int(digits) if len(digits) <= _LONGEST_NUMBER else float(digits)

    try:
        # NaN and Infinity are parsed here and refused in validation, with their place.
        return json.loads(text, object_pairs_hook=once, parse_int=whole)
    except json.JSONDecodeError as error:
        _refuse(f"{name}:{error.lineno}:{error.colno}", f"not JSON: {error.msg}")
    except RecursionError:
        _refuse(name, "found deeper nesting; allowed: scenarios in a list")
