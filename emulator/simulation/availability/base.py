"""When clients are there, as a scenario describes it for a group."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    PrivateAttr,
    Tag,
    model_validator,
)
from typing_extensions import Self

from emulator.common.distributions import Duration, DurationLaw, Floats, quantile
from emulator.common.errors import ScenarioError
from emulator.common.tagged_unions import spelled_out
from emulator.simulation.availability.presence import Alternating, Always, Presence, Windows, grid
from emulator.simulation.availability.trace import FORMATS, Behaviour
from flasc.training.settings import Settings

OnReturn = Literal["resume", "lost"]


def _positive(value: float) -> float:
    if value <= 0:
        raise ValueError(f"found {value:g} s; allowed: a period above 0, like 24 h")
    return value


class AlwaysThere(Settings):
    """Nobody ever leaves."""

    kind: Literal["always"] = "always"
    on_return: OnReturn = "resume"

    def presence(self, rng: np.random.Generator) -> Presence:
        """Of one client, by its own stream."""
        return Always()


class OnOff(Settings):
    """There for `on`, away for `off`, by turns; each drawn anew every time."""

    kind: Literal["on_off"]
    on: DurationLaw
    off: DurationLaw
    on_return: OnReturn = "resume"
    _lengths: tuple[Floats, Floats] = PrivateAttr()

    @model_validator(mode="after")
    def _takes_time(self) -> Self:
        if self.on == 0 or self.off == 0:
            raise ValueError("found on or off of 0; allowed: times above 0, or the kind always")
        self._lengths = grid(self.off), grid(self.on)
        return self

    def presence(self, rng: np.random.Generator) -> Presence:
        """Of one client, by its own stream."""
        return Alternating(self.on, self.off, rng, self._lengths)


class Diurnal(Settings):
    """There once a `period` (a day), from `start` for `length`; both drawn once a client.

    Time 0 of the emulation is `clock` of the day.
    """

    kind: Literal["diurnal"]
    start: DurationLaw
    length: DurationLaw
    period: Annotated[Duration, AfterValidator(_positive)] = 86400.0
    clock: Duration = 0.0
    on_return: OnReturn = "resume"

    def presence(self, rng: np.random.Generator) -> Presence:
        """Of one client, by its own stream."""
        u = rng.random(2)
        start_s = float(quantile(self.start, u[:1])[0]) % self.period
        length_s = min(float(quantile(self.length, u[1:])[0]), self.period)
        windows = [(0.0, length_s)] if length_s > 0 else []
        return Windows(windows, self.period, self.clock - start_s)


class Traced(Settings):
    """As published behaviour traces say: each client follows a device drawn from the `file`."""

    kind: Literal["trace"]
    file: str
    format: Literal["fedscale", "flash"] = "fedscale"
    on_return: OnReturn = "resume"
    _devices: tuple[Behaviour, ...] = PrivateAttr(())

    @model_validator(mode="after")
    def _read(self) -> Self:
        try:
            self._devices = tuple(FORMATS[self.format](Path(self.file)))
        except ScenarioError as error:
            raise ValueError(error.message) from None
        return self

    def presence(self, rng: np.random.Generator) -> Presence:
        """Of one client, by its own stream."""
        device = self._devices[int(rng.integers(len(self._devices)))]
        return Windows(device.windows, device.period_s)


def _kind(value: object) -> str:
    if isinstance(value, Mapping):
        return str(value.get("kind", "missing"))
    return str(getattr(value, "kind", "missing"))


Availability = Annotated[
    Annotated[
        Annotated[AlwaysThere, Tag("always")]
        | Annotated[OnOff, Tag("on_off")]
        | Annotated[Diurnal, Tag("diurnal")]
        | Annotated[Traced, Tag("trace")],
        Discriminator(_kind),
    ],
    BeforeValidator(spelled_out),
]
