"""Rates that change inside a transfer, as a scenario describes them.

Each is a shape times a level. The shape says how the rate goes up and down; the level is a law,
drawn once a client as any other rate is, so ratios, correlations and groups are of the level.
"""

import math
from abc import abstractmethod
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import (
    BeforeValidator,
    Field,
    PrivateAttr,
    Tag,
    model_validator,
)
from typing_extensions import Self

from emulator.common.distributions import Law, RateLaw, ShareLaw, Span
from emulator.common.errors import ScenarioError
from emulator.common.text_files import MAX_PIECES
from emulator.common.units import parse_duration, parse_rate
from emulator.network.capacity import generators
from emulator.network.capacity.profile import Profile
from emulator.network.capacity.trace import Format, profile_from
from emulator.network.tcp import Direction
from emulator.scenario.yaml_nodes import printable
from flasc.common.plugins import Pluggable
from flasc.common.settings import Settings

_SUFFIXES: dict[str, Format] = {
    ".csv": "csv", ".down": "mahimahi", ".mahi": "mahimahi", ".trace": "mahimahi", ".up": "mahimahi"
}  # fmt: skip


def rate_or_zero(value: object) -> float:
    """As a duration's: a plain 0 is zero in every unit."""
    is_zero = value == 0 and not isinstance(value, bool)
    return 0.0 if is_zero else parse_rate(value)


def _offset(value: object) -> object:
    return value if value in ("random", "none") else parse_duration(value)


Offset = Annotated[Literal["random", "none"] | float, BeforeValidator(_offset)]


def offset_s(offset: Literal["random", "none"] | float, profile: Profile, u: float) -> float:
    """Where in a profile time 0 is, seconds; `u` in [0, 1) says where, if that is random."""
    match offset:
        case "random":
            return u * profile.length_s
        case "none":
            return 0.0
        case _:
            return float(offset)


class Varying(Pluggable):
    """What every rate that changes in time is: a shape, times a level drawn once a client."""

    plugin_group = "flasc_emu.capacities"
    implementation = None

    kind: str

    @property
    def level(self) -> Law:
        """A law of what the shape is multiplied with."""
        return 1.0

    @property
    @abstractmethod
    def shape_mean(self) -> float:
        """Bytes/s of the shape, in the long run: above zero."""

    @abstractmethod
    def shape(self, rng: np.random.Generator, u: float) -> Profile:
        """The rates where the level is 1, drawn from `rng`.

        `u` in [0, 1) is the same for both ways of a client: for what they have in common, like
        where in a day time 0 is.
        """

    def __str__(self) -> str:
        return self.kind


class Trace(Varying):
    """A file's rates, times `scale`. The format goes by the file's suffix if it is not given.

    Each client reads it from an offset of its own, the same one for both ways: `random` anywhere
    in it, `none` from its start, or a duration.
    """

    kind: Literal["trace"]
    file: str
    format: Format | None = None
    loop: bool = True
    offset: Offset = "random"
    scale: ShareLaw = 1.0
    _shape: Profile = PrivateAttr()

    def read(self, direction: Direction) -> None:
        """Read what the file has for one direction. Raises ValueError."""
        path = Path(self.file)
        if not (format := self.format or _SUFFIXES.get(path.suffix.lower())):
            found = f"found no format with a file named {printable(path.name)}"
            raise ValueError(f"{found}; allowed: format csv or mahimahi")
        try:
            self._shape = profile_from(path, direction, format, loop=self.loop)
        except ScenarioError as error:
            raise ValueError(error.message) from None

    @property
    def level(self) -> Law:
        """Times what each client has the file's rates."""
        return self.scale

    @property
    def shape_mean(self) -> float:
        """Bytes/s of the shape, in the long run."""
        return self._shape.mean

    def shape(self, rng: np.random.Generator, u: float) -> Profile:
        """The rates where the level is 1; `u` in [0, 1) decides a random offset."""
        return self._shape.shifted(offset_s(self.offset, self._shape, u))

    def __str__(self) -> str:
        return f"trace {printable(Path(self.file).name)}"


class State(Settings):
    """A rate, and for how long it holds in the mean."""

    rate: Annotated[float, BeforeValidator(rate_or_zero)]
    dwell: Span


class Markov(Varying):
    """A rate that jumps between states at random, drawn for each client anew.

    After `horizon` it is what it was at first, over and over.
    """

    kind: Literal["markov"]
    states: Annotated[list[State], Field(min_length=2, max_length=100)]
    horizon: Span = 600.0
    scale: ShareLaw = 1.0

    @model_validator(mode="after")
    def _ends_and_lets_through(self) -> Self:
        if not any(state.rate for state in self.states):
            raise ValueError("found states with rates of 0 only; allowed: one above 0 at least")
        changes = self.horizon * len(self.states) / math.fsum(s.dwell for s in self.states)
        if changes > MAX_PIECES:
            raise ValueError(
                f"found {changes:,.0f} states in a horizon; allowed: {MAX_PIECES:,}, so longer "
                "dwells or a shorter horizon"
            )
        return self

    @property
    def level(self) -> Law:
        """Times what each client has the states' rates."""
        return self.scale

    @property
    def shape_mean(self) -> float:
        """Bytes/s of the shape, expected at any time."""
        passed = math.fsum(state.rate * state.dwell for state in self.states)
        return passed / math.fsum(state.dwell for state in self.states) / 8

    def shape(self, rng: np.random.Generator, u: float) -> Profile:
        """The rates where the level is 1, drawn from `rng`."""
        rates_Bps = [state.rate / 8 for state in self.states]
        dwells_s = [state.dwell for state in self.states]
        return generators.markov(rates_Bps, dwells_s, self.horizon, rng)

    def __str__(self) -> str:
        return f"markov of {len(self.states)} states"


class Diurnal(Varying):
    """A day, over and over: mean x (1 - depth x cos(2 pi t / 24 h)), lowest at midnight.

    The emulation begins at `offset` past midnight; `random` is another time of day each client.
    """

    kind: Literal["diurnal"]
    mean: RateLaw
    depth: Annotated[float, Field(ge=0, le=1)]
    offset: Offset = "none"
    _day: Profile = PrivateAttr()

    @model_validator(mode="after")
    def _draw(self) -> Self:
        self._day = generators.diurnal(self.shape_mean, self.depth)
        return self

    @property
    def level(self) -> Law:
        """Bits/s."""
        return self.mean

    @property
    def shape_mean(self) -> float:
        """Bytes/s of the shape: a bit, which the level is a multiple of."""
        return 1 / 8

    def shape(self, rng: np.random.Generator, u: float) -> Profile:
        """The rates where the level is 1; `u` in [0, 1) decides a random offset."""
        return self._day.shifted(offset_s(self.offset, self._day, u))


Changing = (
    Annotated[Trace, Tag("trace")]
    | Annotated[Markov, Tag("markov")]
    | Annotated[Diurnal, Tag("diurnal")]
)
