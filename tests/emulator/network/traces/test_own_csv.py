"""The CSV of flasc-emu: units, quotes, and what is refused."""

import pytest

from emulator.common.errors import ScenarioError
from emulator.network.capacity.trace import profile_of
from emulator.network.traces.formats import read_trace

from .trace_samples import DATA, steps

MBPS = 1e6 / 8


def read_csv(path, way="down", loop=True):
    return profile_of(read_trace(path, "csv")[1], way, loop=loop)


def test_the_csv_sample():
    path = DATA / "capacity_sample.csv"
    down = [(0.0, 20.0), (10.0, 8.0), (15.0, 0.0), (18.0, 12.0), (21.0, 20.0)]
    assert steps(read_csv(path), 25) == [(t, mbps * MBPS) for t, mbps in down]
    assert steps(read_csv(path, "up"), 25) == [(t, mbps / 4 * MBPS) for t, mbps in down]


def test_a_csv_that_does_not_loop_holds_its_last_rate():
    down = read_csv(DATA / "capacity_sample.csv", loop=False)
    assert down.piece(18.0) == (12 * MBPS, float("inf"))


@pytest.mark.parametrize(
    ("unit", "unit_Bps"),
    [("bps", 1 / 8), ("kbps", 125), ("Mbps", 125e3), ("Bps", 1), ("kBps", 1e3), ("MBps", 1e6)],
)
def test_units_of_a_csv(file, unit, unit_Bps):
    path = file(f"time_s, rate_{unit}\r\n\r\n100, 3\r\n101.5, 7\r\n")
    for way in ("down", "up"):
        assert steps(read_csv(path, way), 3.0) == [(0.0, 3 * unit_Bps), (1.5, 7 * unit_Bps)]


def test_cells_may_be_quoted_and_separated_by_others(file):
    for text in (
        '"time_s","down_Bps"\n"0","3"\n"2","5"\n',
        "time_s;down_Bps\n0;3\n2;5\n",
        "time_s\tdown_Bps\n0\t3\n2\t5\n",
    ):
        assert steps(read_csv(file(text)), 4) == [(0.0, 3.0), (2.0, 5.0)]


def test_one_row_is_a_constant_rate(file):
    assert read_csv(file("time_s,up_Bps\n5,3\n"), "up").piece(0.0) == (3.0, float("inf"))


def test_a_byte_order_mark_is_no_part_of_the_header(file):
    assert read_csv(file(b"\xef\xbb\xbftime_s,up_Bps\n0,3\n"), "up").mean == 3.0


def test_columns_of_the_other_direction_may_be_at_zero(file):
    path = file("time_s,down_Bps,up_Bps\n0,2,0\n9,4,0\n")
    assert read_csv(path).mean == 3.0
    with pytest.raises(ScenarioError, match="found up at zero forever"):
        read_csv(path, "up")


@pytest.mark.parametrize(
    ("header", "meant"),
    [
        ("time_s,down_mbps", "found column 'down_mbps'; did you mean 'down_Mbps'? allowed: time_s"),
        ("time_s,up_mbit", "found column 'up_mbit'; did you mean 'up_Mbps'? allowed"),
        ("time_s,Rate_Kbps", "found column 'Rate_Kbps'; did you mean 'rate_kbps'? allowed"),
        ("time_s,down_KBPS", "found column 'down_KBPS'; did you mean 'down_kbps'? allowed"),
        ("Time_S,down_Mbps", "found 'Time_S,down_Mbps'; did you mean 'time_s'? allowed"),
        ("time,down_Mbps", "found 'time,down_Mbps'; did you mean 'time_s'? allowed"),
        ("time_s,speed", "found column 'speed'; allowed: time_s"),
    ],
)
def test_near_misses_in_a_header_are_named(file, header, meant):
    with pytest.raises(ScenarioError) as raised:
        read_csv(file(f"{header}\n0,1\n1,2\n"))
    assert f"table:1: {meant}" in raised.value.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "table: found no rows; allowed: a header, time_s, then"),
        ("# nothing\n\n", "found no rows"),
        ("time_s,down_Mbps\n", "table: found 0 rows; allowed: 1 to 1,000,000"),
        ("0,20\n1,30\n", "table:1: found column '20'; allowed: time_s, then rate_UNIT or"),
        ("time_s\n0\n", "table:1: found 'time_s'; allowed: time_s, then"),
        ("time_ms,down_Mbps\n0,1\n", "table:1: found 'time_ms,down_Mbps'; allowed"),
        (
            "time_s,down_Mb\n0,1\n",
            "table:1: found column 'down_Mb'; did you mean 'down_Mbps'? allowed",
        ),
        ("time_s,down_Mbps,down_kbps\n0,1,1\n", "found 'time_s,down_Mbps,down_kbps'"),
        ("time_s,rate_Mbps,up_kbps\n0,1,1\n", "found 'time_s,rate_Mbps,up_kbps'"),
        ("\n#\ntime_s,up_Bps\n0,1\n1\n", "table:5: found 1 cells; allowed: 2"),
        ("time_s,up_Bps\n0,1\n1,fast\n", "table:3: found 'fast'; allowed: a number, 0 or 1e-15"),
        ("time_s,up_Bps\n0,-1\n", "table:2: found '-1'; allowed: a number"),
        ("time_s,up_Bps\n0,nan\n", "table:2: found 'nan'; allowed: a number"),
        ("time_s,up_Bps\n0,1e16\n", "table:2: found '1e16'; allowed: a number"),
        ("time_s,up_Bps\n0,1e-300\n", "table:2: found '1e-300'; allowed: a number"),
        (
            "time_s,up_Bps\n0,1\n0,1\n",
            "table:3: found a time that is not after the one before; allowed: incr",
        ),
        ("time_s,up_Bps\n0,0\n9,0\n", "found up at zero forever; allowed: a rate above zero"),
        ('time_s,up_Bps\n0,"1\n', "table:2: found no CSV: unexpected end of data"),
        ('time_s,up_Bps\n0,"1"2\n', "table:2: found no CSV: ',' expected after"),
        (b"time_s,up_Bps\n0,\xff\n", "table:2: found byte 0xff; allowed: UTF-8 text"),
    ],
)
def test_what_is_no_csv(file, text, message):
    with pytest.raises(ScenarioError) as raised:
        read_csv(file(text), "up")
    assert message in raised.value.message


def test_a_csv_that_ends_in_an_outage_must_loop(file):
    path = file("time_s,up_Bps\n0,1\n9,0\n")
    assert read_csv(path, "up").mean == 0.5
    with pytest.raises(ScenarioError, match="above zero in the last row, which holds"):
        read_csv(path, "up", loop=False)


def test_a_direction_that_the_header_lacks(file):
    with pytest.raises(ScenarioError, match="found no rates for up; allowed: a column up_UNIT"):
        read_csv(file("time_s,down_Bps\n0,1\n"), "up")
