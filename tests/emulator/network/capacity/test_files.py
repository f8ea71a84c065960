"""Traces and tables of devices: samples made here, and what is wrong with others."""

import contextlib
import os
import pickle
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emulator.common import text_files
from emulator.common.errors import ScenarioError
from emulator.network.capacity.trace import profile_from, read_csv, read_mahimahi
from emulator.simulation.clients.device_formats import Device, read_fedscale, read_flash

DATA = Path(__file__).parents[3] / "data"
MBPS = 1e6 / 8


def steps(profile, until_s):
    """[(time, rate)] of its pieces."""
    now_s, found = 0.0, []
    while now_s < until_s:
        rate_Bps, then_s = profile.piece(now_s)
        found.append((now_s, rate_Bps))
        now_s = then_s
    return found


@pytest.fixture
def file(tmp_path):
    def write(content):
        path = tmp_path / "table"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


# --- samples


def test_the_csv_sample():
    profiles = read_csv(DATA / "capacity_sample.csv")
    down = [(0.0, 20.0), (10.0, 8.0), (15.0, 0.0), (18.0, 12.0), (21.0, 20.0)]
    assert steps(profiles["down"], 25) == [(t, mbps * MBPS) for t, mbps in down]
    assert steps(profiles["up"], 25) == [(t, mbps / 4 * MBPS) for t, mbps in down]


def test_a_csv_that_does_not_loop_holds_its_last_rate():
    down = profile_from(DATA / "capacity_sample.csv", "down", loop=False)
    assert down.piece(18.0) == (12 * MBPS, float("inf"))


def test_the_mahimahi_sample():
    # Six stamps, the last at 210 ms: four until 100 ms, one until 200 ms, one in the last 10 ms.
    profile = read_mahimahi(DATA / "mahimahi_sample.trace")
    assert [t for t, _ in steps(profile, 0.4)] == pytest.approx([0, 0.1, 0.2, 0.21, 0.31])
    rates = [rate for _, rate in steps(profile, 0.4)]
    assert rates == pytest.approx([4 * 15040, 15040, 150400, 4 * 15040, 15040])
    assert profile.bytes_between(0, 2.1) == pytest.approx(60 * 1504)
    assert profile_from(DATA / "mahimahi_sample.trace", "up", "mahimahi").mean == profile.mean


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


def test_the_fedscale_sample():
    assert read_fedscale(DATA / "fedscale_sample.json") == [
        Device("1", 1e6, 1e6, per_example_s=pytest.approx(0.15)),
        Device("2", 154_320.0, 154_320.0, per_example_s=pytest.approx(0.4215)),
        Device("7", 12e6, 12e6, per_example_s=0.0),
    ]


def test_the_flash_sample():
    assert read_flash(DATA / "flash_sample.json") == [
        Device("made-up-phone-a", 2.5e6, 1.25e6, 0.75e6, 0.0),
        Device("made-up-phone-b", 4e5, 90_250.0, 900_500.0, 60_000.0),
    ]


# --- units and layouts of CSV


@pytest.mark.parametrize(
    ("unit", "unit_Bps"),
    [("bps", 1 / 8), ("kbps", 125), ("Mbps", 125e3), ("Bps", 1), ("kBps", 1e3), ("MBps", 1e6)],
)
def test_units_of_a_csv(file, unit, unit_Bps):
    profiles = read_csv(file(f"time_s, rate_{unit}\r\n\r\n100, 3\r\n101.5, 7\r\n"))
    assert profiles["down"] is profiles["up"]
    assert steps(profiles["up"], 3.0) == [(0.0, 3 * unit_Bps), (1.5, 7 * unit_Bps)]


def test_one_row_is_a_constant_rate(file):
    assert read_csv(file("time_s,up_Bps\n5,3\n"))["up"].piece(0.0) == (3.0, float("inf"))


def test_a_byte_order_mark_is_no_part_of_the_header(file):
    assert read_csv(file(b"\xef\xbb\xbftime_s,up_Bps\n0,3\n"))["up"].mean == 3.0


# --- what is wrong


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "table: found no rows; allowed: a header, time_s, then"),
        ("# nothing\n\n", "found no rows"),
        ("time_s,down_Mbps\n", "table: found 0 rows; allowed: 1 to 1,000,000"),
        ("0,20\n1,30\n", "table:1: found column '20'; allowed: time_s, then rate_UNIT or"),
        ("time_s\n0\n", "table:1: found 'time_s'; allowed: time_s, then"),
        ("time_ms,down_Mbps\n0,1\n", "table:1: found 'time_ms,down_Mbps'; allowed"),
        ("time_s,down_Mb\n0,1\n", "table:1: found column 'down_Mb'; allowed"),
        ("time_s,down_Mbps,down_kbps\n0,1,1\n", "found 'time_s,down_Mbps,down_kbps'"),
        ("time_s,rate_Mbps,up_kbps\n0,1,1\n", "found 'time_s,rate_Mbps,up_kbps'"),
        ("\n#\ntime_s,up_Bps\n0,1\n1\n", "table:5: found 1 cells; allowed: 2"),
        ("time_s,up_Bps\n0,1\n1,fast\n", "table:3: found '1,fast'; allowed: numbers, 0 or 1e-15"),
        ("time_s,up_Bps\n0,-1\n", "table:2: found '0,-1'; allowed: numbers"),
        ("time_s,up_Bps\n0,nan\n", "table:2: found '0,nan'; allowed: numbers"),
        ("time_s,up_Bps\n0,1e16\n", "table:2: found '0,1e16'; allowed: numbers"),
        ("time_s,up_Bps\n0,1e-300\n", "table:2: found '0,1e-300'; allowed: numbers"),
        ("time_s,up_Bps\n0,1\n0,1\n", "table:3: found time '0' after one as late; allowed: times"),
        ("time_s,up_Bps\n0,0\n9,0\n", "found up_Bps at zero for ever; allowed: a rate above zero"),
        (b"time_s,up_Bps\n0,\xff\n", "table:2: found byte 0xff; allowed: UTF-8 text"),
    ],
)
def test_what_is_no_csv(file, text, message):
    with pytest.raises(ScenarioError) as raised:
        read_csv(file(text))
    assert message in raised.value.message


def test_a_csv_that_ends_in_an_outage_must_loop(file):
    path = file("time_s,up_Bps\n0,1\n9,0\n")
    assert read_csv(path)["up"].mean == 0.5
    with pytest.raises(ScenarioError, match="above zero in the last row, which holds"):
        read_csv(path, loop=False)


def test_a_direction_that_the_header_lacks(file):
    with pytest.raises(ScenarioError, match=r"table:1: found no up_UNIT in the header"):
        profile_from(file("time_s,down_Bps\n0,1\n"), "up")


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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "table:1: found no JSON: Expecting property name"),
        ("[]", "table: found []; allowed: 1 to 1,000,000 devices by name"),
        ("{}", "table: found 0 devices"),
        ('{"1": [50, 8000]}', "table: 1: found [50, 8000]; allowed: a mapping with computation, c"),
        ('{"1": {"computation": 5}}', "allowed: a mapping with computation, communication"),
        ('{"1": {"computation": 5, "communication": 0}}', "1: communication: found 0; allowed: 1e"),
        ('{"1": {"computation": -5, "communication": 1}}', "1: computation: found -5; allowed: 0,"),
        ('{"1": {"computation": true, "communication": 1}}', "1: computation: found true"),
        ('{"1": {"computation": "5", "communication": 1}}', "computation: found '5'"),
        ('{"1": {"computation": NaN, "communication": 1}}', "computation: found NaN"),
        (f'{{"1": {{"computation": 1{"0" * 400}, "communication": 1}}}}', "computation: found 100"),
        (f'{{"1": {{"computation": 1{"0" * 5000}, "communication": 1}}}}', "cannot be read"),
        ('{"1": {"computation": 5, "communication": 1}, "1": {}}', "found a name twice"),
        ("[" * 100_000, "cannot be read"),
    ],
)
def test_what_is_no_table_of_devices(file, text, message):
    with pytest.raises(ScenarioError) as raised:
        read_fedscale(file(text))
    assert message in raised.value.message


class Unpickled:
    def __reduce__(self):
        return os.mkdir, ("must_not_exist",)


def test_a_pickle_is_not_opened_and_the_hint_says_what_to_do(file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ScenarioError) as raised:
        read_fedscale(file(pickle.dumps(Unpickled())))
    assert not Path("must_not_exist").exists()
    assert "found byte 0x80" in raised.value.message
    assert "if you trust yours: python -c" in raised.value.hint


@pytest.mark.parametrize("read", [read_csv, read_mahimahi, read_fedscale, read_flash])
def test_what_is_no_file(read, tmp_path, monkeypatch, file):
    with pytest.raises(ScenarioError, match="no such file"):
        read(tmp_path / "gone")
    with pytest.raises(ScenarioError, match="found a directory or device"):
        read(tmp_path)
    os.mkfifo(tmp_path / "pipe")  # would wait for ever
    with pytest.raises(ScenarioError, match="found a directory or device"):
        read(tmp_path / "pipe")
    monkeypatch.setattr(text_files, "MAX_BYTES", 100)
    with pytest.raises(ScenarioError, match="found more than 0 MiB"):
        read(file("1" * 101))


@pytest.mark.parametrize("read", [read_csv, read_mahimahi, read_fedscale, read_flash])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.one_of(
        st.binary(max_size=60),
        st.lists(st.sampled_from(["time_s,up_Bps", "1", "2,3", "5e-324,1e15", "1e15,1"])).map(
            lambda lines: "\n".join(lines).encode()
        ),
    )
)
def test_any_bytes_are_read_or_refused_as_a_users_mistake(read, file, content):
    with contextlib.suppress(ScenarioError):
        read(file(content))
