"""Capacity model: traces, CSV and Mahimahi files. Nothing in the files is executed."""

import re
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from pydantic import PrivateAttr
from typing_extensions import override

from emulator.common.distributions import Distribution, ShareDistribution
from emulator.common.errors import ScenarioError
from emulator.common.text import printable, short_repr
from emulator.common.text_files import MAX_PIECES, RANGE, is_number, read_text
from emulator.common.units import format_duration, parse_rate
from emulator.network.capacity.base import CapacityModel, Offset, offset_s
from emulator.network.capacity.profile import Profile
from emulator.network.tcp import Direction

Format = Literal["csv", "mahimahi"]

PACKET_B = 1504  # bytes per Mahimahi stamp
BIN_S = 0.1
GAP = 10.0  # median steps, above which a step is a gap
OUTAGE_S = 1.0  # of a Mahimahi trace, above which it is a gap
_COLUMN = re.compile(r"(rate|down|up)_(\w+)")
_HEADER = "time_s, then rate_UNIT or down_UNIT and up_UNIT, like time_s,down_Mbps,up_Mbps"


def profile_from(
    path: Path, direction: Direction, format: Format = "csv", *, loop: bool = True
) -> Profile:
    """Reads the rates of a trace for one direction. Raises ScenarioError."""
    if format == "mahimahi":
        return read_mahimahi(path, loop=loop)
    profiles = read_csv(path, loop=loop)
    if direction not in profiles:
        found = f"found no {direction}_UNIT in the header"
        raise ScenarioError(f"{printable(str(path))}:1: {found}; allowed: {_HEADER}")
    return profiles[direction]


def read_csv(path: Path, *, loop: bool = True) -> dict[Direction, Profile]:
    """Reads profiles by direction from a table of rates in time. Raises ScenarioError.

    The header has `time_s` and rates with units as in `parse_rate`, without a slash: bps, kbps,
    Mbps, Gbps, Bps, kBps, MBps. `rate_UNIT` is for both directions; otherwise there is `down_UNIT`,
    `up_UNIT` or both. The rates of a row hold from its time until that of the next row. Times
    increase and count from the first row. In a loop the last row lasts as long as the one before
    it; without a loop, its rates hold forever. A line that starts with # is a comment.
    """
    name = printable(str(path))
    lines = enumerate(read_text(path).splitlines(), 1)
    rows = [(n, line.split(",")) for n, line in lines if line.strip() and line[0] != "#"]
    if not rows:
        raise ScenarioError(f"{name}: found no rows; allowed: a header, {_HEADER}")
    (line, header), *rows = rows
    columns = _columns(header, f"{name}:{line}")
    if not 0 < len(rows) <= MAX_PIECES:
        raise ScenarioError(f"{name}: found {len(rows)} rows; allowed: 1 to {MAX_PIECES:,}")
    values = np.array([_numbers(row, header, f"{name}:{line}") for line, row in rows])
    times_s: list[float] = (values[:, 0] - values[0, 0]).tolist()
    looping = loop and len(times_s) > 1
    ends_s = [*times_s, 2 * times_s[-1] - times_s[-2]] if looping else times_s
    for (earlier_s, later_s), (line, row) in zip(
        pairwise(ends_s), rows[1:] + rows[-1:], strict=False
    ):
        if later_s <= earlier_s:
            found = f"found time {short_repr(row[0])} not after the one before"
            raise ScenarioError(f"{name}:{line}: {found}; allowed: increasing times")
    profiles: dict[Direction, Profile] = {}
    for column, (directions, unit_Bps) in enumerate(columns, 1):
        rates_Bps = values[:, column] * unit_Bps
        if not (rates_Bps.any() if looping else rates_Bps[-1]):
            allowed = "a rate above zero" + (
                "" if looping else " in the last row, which holds forever"
            )
            found = f"found {header[column].strip()} at zero"
            raise ScenarioError(f"{name}: {found} forever; allowed: {allowed}")
        profile = Profile(times_s, rates_Bps, ends_s[-1] if looping else None)
        profiles |= dict.fromkeys(directions, profile)
    return profiles


def read_mahimahi(path: Path, *, bin_s: float = BIN_S, loop: bool = True) -> Profile:
    """Reads the rates of a Mahimahi trace (mm-link, Netravali et al., USENIX ATC 2015), in bins.

    A line is a millisecond, counted from the start, at which one packet may pass; several packets
    in one millisecond are several lines. The trace repeats from its last stamp on. A packet is
    1,504 bytes: PACKET_SIZE of its link_queue.hh, a packet of 1,500 with the TUN header.

    The rate of a bin (`bin_s`, seconds, whole milliseconds) is that of the packets that pass after
    its start and until its end; the last bin is shorter if the trace ends within it. So each bin
    has the bytes of the trace, but not their times within the bin. Raises ScenarioError.
    """
    name = printable(str(path))
    bin_ms = round(bin_s * 1000)
    assert bin_ms >= 1
    stamps_ms, latest = [], 0
    for line, text in enumerate(read_text(path).splitlines(), 1):
        if not re.fullmatch(r"\s*[0-9]{1,12}\s*", text, re.ASCII) or int(text) < latest:
            found, allowed = f"found {short_repr(text)}", f"a whole number of ms, {latest} or more"
            raise ScenarioError(f"{name}:{line}: {found}; allowed: {allowed}")
        stamps_ms.append(latest := int(text))
    bins = -(-latest // bin_ms)
    if not 0 < bins <= MAX_PIECES:
        found = f"found a last stamp of {latest} ms" if stamps_ms else "found no stamps"
        allowed = f"1 to {MAX_PIECES * bin_ms:,} ms"
        raise ScenarioError(f"{name}: {found}; allowed: {allowed}")
    starts_ms = np.arange(bins) * bin_ms
    lasting_ms = np.diff(starts_ms, append=latest)
    packets = np.bincount(np.maximum(0, np.array(stamps_ms) - 1) // bin_ms, minlength=bins)
    rates_Bps = packets * PACKET_B / (lasting_ms / 1000)
    return Profile(starts_ms / 1000, rates_Bps, latest / 1000 if loop else None)


class Gap(NamedTuple):
    """The longest step of a trace: it follows `line` and lasts `length_s`, others `usual_s`."""

    line: int
    length_s: float
    usual_s: float


def longest_gap(path: Path, format: Format) -> Gap | None:
    """The longest step between lines of a trace, if it is GAP median steps or more.

    The steps of a Mahimahi trace are single packets, so that only gaps of a second count. The
    trace has been read before. Raises ScenarioError if the file is gone.
    """
    rows = [(n, text) for n, text in enumerate(read_text(path).splitlines(), 1) if text.strip()]
    if format == "csv":
        rows = [(n, text.partition(",")[0]) for n, text in rows if text[0] != "#"][1:]
    unit_s = 1.0 if format == "csv" else 1e-3
    times_s = unit_s * np.array([float(text) for _, text in rows])
    steps_s = np.diff(times_s)
    if len(steps_s) < 2:
        return None
    at, usual_s = int(steps_s.argmax()), float(np.median(steps_s))
    found = Gap(rows[at][0], float(steps_s[at]), usual_s)
    least_s = GAP * usual_s if format == "csv" else max(GAP * usual_s, OUTAGE_S)
    return found if found.length_s > least_s else None


def _columns(header: list[str], where: str) -> list[tuple[tuple[Direction, ...], float]]:
    """For each column of rates: its directions, and its unit in bytes/s."""
    columns: list[tuple[tuple[Direction, ...], float]] = []
    for cell in header[1:]:
        match = _COLUMN.fullmatch(cell.strip())
        try:
            unit_Bps = parse_rate(f"1 {match[2] if match else ''}") / 8
        except ValueError:
            found = f"found column {short_repr(cell)}"
            raise ScenarioError(f"{where}: {found}; allowed: {_HEADER}") from None
        assert match
        ways: dict[str, tuple[Direction, ...]] = {"rate": ("down", "up")}
        columns.append((ways.get(match[1], ("down" if match[1] == "down" else "up",)), unit_Bps))
    named = [direction for directions, _ in columns for direction in directions]
    if header[0].strip() != "time_s" or not named or len(set(named)) < len(named):
        raise ScenarioError(f"{where}: found {short_repr(','.join(header))}; allowed: {_HEADER}")
    return columns


def _numbers(row: list[str], header: list[str], where: str) -> list[float]:
    if len(row) != len(header):
        raise ScenarioError(f"{where}: found {len(row)} cells; allowed: {len(header)}")
    try:
        values = [float(cell) for cell in row]
    except ValueError:
        values = [-1.0]
    if not all(map(is_number, values)):
        found = short_repr(",".join(row))
        raise ScenarioError(f"{where}: found {found}; allowed: numbers, 0 or {RANGE}")
    return values


_SUFFIXES: dict[str, Format] = {
    ".csv": "csv", ".down": "mahimahi", ".mahi": "mahimahi", ".trace": "mahimahi", ".up": "mahimahi"
}  # fmt: skip


class Trace(CapacityModel):
    """The rates of a file, times `scale`. The default `format` follows from the file's suffix.

    Each client reads the file from its own offset, the same for both directions: `random` anywhere
    in the file, `none` from its start, or a duration.
    """

    kind: Literal["trace"]
    file: str
    """the rates, as a path from this scenario's folder: see
    [traces](../background/network_model.md#traces-and-tables)"""
    format: Format | None = None
    """none: determined by the suffix, .csv, or .trace, .up, .down and .mahi"""
    loop: bool = True
    """repeat the trace, or read it once and keep its last rate"""
    offset: Offset = "random"
    """position at which each client begins"""
    scale: ShareDistribution = 1.0
    """factor on the rates of the file"""
    _shape: Profile = PrivateAttr()

    def read(self, direction: Direction) -> None:
        """Reads the rates of one direction. Raises ValueError."""
        path = Path(self.file)
        if not (format := self.format or _SUFFIXES.get(path.suffix.lower())):
            found = f"found no format for a file named {printable(path.name)}"
            raise ValueError(f"{found}; allowed: format csv or mahimahi")
        try:
            self._shape = profile_from(path, direction, format, loop=self.loop)
        except ScenarioError as error:
            raise ValueError(error.message) from None

    @property
    def length_s(self) -> float:
        """The time after which the trace repeats or its last rates hold."""
        return self._shape.length_s

    def gap(self) -> str:
        """A remark about a gap in the file, or ''."""
        path = Path(self.file)
        format = self.format or _SUFFIXES[path.suffix.lower()]
        if (found := longest_gap(path, format)) is None:
            return ""
        length = format_duration(found.length_s)
        what = (
            f"the next row is {length} later (median step: {format_duration(found.usual_s)}), and "
            "the rates of this row hold until then"
            if format == "csv"
            else f"no packet passes for {length} after this line, so that the link is down"
        )
        return f"{printable(self.file)}:{found.line}: {what}"

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
        return f"trace {printable(Path(self.file).name)}"
