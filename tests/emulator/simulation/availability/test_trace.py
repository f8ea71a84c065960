"""Behaviour traces: samples made here, and what is wrong with others."""

import json
import pickle
from pathlib import Path

import pytest

from emulator.common.errors import ScenarioError
from emulator.simulation.availability.trace import (
    AvailabilityTrace,
    merged,
    read_fedscale,
    read_flash,
)

DATA = Path(__file__).parents[3] / "data"


def test_the_fedscale_sample():
    assert list(read_fedscale(DATA / "fedscale_behaviour_sample.json")) == [
        AvailabilityTrace("1", ((0.0, 40.0), (60.0, 70.0)), 100.0),
        AvailabilityTrace("2", ((10.0, 30.0), (90.0, 100.0)), 100.0),
        AvailabilityTrace("3", (), 100.0),
    ]


def test_the_flash_sample_is_ready_when_locked_on_wifi_and_charging():
    hour = 3600.0
    assert list(read_flash(DATA / "flash_behaviour_sample.json")) == [
        AvailabilityTrace("a", ((hour / 3, 6 * hour), (21 * hour, 24 * hour)), 24 * hour),
        AvailabilityTrace("b", (), hour),
    ]


def test_windows_are_cut_sorted_and_merged():
    windows = [(5, 7), (-2, 1), (6, 8), (8, 9), (3, 3), (4, 2), (9.5, 20)]
    assert merged(windows, 10.0) == ((0.0, 1), (5, 9), (9.5, 10.0))


@pytest.mark.parametrize(
    ("read", "table", "message"),
    [
        (read_fedscale, [], "found []; allowed: devices by name"),
        (read_fedscale, {}, "allowed: devices by name"),
        (read_fedscale, {"1": {"active": [1]}}, "allowed: a mapping with active"),
        (read_fedscale, {"1": {"active": [1], "inactive": [], "finish_time": 9}}, "as many active"),
        (read_fedscale, {"1": {"active": [1], "inactive": ["x"], "finish_time": 9}}, "numbers"),
        (read_fedscale, {"1": {"active": [], "inactive": [], "finish_time": 0}}, "above 0"),
        (read_flash, {"a": {}}, "a: found {}; allowed: a mapping with messages"),
        (read_flash, {"a": {"messages": "yesterday\twifi"}}, "allowed: a time (2020-01-02"),
        (read_flash, {"a": {"messages": "2020-01-02 00:00:00\twifi"}}, "found 1 states"),
    ],
)
def test_what_is_no_trace(tmp_path, read, table, message):
    path = tmp_path / "trace.json"
    path.write_text(json.dumps(table))
    with pytest.raises(ScenarioError) as raised:
        list(read(path))
    assert message in raised.value.message


def test_a_pickle_is_not_opened(tmp_path):
    path = tmp_path / "client_behave_trace"
    path.write_bytes(pickle.dumps({"1": {"active": [0]}}))
    with pytest.raises(ScenarioError) as raised:
        list(read_fedscale(path))
    assert "json.dumps(pickle.load" in raised.value.hint
