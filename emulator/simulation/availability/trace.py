"""Availability model: published traces of phones, FedScale and FLASH."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import PrivateAttr, model_validator
from typing_extensions import Self, override

from emulator.common.errors import ScenarioError
from emulator.common.text import printable, short_repr
from emulator.common.text_files import MAX_PIECES, is_number, read_text, unpickling
from emulator.simulation.availability.base import (
    Availability,
    AvailabilitySettings,
    PeriodicWindows,
)

Window = tuple[float, float]
_UNPICKLE = unpickling("client_behave_trace", to="behaviour.json")
_OFFLINE = frozenset({"unknown", "2g", "3g", "4g", "5g"})


@dataclass(frozen=True, slots=True)
class AvailabilityTrace:
    """Windows of one device, seconds in [0, period_s), sorted and disjoint; they repeat."""

    name: str
    windows: tuple[Window, ...]
    period_s: float


def read_fedscale(path: Path) -> Iterator[AvailabilityTrace]:
    """Yields the devices of FedScale's `client_behave_trace` (Lai et al., ICML 2022), as JSON.

    {client: {"active": [s], "inactive": [s], "finish_time": s}}: available from active[i] to
    inactive[i], repeated every finish_time (its docs/Device_Trace and client_metadata.py). The
    published pickle is never opened here. Raises ScenarioError.
    """
    for name, row in _table(path, ("active", "inactive", "finish_time"), _UNPICKLE):
        where = f"{printable(str(path))}: {printable(name)}"
        starts, ends, period_s = row["active"], row["inactive"], row["finish_time"]
        lists = isinstance(starts, list) and isinstance(ends, list) and len(starts) == len(ends)
        numbers = [*starts, *ends] if lists else []
        if not lists or not all(map(is_number, numbers)) or not is_number(period_s) or not period_s:
            raise ScenarioError(
                f"{where}: found {short_repr(row)}; allowed: as many active as inactive, numbers, "
                "and a finish_time above 0"
            )
        pairs = zip(map(float, starts), map(float, ends), strict=True)
        yield AvailabilityTrace(name, merged(pairs, float(period_s)), float(period_s))


def read_flash(path: Path) -> Iterator[AvailabilityTrace]:
    """Yields the devices of FLASH's `state_traces.json` (Yang et al., WWW 2021).

    {device: {"messages": lines of "YYYY-MM-DD HH:MM:SS<tab>state"}}. A device is available when
    FLASH calls it ready (its timer.py): screen locked, on Wi-Fi and charging. A trace repeats with
    the length from its first line to its last. Raises ScenarioError.
    """
    for name, row in _table(path, ("messages",), "save the file as JSON, in UTF-8"):
        where = f"{printable(str(path))}: {printable(name)}"
        events = [_event(line, where) for line in str(row["messages"]).splitlines() if line.strip()]
        if len(events) < 2 or events[-1][0] <= events[0][0]:
            raise ScenarioError(f"{where}: found {len(events)} states; allowed: two times or more")
        first = events[0][0]
        period_s = (events[-1][0] - first).total_seconds()
        ready = [((when - first).total_seconds(), on) for when, on in _readiness(events)]
        ends = [when_s for when_s, _ in ready[1:]] + [period_s]
        windows = ((when_s, end_s) for (when_s, on), end_s in zip(ready, ends, strict=True) if on)
        yield AvailabilityTrace(name, merged(windows, period_s), period_s)


def _readiness(events: list[tuple[datetime, str]]) -> Iterator[tuple[datetime, bool]]:
    locked = wifi = charged = False
    for when, state in events:
        match state:
            case "screen_lock" | "screen_unlock":
                locked = state == "screen_lock"
            case "battery_charged_on" | "battery_charged_off":
                charged = state == "battery_charged_on"
            case "wifi":
                wifi = True
            case _ if state in _OFFLINE:
                wifi = False
        yield when, locked and wifi and charged


def _event(line: str, where: str) -> tuple[datetime, str]:
    stamp, _, state = line.strip().partition("\t")
    try:
        return datetime.strptime(stamp.strip(), "%Y-%m-%d %H:%M:%S"), state.strip().lower()
    except ValueError:
        raise ScenarioError(
            f"{where}: found {short_repr(line)}; allowed: a time (2020-01-02 08:30:00), a tab, "
            "a state"
        ) from None


def merged(windows: Any, period_s: float) -> tuple[Window, ...]:
    """Windows clipped to [0, period_s] and sorted; touching or overlapping ones are merged."""
    found: list[Window] = []
    for start_s, end_s in sorted((max(a, 0.0), min(b, period_s)) for a, b in windows):
        if start_s >= end_s:
            continue
        if found and start_s <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end_s)
        else:
            found.append((start_s, end_s))
    return tuple(found)


def _table(
    path: Path, columns: tuple[str, ...], binary: str
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    name = printable(str(path))
    try:
        table = json.loads(read_text(path, binary))
    except (ValueError, RecursionError) as error:
        raise ScenarioError(f"{name}: found no JSON: {error}", binary) from None
    if not isinstance(table, dict) or not 0 < len(table) <= MAX_PIECES:
        raise ScenarioError(f"{name}: found {short_repr(table)}; allowed: devices by name")
    for device, row in table.items():
        if not isinstance(row, dict) or not set(columns) <= row.keys():
            raise ScenarioError(
                f"{name}: {printable(device)}: found {short_repr(row)}; allowed: a mapping with "
                f"{', '.join(columns)}"
            )
        yield device, row


class Traced(AvailabilitySettings):
    """Published availability traces: each client follows a device drawn from the `file`."""

    kind: Literal["trace"]
    file: str
    """JSON file of devices; a path from this scenario's folder"""
    format: Literal["fedscale", "flash"] = "fedscale"
    """format of the file"""
    _devices: tuple[AvailabilityTrace, ...] = PrivateAttr(())

    @model_validator(mode="after")
    def _read(self) -> Self:
        try:
            self._devices = tuple(
                (read_flash if self.format == "flash" else read_fedscale)(Path(self.file))
            )
        except ScenarioError as error:
            raise ValueError(error.message) from None
        return self

    @override
    def build(self, rng: np.random.Generator) -> Availability:
        device = self._devices[int(rng.integers(len(self._devices)))]
        return PeriodicWindows(device.windows, device.period_s)
