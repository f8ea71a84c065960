"""Traces of Mahimahi: bins, gaps, and what is refused."""

import pytest

from emulator.common.errors import ScenarioError
from emulator.network.capacity.trace import profile_of
from emulator.network.traces import mahimahi

from .trace_samples import DATA, steps


def read_mahimahi(path, way="down", **keys):
    return profile_of(mahimahi.read_mahimahi(path.read_text(), str(path), **keys), way)


def test_the_mahimahi_sample():
    # Six stamps, the last at 210 ms: four until 100 ms, one until 200 ms, one in the last 10 ms.
    profile = read_mahimahi(DATA / "mahimahi_sample.trace")
    assert [t for t, _ in steps(profile, 0.4)] == pytest.approx([0, 0.1, 0.2, 0.21, 0.31])
    rates = [rate for _, rate in steps(profile, 0.4)]
    assert rates == pytest.approx([4 * 15040, 15040, 150400, 4 * 15040, 15040])
    assert profile.bytes_between(0, 2.1) == pytest.approx(60 * 1504)
    assert read_mahimahi(DATA / "mahimahi_sample.trace", "up").mean == profile.mean


def test_mahimahis_own_examples(file):
    # mm-link(1) and traces/README: one packet a millisecond is a file of "1".
    assert read_mahimahi(file("1\n")).mean == pytest.approx(1504 * 1000)
    counted = read_mahimahi(file("".join(f"{ms}\n" for ms in range(1, 1001))))
    assert [rate for _, rate in steps(counted, 0.95)] == pytest.approx([1504 * 1000] * 10)


@pytest.mark.parametrize("bin_s", [0.001, 0.01, 0.1, 1.0])
def test_every_bin_has_the_bytes_of_its_stamps(bin_s):
    profile = read_mahimahi(DATA / "mahimahi_sample.trace", bin_s=bin_s)
    stamps_ms = [5, 5, 50, 100, 101, 210]
    for end in range(round(bin_s * 1000), 210, round(bin_s * 1000)):
        expected_B = 1504 * sum(ms <= end for ms in stamps_ms)
        assert profile.bytes_between(0, end / 1000) == pytest.approx(expected_B, abs=1e-6)
    assert profile.bytes_between(0, 0.21) == pytest.approx(6 * 1504)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "table: found no stamps; allowed: 1 to 100,000,000 ms"),
        ("0\n0\n", "table: found a last stamp of 0 ms"),
        ("1\n\n2\n", "table:2: found ''; allowed: a whole number of ms, 1 or more"),
        ("5\n4\n", "table:2: found '4'; allowed: a whole number of ms, 5 or more"),
        ("1.5\n", "table:1: found '1.5'"),
        ("-1\n", "table:1: found '-1'"),
        ("٣\n", "table:1: found '٣'"),
        ("999999999999\n", "found a last stamp of 999999999999 ms"),
        (f"{'9' * 5000}\n", "table:1: found '9999"),
    ],
)
def test_what_is_no_mahimahi_trace(file, text, message):
    with pytest.raises(ScenarioError) as raised:
        read_mahimahi(file(text))
    assert message in raised.value.message
