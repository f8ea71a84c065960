"""Parses and formats quantities with units.

Rates are in bits or bytes per second: `b` or `bit` is a bit, `B` or `byte` is eight bits. Prefixes
are decimal (k, M, G: powers of 1000) or binary (Ki, Mi, Gi: powers of 1024; IEC 80000-13). A number
without its unit is an error, because it is ambiguous.
"""

import math
import re
from fractions import Fraction
from typing import Any

_NUMBER = r"\s*([-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)\s*"
_PREFIX = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_PREFIX |= {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_RATE = re.compile(_NUMBER + r"(Ki|Mi|Gi|Ti|[kKMGT]?)(bps|bit/s|b/s|Bps|byte/s|bytes/s|B/s)\s*")
_SIZE = re.compile(_NUMBER + r"(Ki|Mi|Gi|Ti|[kKMGT]?)(bits|bit|b|bytes|byte|B)\s*")
_TIME = re.compile(_NUMBER + r"(ns|us|µs|ms|s|min|h|d)\s*")
_SPEED = re.compile(_NUMBER + r"([kMGT]?)(?:FLOP/s|FLOPS)\s*")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}
_SECONDS |= {"d": 86400.0}


def _schema(accepted: re.Pattern[str], description: str) -> dict[str, Any]:
    """JSON Schema of text that a parser below accepts: not negative."""
    pattern = f"^{accepted.pattern.replace('[-+]?', '[+]?', 1)}$"
    return {"type": "string", "pattern": pattern, "description": description}


def or_zero(schema: dict[str, Any]) -> dict[str, Any]:
    """JSON Schema of a quantity that may also be a plain 0."""
    return {"anyOf": [schema, {"const": 0}]}


RATE_SCHEMA = _schema(_RATE, "a rate, like 20 Mbps or 1.25 MB/s")
SPEED_SCHEMA = _schema(_SPEED, "a speed, like 20 GFLOP/s")
POSITIVE_DURATION_SCHEMA = _schema(_TIME, "a duration above 0, like 40 ms or 2 s")
DURATION_SCHEMA = or_zero(_schema(_TIME, "a duration, like 40 ms or 2 s"))


def _bits(unit: str) -> int:
    return 8 if unit[0] == "B" or unit.startswith("byte") else 1


def _match(accepted: re.Pattern[str], text: object, allowed: str) -> re.Match[str]:
    match = accepted.fullmatch(text) if isinstance(text, str) else None
    if not match:
        raise ValueError(f"found {text!r}; allowed: {allowed}")
    return match


def _finite(value: float, text: object) -> float:
    if not math.isfinite(value):
        raise ValueError(f"found {text!r}: not a finite number")
    return value


def parse_rate(text: object) -> float:
    """Bits per second of '20 Mbps', '1.25 MB/s', '500 kbit/s', '1 Mib/s'.

    Raises ValueError if there is no unit or the rate is not above zero.
    """
    match = _match(_RATE, text, "a rate with its unit, like 20 Mbps or 1.25 MB/s")
    value = _finite(float(match[1]) * _PREFIX[match[2]] * _bits(match[3]), text)
    if value <= 0:
        raise ValueError(f"found {text!r}; allowed: a rate above zero")
    return value


def parse_duration(text: object) -> float:
    """Seconds of '40 ms', '1.5 s', '2 min', '1 h'; a plain 0 needs no unit.

    Raises ValueError if there is no unit or the duration is negative.
    """
    if text == 0 and not isinstance(text, bool):
        return 0.0
    match = _match(_TIME, text, "a duration with its unit, like 40 ms or 2 s")
    value = _finite(float(match[1]) * _SECONDS[match[2]], text)
    if value < 0:
        raise ValueError(f"found {text!r}; allowed: a duration of zero or more")
    return value


def parse_speed(text: object) -> float:
    """Floating-point operations per second of '20 GFLOP/s', '1.5 TFLOP/s'; GFLOPS is the same.

    Raises ValueError if there is no unit or the speed is not above zero.
    """
    match = _match(_SPEED, text, "a speed with its unit, like 20 GFLOP/s")
    value = _finite(float(match[1]) * _PREFIX[match[2]], text)
    if value <= 0:
        raise ValueError(f"found {text!r}; allowed: a speed above zero")
    return value


def parse_size(text: object) -> int:
    """Bytes of '40 kB', '1 MiB', '512 B', '8 Mbit'; rounded up to whole bytes.

    Raises ValueError if there is no unit or the size is negative.
    """
    match = _match(_SIZE, text, "a size with its unit, like 40 kB or 1 MiB")
    bits = Fraction(match[1]) * _PREFIX[match[2]] * _bits(match[3])
    if bits < 0:
        raise ValueError(f"found {text!r}; allowed: a size of zero or more")
    return math.ceil(bits / 8)


def format_duration(seconds: float) -> str:
    """A duration as text: '850 ms', '12.3 s', '4 min 05 s', '2 h 03 min'."""
    if seconds < 1:
        return f"{seconds * 1e3:.0f} ms"
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def format_size(nbytes: float) -> str:
    """Decimal bytes as text: '612 B', '40.1 kB', '1.25 MB'."""
    return _scaled(nbytes, "B")


def format_rate(bits_per_second: float) -> str:
    """Decimal bits per second as text: '1.25 Mbps'."""
    return _scaled(bits_per_second, "bps")


def format_score(value: float, sign: str = "") -> str:
    """A score as text: '0.512', '34.250', '1.25e+04'; with `sign` '+', a difference: '+0.012'."""
    return f"{value:{sign}.3f}" if abs(value) < 999.5 else f"{value:{sign}.3g}"


def _scaled(value: float, unit: str) -> str:
    for prefix in ("", "k", "M", "G"):
        if abs(value) < 999.5:
            return f"{value:.3g} {prefix}{unit}"
        value /= 1000
    return f"{value:.3g} T{unit}"
