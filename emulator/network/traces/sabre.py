"""Traces of SABRE, in JSON."""

import json
from typing import Any

import numpy as np

from emulator.common.errors import ScenarioError
from emulator.common.text import printable, short_repr
from emulator.common.text_files import RANGE, is_number
from emulator.common.units import format_duration
from emulator.network.traces.samples import Remark, Samples, both

PERIOD = "a list of objects with duration_ms, bandwidth_kbps and latency_ms"
UNIT_BPS = 1e3 / 8
PLACE = "{}: period {}"


def read_sabre(text: str, name: str) -> Samples:
    """Reads a network trace of SABRE (Spiteri et al., MMSys 2018). Raises ScenarioError.

    A list of periods, each with its duration (ms), bandwidth (kbit/s, in both directions) and
    latency (ms, which each request waits); see `sabre.py` of github.com/UMass-LIDS/sabre. An RTT
    does not change in time here, so latencies are left out, and a remark says so.
    """
    periods = _periods(text, printable(name))
    values = np.array([_numbers(each, n, name) for n, each in enumerate(periods, 1)])
    lasting = np.flatnonzero(values[:, 0])  # a period of 0 ms changes nothing
    if not len(lasting):
        found = "found no period above 0 ms"
        raise ScenarioError(f"{printable(name)}: {found}; allowed: at least one")
    ends_s = np.cumsum(values[lasting, 0]) / 1000
    rates_Bps = values[lasting, 1] * UNIT_BPS
    return Samples(
        name,
        np.concatenate([[0.0], ends_s[:-1]]),
        both(rates_Bps),
        float(ends_s[-1]),
        (lasting + 1).tolist(),
        _left_out(float(np.median(values[lasting, 2])) / 1000),
        PLACE,
    ).checked()


def _periods(text: str, name: str) -> list[Any]:
    try:
        periods = json.loads(text)
    except json.JSONDecodeError as error:
        raise ScenarioError(f"{name}:{error.lineno}: found no JSON: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise ScenarioError(f"{name}: cannot be read: {error}") from None
    if not isinstance(periods, list) or not periods:
        raise ScenarioError(f"{name}: found {short_repr(periods)}; allowed: {PERIOD}")
    return periods


def _numbers(period: Any, number: int, name: str) -> tuple[float, float, float]:
    """Its duration, bandwidth and latency (0 without one), in the units of the file."""
    where = PLACE.format(printable(name), number)
    keys = ("duration_ms", "bandwidth_kbps", "latency_ms")
    if not isinstance(period, dict) or not {*keys[:2]} <= period.keys():
        raise ScenarioError(f"{where}: found {short_repr(period)}; allowed: {PERIOD}")
    values = [period.get(key, 0) for key in keys]
    for key, value in zip(keys, values, strict=True):
        if not is_number(value):
            found = f"found {short_repr(value)}"
            raise ScenarioError(f"{where}: {key}: {found}; allowed: a number, 0 or {RANGE}")
    duration, bandwidth, latency = map(float, values)
    return duration, bandwidth, latency


def _left_out(latency_s: float) -> tuple[Remark, ...]:
    if not latency_s:
        return ()
    text = (
        f"its latency_ms (median: {format_duration(latency_s)}) is left out, as an RTT does not "
        "change in time here; give a constant rtt"
    )
    return (Remark(text),)
