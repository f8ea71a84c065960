"""What every format of trace is read as: rates in time, with the lines that they come from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from emulator.common.errors import ScenarioError
from emulator.common.text import printable
from emulator.common.text_files import MAX_PIECES
from emulator.common.units import format_duration
from emulator.network.tcp import Direction

Floats = NDArray[np.float64]

GAP = 10.0  # median steps, above which a step is a gap


class Remark(NamedTuple):
    """Something to know about a trace: at a line (None: all), in a direction (None: both)."""

    text: str
    line: int | None = None
    direction: Direction | None = None


@dataclass(frozen=True, slots=True)
class Samples:
    """Rates from `times_s[k]` until the next time; both arrays are float64 [k].

    Times rise strictly from 0, seconds. `rates_Bps` has bytes/s by direction. The last rates hold
    until `end_s`; None: forever, because the file does not say how long. `lines[k]` is the line of
    a row, and `place` makes a text of the file and the line.
    """

    name: str
    times_s: Floats
    rates_Bps: Mapping[Direction, Floats]
    end_s: float | None
    lines: Sequence[int]
    remarks: tuple[Remark, ...] = ()
    place: str = "{}:{}"

    def where(self, row: int) -> str:
        """The file and the line of a row."""
        return self._at(self.lines[row])

    def _at(self, line: int) -> str:
        return self.place.format(printable(self.name), line)

    def checked(self) -> "Samples":
        """These samples. Raises ScenarioError if there are too many, or times do not rise."""
        if not 0 < len(self.times_s) <= MAX_PIECES:
            found = f"found {len(self.times_s)} rows"
            name = printable(self.name)
            raise ScenarioError(f"{name}: {found}; allowed: 1 to {MAX_PIECES:,}")
        wrong = np.flatnonzero(~(np.diff(self.times_s) > 0))
        if len(wrong):
            raise ScenarioError(f"{self.where(int(wrong[0]) + 1)}: {_NOT_AFTER}")
        if self.end_s is not None and not self.end_s > self.times_s[-1]:
            raise ScenarioError(f"{self.where(-1)}: {_NOT_AFTER}")
        return self

    def told(self, direction: Direction) -> list[str]:
        """Remarks about one direction of the trace, each with its place."""
        about = [r for r in (*self.remarks, *self._gap()) if r.direction in (None, direction)]
        name = printable(self.name)
        return [f"{name if r.line is None else self._at(r.line)}: {r.text}" for r in about]

    def _gap(self) -> list[Remark]:
        """The longest step, if it is GAP median steps or more."""
        ends_s = [] if self.end_s is None else [self.end_s]
        steps_s = np.diff(np.append(self.times_s, ends_s))
        if len(steps_s) < 2:
            return []
        at, usual_s = int(steps_s.argmax()), float(np.median(steps_s))
        if steps_s[at] <= GAP * usual_s:
            return []
        length = format_duration(float(steps_s[at]))
        usual = format_duration(usual_s)
        text = f"the rates of this row hold for {length} (median step: {usual})"
        return [Remark(text, self.lines[at])]


_NOT_AFTER = "found a time that is not after the one before; allowed: increasing times"


def until_next(times_s: Floats) -> float | None:
    """The end of the last row, which lasts as long as the one before it; None for one row."""
    return float(2 * times_s[-1] - times_s[-2]) if len(times_s) > 1 else None


def both(rates_Bps: Floats) -> dict[Direction, Floats]:
    """The same rates for both directions."""
    return {"down": rates_Bps, "up": rates_Bps}
