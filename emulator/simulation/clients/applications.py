"""Settings of `network.application`: how a program sends its messages, with presets of programs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from emulator.common.distributions import Duration
from emulator.common.text import counted
from emulator.common.units import format_duration
from emulator.network.application import Application
from flasc.common.settings import PositiveInt, Settings

PresetName = Literal["raw", "https", "grpc", "flower"]
MAX_REQUESTS, MAX_ARRAYS = 10_000, 5_000
FLOWER_CALLS = 2  # PullMessages and ConfirmMessageReceived
FLOWER_OBJECTS = 4  # of a message, besides two per array: one with its data, one without


@dataclass(frozen=True)
class ApplicationPreset:
    """A way to send messages: its keys, the `version` that they are of, and a `source`."""

    about: str
    version: str
    source: str
    settings: Mapping[str, object]


PRESETS: dict[PresetName, ApplicationPreset] = {
    "raw": ApplicationPreset(
        "one TCP connection per message, and nothing else",
        "Linux 6.18",
        "https://www.rfc-editor.org/rfc/rfc9293",
        {},
    ),
    "https": ApplicationPreset(
        "one TLS connection and one request per message",
        "TLS 1.3",
        "https://www.rfc-editor.org/rfc/rfc8446",
        {"tls": True},
    ),
    "grpc": ApplicationPreset(
        "unary calls without TLS over a channel that each client keeps",
        "grpcio 1.85.3",
        "https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md",
        {"grpc": True, "connection": "kept"},
    ),
    "flower": ApplicationPreset(
        "Flower over HTTP: one request per object, two at a time",
        "flwr 1.42.0",
        "https://pypi.org/project/flwr/1.42.0/",
        {"parallel": 2, "processing": "8 ms", "connection": "kept"},
    ),
}


class ApplicationSettings(Settings):
    """What a program adds to each message; a preset fills in missing keys.

    A program that writes a message log can name these keys: this class reads them from any mapping.
    """

    preset: PresetName = "raw"
    """a [program](network_presets.md#applications), which sets the keys below that are not given;
    raw: nothing is added"""
    arrays: Annotated[int, Field(ge=1, le=MAX_ARRAYS)] | None = None
    """arrays per message, for preset flower; sets requests, calls and beside; none: one flat array
    """
    requests: Annotated[int, Field(ge=1, le=MAX_REQUESTS)] = 1
    """requests that carry equal parts of a message, each after the answer to the one before"""
    calls: Annotated[int, Field(ge=0, le=MAX_REQUESTS)] = 0
    """requests without data, before those with data"""
    beside: Annotated[int, Field(ge=0, le=MAX_REQUESTS)] = 0
    """requests without data that take the places of `parallel` that those with data leave free"""
    parallel: PositiveInt = 1
    """requests at a time; each further turn of so many takes an RTT"""
    processing: Duration = 0.0
    """time for each request, in addition to network and bytes"""
    waiting: Duration = 0.0
    """time before each message, part of its duration, in which nothing moves: the program polls, or
    starts another"""
    tls: bool = False
    """opening a connection takes an RTT and 3 ms more"""
    grpc: bool = False
    """opening a connection takes an RTT more, for the server's settings of HTTP/2"""
    connection: Literal["per_message", "kept"] = "per_message"
    """each message opens a connection; or each client keeps one, on which a download is asked for,
    and whose window is kept for RTT + 0.2 s"""

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        named = [preset for name, preset in PRESETS.items() if name == data.get("preset", "raw")]
        # With a wrong name, only the name is reported.
        filled = dict(named[0].settings if named else {}) | dict(data)
        arrays = data.get("arrays", 1 if data.get("preset") == "flower" else None)
        is_count = isinstance(arrays, int) and 1 <= arrays <= MAX_ARRAYS
        if is_count and not {"requests", "calls", "beside"} & data.keys():
            filled |= flower_requests(arrays)
        return filled

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.arrays is not None and self.preset != "flower":
            raise ValueError(
                f"found arrays with preset {self.preset}; allowed: arrays with preset flower, "
                "requests, calls and beside with any"
            )
        if self.arrays is not None and self._counts != flower_requests(self.arrays):
            raise ValueError(
                "found arrays with requests, calls or beside; allowed: arrays, or the other three"
            )
        return self

    @property
    def _counts(self) -> dict[str, int]:
        return {"requests": self.requests, "calls": self.calls, "beside": self.beside}

    def model(self) -> Application | None:
        """The model with these settings; None if nothing is added."""
        application = Application(
            requests=self.requests,
            calls=self.calls,
            beside=self.beside,
            parallel=self.parallel,
            processing_s=self.processing,
            waiting_s=self.waiting,
            tls=self.tls,
            grpc=self.grpc,
            keeps_connection=self.connection == "kept",
        )
        return None if application == Application() else application

    def describe(self) -> str:
        """One line: the preset, and what a message takes; '' if nothing is added."""
        if self.model() is None:
            return ""
        count = self.calls + self.beside
        calls = f" and {counted(count, 'call')}" if count else ""
        facts = {
            f"{counted(self.requests, 'request')}{calls} per message": True,
            f"{self.parallel} at a time": self.parallel > 1,
            "TLS": self.tls,
            "gRPC": self.grpc,
            "kept connections": self.connection == "kept",
            f"{format_duration(self.waiting)} before each": self.waiting > 0,
        }
        return f"{self.preset} ({', '.join(fact for fact, holds in facts.items() if holds)})"


def flower_requests(arrays: int) -> dict[str, int]:
    """Requests of Flower for a message of so many arrays, as settings.

    Each array is two objects, one of which has its data; further objects and calls have none.
    """
    return {"requests": arrays, "calls": FLOWER_CALLS, "beside": FLOWER_OBJECTS + arrays}
