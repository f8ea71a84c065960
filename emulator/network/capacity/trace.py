"""Capacity model: the rates of a file, in one of the formats of `emulator.network.traces`."""

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import PrivateAttr, model_validator
from typing_extensions import Self, override

from emulator.common.distributions import Distribution, ShareDistribution
from emulator.common.errors import ScenarioError
from emulator.common.text import printable
from emulator.common.text_files import read_text
from emulator.network.capacity.base import CapacityModel, Offset, offset_s
from emulator.network.capacity.profile import Profile
from emulator.network.tcp import Direction
from emulator.network.traces.columns import Columns, RateUnit, read_columns
from emulator.network.traces.formats import Format, read_trace
from emulator.network.traces.samples import Samples
from emulator.network.traces.times import TimeFormat

QUIET: tuple[Format, ...] = ("csv", "mahimahi")  # told by the suffix: a description leaves them out


def profile_of(samples: Samples, direction: Direction, *, loop: bool = True) -> Profile:
    """The rates of one direction, repeated with `loop`. Raises ScenarioError."""
    name = printable(samples.name)
    if direction not in samples.rates_Bps:
        allowed = f"a column {direction}_UNIT, or {direction} in columns"
        raise ScenarioError(f"{name}: found no rates for {direction}; allowed: {allowed}")
    rates_Bps = samples.rates_Bps[direction]
    looping = loop and samples.end_s is not None
    if not (rates_Bps.any() if looping else rates_Bps[-1]):
        at = "a rate above zero" + ("" if looping else " in the last row, which holds forever")
        raise ScenarioError(f"{name}: found {direction} at zero forever; allowed: {at}")
    return Profile(samples.times_s, rates_Bps, samples.end_s if looping else None)


class Trace(CapacityModel):
    """The rates of a file, times `scale`. The default `format` follows from the file.

    With `columns`, the file is a CSV table with these columns; `unit` is that of the rates, and
    `time_format` says how times are written. Each client reads the file from its own offset, the
    same for both directions: `random` anywhere in the file, `none` from its start, or a duration.
    """

    kind: Literal["trace"]
    file: str
    """the rates, as a path from this scenario's folder: see
    [traces](../background/network_model.md#traces-and-tables)"""
    format: Format | None = None
    """none: determined by the first line of the file, or else by the suffix: .csv, or for Mahimahi
    .trace, .up, .down and .mahi"""
    columns: Columns | None = None
    """columns of a CSV file that has other names than flasc-emu's own"""
    unit: RateUnit | None = None
    """unit of the columns' rates; none: the end of the column's name, like 'speed (kbps)'"""
    time_format: TimeFormat | None = None
    """how `columns.time` is written; patterns are those of Python's strptime; none: the end of the
    column's name, like time_ms, or iso"""
    loop: bool = True
    """repeat the trace, or read it once and keep its last rate"""
    offset: Offset = "random"
    """position at which each client begins"""
    scale: ShareDistribution = 1.0
    """factor on the rates of the file"""
    _shape: Profile = PrivateAttr()
    _format: Format = PrivateAttr("csv")
    _remarks: list[str] = PrivateAttr(default_factory=list)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.columns and self.format not in (None, "csv"):
            raise ValueError(f"found columns with format {self.format}; allowed: format csv")
        if not self.columns and (self.unit or self.time_format):
            found = "unit" if self.unit else "time_format"
            raise ValueError(f"found {found} without columns; allowed: columns beside it")
        return self

    def read(self, direction: Direction) -> None:
        """Reads the rates of one direction. Raises ValueError."""
        try:
            self._format, samples = self._samples(Path(self.file), direction)
            self._shape = profile_of(samples, direction, loop=self.loop)
        except ScenarioError as error:
            raise ValueError(error.message) from None
        self._remarks = samples.told(direction)

    def _samples(self, path: Path, direction: Direction) -> tuple[Format, Samples]:
        if not self.columns:
            return read_trace(path, self.format)
        text, columns = read_text(path), self.columns
        keys = columns.time, columns.of(direction), self.unit, self.time_format
        return "csv", read_columns(text, self.file, *keys)

    @property
    def length_s(self) -> float:
        """The time after which the trace repeats or its last rates hold."""
        return self._shape.length_s

    @property
    def remarks(self) -> list[str]:
        """Remarks about the file: a gap, or what its format leaves out."""
        return self._remarks

    @property
    @override
    def level(self) -> Distribution:
        return self.scale

    @property
    @override
    def shape_mean(self) -> float:
        return self._shape.mean

    @property
    @override
    def shape_range(self) -> tuple[float, float]:
        return self._shape.range

    @override
    def shape(self, rng: np.random.Generator, u: float) -> Profile:
        return self._shape.shifted(offset_s(self.offset, self._shape, u))

    @override
    def __str__(self) -> str:
        as_format = "" if self._format in QUIET else f" ({self._format})"
        return f"trace {printable(Path(self.file).name)}{as_format}"
