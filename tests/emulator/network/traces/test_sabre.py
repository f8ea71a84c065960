"""Traces of SABRE: periods in JSON, and the latency that is left out."""

import json

import pytest

from emulator.common.errors import ScenarioError
from emulator.network.traces.sabre import read_sabre


def periods(*rows):
    keys = ("duration_ms", "bandwidth_kbps", "latency_ms")
    return json.dumps([dict(zip(keys, row, strict=False)) for row in rows])


def test_periods_follow_each_other():
    found = read_sabre(periods((500, 8, 1), (0, 99, 1), (1500, 16, 1)), "x")
    assert found.times_s.tolist() == [0.0, 0.5]
    assert found.rates_Bps["up"].tolist() == [1000.0, 2000.0]
    assert (found.end_s, found.lines) == (2.0, [1, 3])


def test_the_latency_is_told_to_be_left_out():
    text = periods((500, 8, 40), (500, 8, 80), (500, 8, 999))
    (remark,) = read_sabre(text, "x").told("down")
    assert remark == (
        "x: its latency_ms (median: 80 ms) is left out, as an RTT does not change in time here; "
        "give a constant rtt"
    )
    for rows in ([(500, 8, 0)], [(500, 8)]):
        assert read_sabre(periods(*rows), "x").told("down") == []


def test_a_gap_is_told_by_its_period():
    (remark,) = read_sabre(periods(*[(100, 8)] * 5, (5000, 1), (100, 8)), "x").told("up")
    assert remark == "x: period 6: the rates of this row hold for 5.0 s (median step: 100 ms)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x:1: found no JSON"),
        ('[\n{"duration_ms": 1,}]', "x:2: found no JSON"),
        ("{}", "x: found {}; allowed: a list of objects with duration_ms"),
        ("[]", "x: found []; allowed: a list"),
        ("[[1, 2]]", "x: period 1: found [1, 2]; allowed: a list"),
        (periods((1, 2), (1,)), 'x: period 2: found {"duration_ms": 1}; allowed'),
        (periods((-1, 2)), "x: period 1: duration_ms: found -1; allowed: a number, 0 or"),
        (periods((1, "2")), "x: period 1: bandwidth_kbps: found '2'"),
        (periods((1, True)), "x: period 1: bandwidth_kbps: found true"),
        (periods((1, 2, None)), "x: period 1: latency_ms: found null"),
        (periods((0, 2)), "x: found no period above 0 ms"),
        ("[" * 100_000, "x: cannot be read"),
        ("[" + "1" * 5000 + "]", "x: "),
    ],
)
def test_refused(text, message):
    with pytest.raises(ScenarioError) as raised:
        read_sabre(text, "x")
    assert message in raised.value.message
