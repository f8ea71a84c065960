"""Cooked traces: a rate holds until the time of its line."""

import pytest

from emulator.common.errors import ScenarioError
from emulator.network.traces.cooked import read_cooked


def test_a_rate_holds_from_the_line_before_until_its_own():
    found = read_cooked("10 99\n10.5 8\n\n# none\n12\t16\n", "x")
    assert found.times_s.tolist() == [0.0, 0.5]
    assert found.rates_Bps["down"].tolist() == [1e6, 2e6]
    assert found.rates_Bps["up"] is found.rates_Bps["down"]
    assert (found.end_s, found.lines) == (2.0, [2, 5])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x: found 0 rows; allowed: 2 or more, of seconds and Mbit/s"),
        ("0 1\n", "x: found 1 rows; allowed: 2 or more"),
        ("0 1\n1\n", "x:2: found '1'; allowed: seconds and Mbit/s, with a space or tab"),
        ("0 1\n1 2 3\n", "x:2: found '1 2 3'; allowed: seconds"),
        ("0 1\n1 fast\n", "x:2: found 'fast'; allowed: a number, 0 or 1e-15"),
        ("0 1\n1 -2\n", "x:2: found '-2'; allowed: a number"),
        ("0 1\n1 2\n1 3\n", "x:3: found a time that is not after the one before"),
        ("1 1\n0 2\n", "x:2: found a time that is not after the one before"),
    ],
)
def test_refused(text, message):
    with pytest.raises(ScenarioError) as raised:
        read_cooked(text, "x")
    assert message in raised.value.message
