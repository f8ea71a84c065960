"""Times in tables: units, ISO 8601, patterns, and repeated times."""

import numpy as np
import pytest

from emulator.common.csv_files import parse_csv
from emulator.common.errors import ScenarioError
from emulator.network.traces.times import read_times, spread


def times(format, *cells, name="when"):
    table = parse_csv("\n".join([f"{name},x", *(f'"{cell}",0' for cell in cells)]), "x.csv")
    return read_times(table, 0, format).tolist()


@pytest.mark.parametrize(
    ("format", "cells", "expected"),
    [
        ("s", ["-1.5", "0"], [0, 1.5]),
        ("ms", ["1453121790686", "1453121791687"], [0, 1.001]),
        ("us", ["1e6", "2e6"], [0, 1]),
        ("ns", ["0", "5e8"], [0, 0.5]),
        ("min", ["1", "3"], [0, 120]),
        ("h", ["0", "0.5"], [0, 1800]),
        ("iso", ["2023-04-04T10:00:00Z", "2023-04-04T12:00:01+02:00"], [0, 1]),
        ("iso", ["2023-04-04 10:00:00.250", "2023-04-04 10:00:01.000"], [0, 0.75]),
        ("%H:%M:%S", ["10:59:59", "11:00:02"], [0, 3]),
        ("%Y-%m-%d %H:%M:%S CDT", ["2023-04-04 10:07:13 CDT", "2023-04-04 10:07:14 CDT"], [0, 1]),
        ("%d.%m.%y %H:%M:%S.%f", ["04.04.23 10:00:00.5", "04.04.23 10:00:01.0"], [0, 0.5]),
    ],
)
def test_seconds_from_the_first_row_on(format, cells, expected):
    assert times(format, *cells) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "cell", "seconds"),
    [("time_ms", "500", 0.5), ("t [us]", "500", 5e-4), ("elapsed (s)", "500", 500)],
)
def test_the_unit_may_be_the_end_of_the_name(name, cell, seconds):
    assert times(None, "0", cell, name=name) == pytest.approx([0, seconds])


def test_iso_times_need_no_format():
    assert times(None, "2023-04-04 10:00:00", "2023-04-04 10:00:09") == [0, 9]


@pytest.mark.parametrize(
    ("format", "cell", "message"),
    [
        (None, "5", "x.csv:2: found time '5' in column 'when', without a unit; allowed: "),
        ("s", "now", "x.csv:2: found time 'now'; allowed: time_format 's'"),
        ("s", "nan", "found time 'nan'"),
        ("ms", "1e300", "found time '1e300'"),
        ("iso", "5 May", "found time '5 May'; allowed: time_format 'iso'"),
        ("%H:%M", "25:00", "found time '25:00'; allowed: time_format '%H:%M'"),
        ("%Y %Y", "2020 2020", "found time '2020 2020'; allowed: time_format '%Y %Y'"),
        ("%", "5", "found time '5'; allowed: time_format '%'"),
        ("%Q", "5", "found time '5'; allowed: time_format '%Q'"),
    ],
)
def test_refused(format, cell, message):
    with pytest.raises(ScenarioError) as raised:
        times(format, cell)
    assert message in raised.value.message


def test_repeated_times_are_spread_until_the_next():
    found, end_s = spread(np.array([0.0, 0.0, 3.0, 3.0, 3.0, 6.0]))
    assert found.tolist() == [0, 1.5, 3, 4, 5, 6]
    assert end_s == 9


@pytest.mark.parametrize("given", [[], [0.0], [0.0, 0.0], [0.0, 2.0, 1.0]])
def test_times_that_cannot_be_spread_are_left(given):
    found, end_s = spread(np.array(given))
    assert (found.tolist(), end_s) == (given, None)
