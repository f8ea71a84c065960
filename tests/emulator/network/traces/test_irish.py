"""Logs of the Irish 4G and 5G data sets."""

import pytest

from emulator.common.errors import ScenarioError
from emulator.network.traces.irish import read_irish

HEADER = "Timestamp,State,DL_bitrate,UL_bitrate\n"


def test_rows_of_one_second_share_the_time_until_the_next():
    rows = "".join(
        f"2020.02.14_23.59.{second},D,{rate},8\n"
        for second, rate in [(55, 8), (56, 16), (56, 24), (56, 32), (59, 40)]
    )
    found = read_irish(HEADER + rows + "2020.02.15_00.00.01,I,0,0\n", "x")
    assert found.times_s.tolist() == [0, 1, 2, 3, 4, 6]
    assert found.rates_Bps["down"].tolist() == [1000, 2000, 3000, 4000, 5000, 0]
    assert found.end_s == 8


def test_uploads_are_told_to_be_no_capacity():
    found = read_irish(HEADER + "2020.02.14_23.59.55,D,8,8\n", "x")
    assert found.told("down") == []
    assert found.told("up") == [
        "x: UL_bitrate is what the phone sent while it downloaded, and not what the link could "
        "carry: uploads over it take too long"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Timestamp,DL_bitrate\n", "x:1: found no column 'UL_bitrate'; did you mean 'DL_bitrate'?"),
        ("Timestamp,dl_bitrate,UL_bitrate\n1,1,1\n", "found time '1'; allowed: time_format"),
        ("timestamp,DL_bitrate,UL_bitrate\n",
         "x:1: found no column 'Timestamp'; did you mean 'timestamp'? allowed: timestamp, DL_b"),
        (HEADER + "2020.02.14_23.59.55,D,-,8\n", "x:2: found '-'; allowed: a number"),
        (HEADER + "2020-02-14,D,1,8\n", "x:2: found time '2020-02-14'; allowed: time_format '%Y"),
        (HEADER + "2020.02.14_23.59.55,D,1,8\n2020.02.14_23.59.54,D,1,8\n",
         "x:3: found a time that is not after the one before"),
        (HEADER + "2020.02.14_23.59.55,D,1,8\n" * 2, "x:3: found a time that is not after"),
        (HEADER, "x: found 0 rows"),
    ],
)  # fmt: skip
def test_refused(text, message):
    with pytest.raises(ScenarioError) as raised:
        read_irish(text, "x")
    assert message in raised.value.message
