"""Traces of rates: the samples, what a scenario makes of them, and what is refused."""

import numpy as np
import pytest
from pydantic import ValidationError

from emulator.common.errors import ScenarioError
from emulator.network.capacity.trace import profile_from, read_csv, read_mahimahi
from emulator.runner import inputs

from ...simulation.clients.drawn_links import CSV, DATA, MAHIMAHI, TRACE, built, network, rates

MBPS = 1e6 / 8


def steps(profile, until_s):
    """[(time, rate)] of its pieces."""
    now_s, found = 0.0, []
    while now_s < until_s:
        rate_Bps, then_s = profile.piece(now_s)
        found.append((now_s, rate_Bps))
        now_s = then_s
    return found


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
        (
            "time_s,up_Bps\n0,1\n0,1\n",
            "table:3: found time '0' not after the one before; allowed: incr",
        ),
        ("time_s,up_Bps\n0,0\n9,0\n", "found up_Bps at zero forever; allowed: a rate above zero"),
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
    ("file", "way", "expected"),
    [
        (CSV, "down", read_csv(CSV)["down"]),
        (CSV, "up", read_csv(CSV)["up"]),
        (MAHIMAHI, "down", read_mahimahi(MAHIMAHI)),
    ],
)
def test_a_trace_at_its_start_is_the_file_to_the_bit(file, way, expected):
    rate = {"kind": "trace", "file": str(file), "offset": "none"}
    by_link = built(network(clients={"down": rate, "up": rate}))[1]
    for client in range(3):
        profile = by_link.get(("client", way, client))
        np.testing.assert_array_equal(rates(profile), rates(expected))


def test_a_trace_is_shifted_and_scaled_as_it_says():
    rate = {**TRACE, "offset": "7 s", "scale": "25 %"}
    profile = built(network(clients={"down": rate, "up": "1 Mbps"}))[1].get(("client", "down", 0))
    np.testing.assert_allclose(rates(profile), rates(read_csv(CSV)["down"].shifted(7.0)) / 4)


def test_random_offsets_are_uniform_over_the_trace_and_the_same_for_both_ways():
    found = network(clients={"down": TRACE, "up": TRACE})
    by_link = built(found, clients=2000)[1]
    first, length_s = read_csv(CSV), read_csv(CSV)["down"].length_s
    # The share of clients in each of the rates is that of the time that the file spends there.
    starts = [by_link.get(("client", "down", client)).rate_at(0) for client in range(2000)]
    for rate_Bps in set(starts):
        share = np.mean([first["down"].rate_at(t) == rate_Bps for t in np.arange(0, length_s, 0.1)])
        assert np.mean(np.array(starts) == rate_Bps) == pytest.approx(
            share, abs=5 * 0.5 / 2000**0.5
        )
    for client in range(50):
        down, up = (by_link.get(("client", way, client)) for way in ("down", "up"))
        for now_s in (0.0, 3.0, 11.0):
            assert down.piece(now_s)[1] == up.piece(now_s)[1]


def test_a_trace_that_does_not_loop_ends_in_its_last_rate(tmp_path):
    path = tmp_path / "once.csv"
    path.write_text("time_s,rate_Mbps\n0,8\n10,16\n")
    rate = {"kind": "trace", "file": str(path), "loop": False, "offset": "none"}
    made, by_link = built(network(clients={"down": rate, "up": rate}))
    profile = by_link.get(("client", "down", 0))
    assert [profile.rate_at(t) for t in (0, 9.9, 10, 1e6)] == [1e6, 1e6, 2e6, 2e6]
    assert (made.down_Bps == 2e6).all()


def test_the_format_goes_by_the_suffix(tmp_path):
    path = tmp_path / "rates.txt"
    path.write_text(CSV.read_text())
    rate = {"kind": "trace", "file": str(path)}
    with pytest.raises(ValidationError, match=r"named rates\.txt; allowed: format csv or mahimahi"):
        network(clients={"down": rate, "up": "1 Mbps"})
    assert network(clients={"down": {**rate, "format": "csv"}, "up": "1 Mbps"})


def test_mistakes_in_the_file_are_told_by_its_line_and_the_scenarios(tmp_path, scenario):
    path = scenario()
    trace = "{kind: trace, file: lte.csv}"
    path.write_text(path.read_text().replace("up: 20 Mbps, rtt", f"up: {trace}, rtt"))
    file = tmp_path / "lte.csv"
    for text, said in {
        "time_s,rate_Mbps\n0,5\n1,x\n": f"{file}:3: found '1,x'; allowed: numbers",
        "time_s,down_Mbps\n0,5\n1,6\n": f"{file}:1: found no up_UNIT in the header",
        None: f"{file}: no such file",
    }.items():
        file.unlink(missing_ok=True)
        if text:
            file.write_text(text)
        with pytest.raises(ScenarioError) as caught:
            inputs.read(path)
        line = next(n for n, t in enumerate(path.read_text().splitlines(), 1) if trace in t)
        assert f"{path}:{line}: network.clients.up: {said}" in str(caught.value)
