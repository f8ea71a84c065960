"""Sweeps of `vary`: values, labels, units, ranges, and their mistakes."""

import itertools
import math

import pytest

from emulator.common.errors import FieldError
from emulator.scenario import sweeps

UP = "network.clients.up"


def values(axis, path=UP):
    return [(each.label, each.quantity.value) for each in sweeps.sweeps({path: axis})[path]]


def test_a_list_keeps_its_numbers_and_names_its_variants():
    assert values(["20 Mbps", "1.25MB/s", "500 kbit/s"]) == [
        ("up 20 Mbps", 20e6), ("up 1.25 MB/s", 10e6), ("up 500 kbit/s", 5e5)
    ]  # fmt: skip
    vary = {UP: ["20 Mbps", "5 Mbps"], "far": {"yes": {"network.clients.rtt": "1 s"}}}
    assert sweeps.labelled(vary) == {
        UP: {"up 20 Mbps": {UP: "20 Mbps"}, "up 5 Mbps": {UP: "5 Mbps"}}, "far": vary["far"]
    }  # fmt: skip


@pytest.mark.parametrize(
    ("axis", "unit", "numbers"),
    [
        (["1/4", "20 %", 1], "1", [0.25, 0.2, 1]),
        ([0, "40 ms", "2 s"], "s", [0, 0.04, 2]),
        (["4 kB", "1 MiB"], "B", [4000, 2**20]),
        (["20 GFLOP/s", "1 TFLOP/s"], "FLOP/s", [2e10, 1e12]),
        ([4, 16], "1", [4, 16]),
    ],
)
def test_units(axis, unit, numbers):
    found = sweeps.sweeps({"a.b": axis})["a.b"]
    assert {each.quantity.unit for each in found} == {unit}
    assert [each.quantity.value for each in found] == numbers


def test_a_range_has_its_ends_and_steps_that_are_what_their_labels_say():
    found = values({"from": "20 Mbps", "to": "0.5 Mbps", "points": 7, "scale": "log"})
    assert (found[0], found[-1]) == (("up 20 Mbps", 20e6), ("up 0.5 Mbps", 5e5))
    ratios = [math.log(b / a) for (_, a), (_, b) in itertools.pairwise(found)]
    assert ratios == pytest.approx([math.log(1 / 40) / 6] * 6, rel=1e-3)
    for label, value in found:
        assert sweeps.quantity(label.removeprefix("up ")).value == value
    assert values({"from": 5, "to": 20, "points": 4}, "training.cohort") == [
        ("cohort 5", 5), ("cohort 10", 10), ("cohort 15", 15), ("cohort 20", 20)
    ]  # fmt: skip
    written = sweeps.sweeps({"a.b": {"from": 0, "to": "400 ms", "points": 3}})["a.b"]
    assert [each.quantity.value for each in written] == [0, 0.2, 0.4]


def test_equal_last_keys_are_told_apart():
    found = sweeps.sweeps({UP: ["5 Mbps"], "network.server.up": ["1 Gbps"], "a.rtt": ["1 s"]})
    labels = [each.label for axis in found.values() for each in axis]
    assert labels == ["clients.up 5 Mbps", "server.up 1 Gbps", "a.rtt 1 s"]


def test_points_named_like_a_range_are_labels():
    axis = {"from": {UP: "1 Mbps"}, "to": {UP: "2 Mbps"}}
    assert not sweeps.is_sweep(axis)
    assert sweeps.labelled({"trip": axis}) == {"trip": axis}


@pytest.mark.parametrize(
    ("axis", "path", "said"),
    [
        ([], (UP,), "empty list"),
        (["20 Mpbs"], (UP,), "found '20 Mpbs'; allowed: numbers with their units"),
        ([True], (UP,), "found true"),
        ([{"a": 1}], (UP,), "allowed: numbers with their units"),
        (["20 Mbps", "20 ms"], (UP,), "found 20 Mbps and 20 ms; allowed: values of one unit"),
        (["20 Mbps", "20000 kbps"], (UP,), "found 20000 kbps twice"),
        ({"from": "1 Mbps", "to": "2 Mbps"}, (UP, "points"), "missing key"),
        ({"from": "1 Mbps", "to": "2 Mbps", "point": 3}, (UP, "point"), "did you mean 'points'"),
        ({"from": "1 Mbps", "to": "2 Mbps", "points": 1}, (UP, "points"), "from 2 to 1,000"),
        ({"from": "1 Mbps", "to": "2 Mbps", "points": 10**9}, (UP, "points"), "from 2 to 1,000"),
        ({"from": 0, "to": "1 s", "points": 3, "scale": "log"}, (UP,), "values above 0"),
        ({"from": 1, "to": 2, "points": 3, "scale": "logs"}, (UP, "scale"), "did you mean 'log'"),
    ],
)
def test_mistakes_name_their_key(axis, path, said):
    with pytest.raises(FieldError) as caught:
        sweeps.sweeps({UP: axis})
    assert caught.value.path == path
    assert said in str(caught.value)


def test_a_list_needs_the_path_of_a_setting():
    with pytest.raises(FieldError, match=r"like network.clients.up: \[1 Mbps, 4 Mbps\], or labels"):
        sweeps.sweeps({"upload": ["1 Mbps", "4 Mbps"]})
