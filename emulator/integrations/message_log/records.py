"""The records of a message log, as strict and frozen models; a line of JSONL is one record."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)
from typing_extensions import Self

from emulator.common.errors import FieldError
from emulator.common.text import short_repr
from flasc.common.settings import Settings

VERSION = 1
MARK = "flasc_emu_message_log"  # the key of the header that holds the version
MOST_BYTES = 10**13  # of one message
MOST_SECONDS = 10**9
MOST_ROUNDS = 10**6
MOST_VALUE = 1e100  # of a metric: sums and squares of values are finite


def _readable(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError(f"found {short_repr(text)}; allowed: printable text")
    return text


def _id(value: object) -> object:
    """An id as text: many frameworks number their clients. A boolean is no number here."""
    return str(value) if type(value) is int and abs(value) < 10**200 else value


def _share(value: float) -> float:
    if not 0 <= value <= 1:
        percent = "; divide percents by 100" if 1 < value <= 100 else ""
        raise ValueError(f"found {value:g}; allowed: a number from 0 to 1{percent}")
    return value


Text = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_readable)]
ClientId = Annotated[
    str,
    Field(min_length=1, max_length=200),
    AfterValidator(_readable),
    BeforeValidator(_id),
    WithJsonSchema({"anyOf": [{"type": "string", "minLength": 1}, {"type": "integer"}]}),
]
Share = Annotated[
    float, AfterValidator(_share), WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1})
]
Size = Annotated[int, Field(ge=0, le=MOST_BYTES)]
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
Value = Annotated[float, Field(ge=0, le=MOST_VALUE, allow_inf_nan=False)]
RoundNumber = Annotated[int, Field(ge=1, le=MOST_ROUNDS)]


class Header(Settings):
    """The first record: what was run. `clients` None: those that appear in the log.

    `direction` says which values of the `metric` are better: if higher ones are, they are from 0 to
    1. `target` is a value of it. Logs of one method that differ in `seed` are its repetitions.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"direction": {"const": "lower"}}, "required": ["direction"]},
            "else": {"properties": {"target": {"maximum": 1}}},
        }
    )

    flasc_emu_message_log: Literal[1]
    run: Text
    method: Text
    clients: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    metric: Text = "accuracy"
    direction: Literal["higher", "lower"] = "higher"
    target: Value | None = None
    seed: Count = 0

    @model_validator(mode="after")
    def _has_a_target_of_its_metric(self) -> Self:
        if self.direction == "higher" and self.target is not None:
            try:
                _share(self.target)
            except ValueError as error:
                raise FieldError(("target",), str(error)) from None
        return self


class Visit(Settings):
    """One request to a client: the message to it, its local training, and its answer.

    `seconds` is the time of the local training, `examples` what it trained on, each counted once
    per epoch; None: not known. A `failed` visit has no update; `bytes_up` is then what had been
    sent. With `merged` false, the update arrived and the server did not use it.
    """

    kind: Literal["visit"] = "visit"
    round: RoundNumber
    client: ClientId
    bytes_down: Size
    bytes_up: Size = 0
    seconds: Annotated[float, Field(ge=0, le=MOST_SECONDS)] | None = None
    examples: Count | None = None
    steps: Count | None = None
    failed: bool = False
    merged: bool = True

    @model_validator(mode="after")
    def _answers(self) -> Self:
        if not self.failed and "bytes_up" not in self.model_fields_set:
            raise FieldError(("bytes_up",), "missing; only a visit with failed may leave it out")
        return self


class Untimed(Settings):
    """One request to a client that is no training, and its answer; the simulation leaves it out.

    `purpose` says what it was, for example an evaluation of the model on the client. `round` is the
    number of the round before it or around it; 0 is before the first one.
    """

    kind: Literal["untimed"] = "untimed"
    round: Annotated[int, Field(ge=0, le=MOST_ROUNDS)]
    client: ClientId
    bytes_down: Size
    bytes_up: Size = 0
    purpose: Text = "evaluate"


class Score(Settings):
    """The value of the metric after a round; round 0 is the initial model. See `kinds`.

    `loss` and `examples`, the number of examples scored, are None if they are not known.
    """

    kind: Literal["score"] = "score"
    round: Annotated[int, Field(ge=0, le=MOST_ROUNDS)]
    value: Value
    split: Literal["validation", "test"] = "validation"
    loss: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    examples: Count | None = None


class ShareScore(Score):
    """The value of a metric whose higher values are better, like an accuracy: from 0 to 1."""

    value: Share


class ClientInfo(Settings):
    """What is known of a client: its group, its partition (from 0) and its number of examples."""

    kind: Literal["client"] = "client"
    client: ClientId
    group: Text | None = None
    partition: Count | None = None
    examples: Count | None = None


class Program(Settings):
    """How the program sends its messages: keys of `network.application` in a scenario.

    A log has one such record at most. A network that gives an application of its own wins.
    """

    kind: Literal["program"] = "program"
    preset: Text | None = None
    arrays: Count | None = None
    requests: Count | None = None
    calls: Count | None = None
    parallel: Count | None = None


Record = Header | Visit | Untimed | Score | ClientInfo | Program
Kinds = dict[str, type[Visit] | type[Untimed] | type[Score] | type[ClientInfo] | type[Program]]
KINDS: Kinds = {
    "visit": Visit,
    "untimed": Untimed,
    "score": Score,
    "client": ClientInfo,
    "program": Program,
}


def kinds(header: Header) -> Kinds:
    """The records by kind of a log with this header: its direction says what a score may be."""
    return KINDS | {"score": ShareScore} if header.direction == "higher" else KINDS


def to_line(record: Record) -> str:
    """The record as one line of JSONL, without what is not known and without the line end."""
    found: dict[str, Any] = record.model_dump(exclude_none=True)
    shown = {
        name: value
        for name, value in found.items()
        if name == "bytes_up" or value != type(record).model_fields[name].default or name == "kind"
    }
    return json.dumps(shown, separators=(", ", ": "), allow_nan=False)


@dataclass(frozen=True)
class MessageLog:
    """A whole log; `remarks` say what was noticed, for example that the last line is cut off."""

    path: Path
    header: Header
    visits: tuple[Visit, ...]
    scores: tuple[Score, ...] = ()
    clients: tuple[ClientInfo, ...] = ()
    remarks: tuple[str, ...] = ()
    untimed: tuple[Untimed, ...] = ()
    program: Program | None = None

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all clients, in the order of their visits; those without a visit follow."""
        visited = (visit.client for visit in self.visits)
        told = (each.client for each in self.clients)
        asked = (each.client for each in self.untimed)
        return tuple(dict.fromkeys([*visited, *told, *asked]))

    @property
    def partitions(self) -> dict[str, int]:
        """{id: its number}; empty if the log has no partitions.

        A client without a partition has the lowest number that is free, in the order of the ids.
        """
        given = {c.client: c.partition for c in self.clients if c.partition is not None}
        if not given:
            return {}
        taken = set(given.values())
        free = (number for number in count() if number not in taken)
        return given | {each: next(free) for each in self.ids if each not in given}

    @property
    def fewest_clients(self) -> int:
        """The number of clients that the records name."""
        return max(self.partitions.values()) + 1 if self.partitions else len(self.ids)

    @property
    def rounds(self) -> int:
        """The number of rounds."""
        return max(visit.round for visit in self.visits)

    @cached_property
    def text(self) -> str:
        """The log as JSONL."""
        records: list[Record] = [self.header, *self.clients, *self.visits, *self.scores]
        records += [*self.untimed, *([self.program] if self.program else [])]
        return "".join(f"{to_line(each)}\n" for each in records)

    @property
    def digest(self) -> str:
        """A hash of the content, the same for JSONL and CSV: 32 hexadecimal digits."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:32]
