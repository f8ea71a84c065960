import math

import pytest
from hypothesis import given, strategies as st

from emulator.common import units


@pytest.mark.parametrize(
    ("text", "bits_per_second"),
    [
        ("20 Mbps", 20e6),
        ("20Mbps", 20e6),
        ("1.25 MB/s", 10e6),
        ("1 Mib/s", 2**20),
        ("1 KiB/s", 8 * 2**10),
        ("500 kbit/s", 5e5),
        ("1e3 B/s", 8e3),
        ("8 byte/s", 64.0),
        ("1 Gb/s", 1e9),
    ],
)
def test_rates_tell_bits_from_bytes_and_decimal_from_binary(text, bits_per_second):
    assert units.parse_rate(text) == bits_per_second


@pytest.mark.parametrize(
    ("text", "seconds"), [("40 ms", 0.04), ("2 min", 120.0), ("1.5s", 1.5), ("3 µs", 3e-6), (0, 0)]
)
def test_durations(text, seconds):
    assert units.parse_duration(text) == pytest.approx(seconds, rel=1e-15)


@pytest.mark.parametrize(
    ("text", "nbytes"), [("40 kB", 40_000), ("1 MiB", 2**20), ("9 bit", 2), ("0 B", 0)]
)
def test_sizes_round_up_to_whole_bytes(text, nbytes):
    assert units.parse_size(text) == nbytes


@pytest.mark.parametrize("parse", [units.parse_rate, units.parse_duration, units.parse_size])
@pytest.mark.parametrize(
    "found",
    [20, 1.5, True, None, "", "20", "Mbps", "20 furlongs", "-1 s", "-1 Mbps", "-1 B", [], "nan s"],
)
def test_a_bare_number_or_nonsense_is_refused_with_what_was_found(parse, found):
    with pytest.raises(ValueError, match=r"found .*; allowed: "):
        parse(found)


@pytest.mark.parametrize("text", ["0 Mbps", "1e999 Mbps"])
def test_rates_are_above_zero_and_finite(text):
    with pytest.raises(ValueError, match="found"):
        units.parse_rate(text)


@given(st.integers(1, 10**9), st.sampled_from(["k", "M", "G", "Ki", "Mi"]))
def test_a_byte_rate_is_eight_bit_rates(number, prefix):
    assert units.parse_rate(f"{number} {prefix}B/s") == 8 * units.parse_rate(
        f"{number} {prefix}bps"
    )


@given(st.floats(0, 1e6))
def test_durations_for_people_stay_close(seconds):
    text = units.format_duration(seconds)
    parts = text.replace(" min", "min").replace(" h", "h").replace(" s", "s").replace(" ms", "ms")
    scale = {"ms": 1e-3, "min": 60, "h": 3600, "s": 1}
    total = 0.0
    for part in parts.split():
        unit = next(u for u in scale if part.endswith(u))
        total += float(part.removesuffix(unit)) * scale[unit]
    shown = 0.0006 if seconds < 1 else 0.0501  # half of the last digit
    assert math.isclose(total, seconds, rel_tol=0.02, abs_tol=shown)


def test_scores_have_three_decimals_unless_they_are_large():
    assert [units.format_score(s) for s in (0.5124, 34.25, 999.4, 12500.0)] == [
        "0.512", "34.250", "999.400", "1.25e+04"
    ]  # fmt: skip
    assert [units.format_score(s, "+") for s in (0.012, -3.2)] == ["+0.012", "-3.200"]
