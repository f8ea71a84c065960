"""Logs of six columns, from Norway and Ghent."""

import pytest

from emulator.common.errors import ScenarioError
from emulator.network.traces.six_columns import read_six_columns


def test_a_rate_holds_for_the_ms_before_its_line():
    found = read_six_columns("1 5000 -1.5 x 3000 1000\n2 7000 1 2 8000 2000\n", "x")
    assert found.times_s.tolist() == [0.0, 1.0]
    assert found.rates_Bps["down"].tolist() == [3000.0, 4000.0]
    assert (found.end_s, found.lines) == (3.0, [1, 2])


def test_a_time_without_a_line_is_told_as_a_gap():
    text = "".join(f"1 {n * 1000} 0 0 500 1000\n" for n in (1, 2, 3, 4, 65, 66))
    assert read_six_columns(text, "x").told("down") == [
        "x:5: the rates of this row hold for 61.0 s (median step: 1.0 s)"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x: found no rows; allowed: six numbers"),
        ("1 2 3 4 5\n", "x:1: found '1 2 3 4 5'; allowed: six numbers"),
        ("1 2 3 4 5 0\n", "x:1: found 0 ms in the last column; allowed: above 0"),
        ("1 2 3 4 5 -6\n", "x:1: found '-6'; allowed: a number"),
        ("1 2 3 4 5 1\n1 2 3 4 5 1\n", "x:2: found a time that is not after the one before"),
        ("1 2 3 4 5 1\n1 1 3 4 5 1\n", "x:2: found a time that is not after the one before"),
    ],
)
def test_refused(text, message):
    with pytest.raises(ScenarioError) as raised:
        read_six_columns(text, "x")
    assert message in raised.value.message
