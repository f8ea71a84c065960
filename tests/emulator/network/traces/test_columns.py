"""Tables whose columns are named: units, and what is refused."""

import pytest

from emulator.common.errors import ScenarioError
from emulator.network.traces.columns import read_columns

TABLE = 'id,"t, in ms",speed (kbps),tx_MBps,plain\n7,100,8,1,3\n8,"600",16,2,4\n'


def read(column, unit=None, text=TABLE, time="t, in ms", time_format="ms"):
    return read_columns(text, "x", time, {"up": column}, unit, time_format)


@pytest.mark.parametrize(
    ("column", "unit", "rates_Bps"),
    [
        ("speed (kbps)", None, [1000, 2000]),
        ("tx_MBps", None, [1e6, 2e6]),
        ("tx_MBps", "bps", [1 / 8, 2 / 8]),
        ("plain", "MB/s", [3e6, 4e6]),
    ],
)
def test_the_unit_is_the_end_of_the_name_or_given(column, unit, rates_Bps):
    found = read(column, unit)
    assert found.times_s.tolist() == [0, 0.5]
    assert found.rates_Bps["up"].tolist() == rates_Bps
    assert (found.end_s, found.lines) == (1.0, [2, 3])


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"column": "plain"}, "x:1: found column 'plain' without a unit; allowed: unit bps, kbps"),
        ({"column": "tx_Mbps"}, "x:1: found no column 'tx_Mbps'; did you mean 'tx_MBps'? allowed: "
                                "id, t, in ms, speed (kbps), tx_MBps, plain"),
        ({"column": "id", "text": "id,id\n1,2\n"}, "x:1: found no column 't, in ms'"),
        ({"column": "id", "time": "t", "text": "t,id,id\n1,2,3\n"}, "x:1: found 2 columns 'id'"),
        ({"column": "id", "text": ""}, "x: found no rows; allowed: a header with names"),
        ({"column": "id", "text": "# t\n"}, "x: found no rows"),
        ({"column": "plain", "unit": "bps", "text": TABLE + "9,5\n"}, "x:4: found 2 cells; all"),
    ],
)  # fmt: skip
def test_refused(keys, message):
    with pytest.raises(ScenarioError) as raised:
        read(**keys)
    assert message in raised.value.message
