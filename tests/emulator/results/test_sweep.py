"""Leaders along a sweep, where they change, and maps of two settings, against hand calculation."""

import dataclasses
import math

import pytest

from emulator.results.metadata import RunMetadata, Setting, swept_columns
from emulator.results.metrics import Outcome
from emulator.results.sweep import Cell, Crossing, Segment, crossings, maps, segments, sweeps, times


def up(mbps):
    return Setting("network.clients.up", mbps * 1e6, "bit/s", f"up {mbps} Mbps")


def rtt(ms):
    return Setting("network.clients.rtt", ms / 1e3, "s", f"rtt {ms} ms")


def outcome(method, variant, seconds, seed=0, draw=None):
    known = {"target": 0.5, "time_to_target_s": seconds, "network_seed": draw, "bottleneck": ""}
    blank = dict.fromkeys(
        (f.name for f in dataclasses.fields(Outcome) if f.default is dataclasses.MISSING), 0
    )
    return Outcome(**blank | known | {"method": method, "variant": variant, "seed": seed})


def study(seconds, rest=""):
    """{method: seconds at 1, 2, 4 and 8 Mbps}: what `sweeps` and `times` take."""
    swept = {f"up {mbps} Mbps{rest}": (up(mbps),) for mbps in (8, 1, 4, 2)}
    places = [f"up {mbps} Mbps{rest}" for mbps in (1, 2, 4, 8)]
    found = [
        outcome(method, variant, s)
        for method, row in seconds.items()
        for variant, s in zip(places, row, strict=True)
    ]
    return swept, found


def test_a_sweep_is_in_the_order_of_its_values():
    swept, _ = study({})
    (sweep,) = sweeps(swept, swept)
    assert sweep.values == (1e6, 2e6, 4e6, 8e6)
    assert sweep.variants == ("up 1 Mbps", "up 2 Mbps", "up 4 Mbps", "up 8 Mbps")
    assert (sweep.path, sweep.unit, sweep.rest) == ("network.clients.up", "bit/s", "")
    two = swept | study({}, ", far")[0]
    assert [each.rest for each in sweeps(two, two)] == ["", "far"]
    assert sweeps({}, ["as given"]) == []


def test_the_lead_passes_where_the_times_are_equal():
    swept, found = study({"A": (10, 10, 10, 10), "B": (40, 20, 5, 2.5)})
    (sweep,), of = sweeps(swept, swept), times(found)
    assert segments(sweep, of) == [Segment("A", 0, 1), Segment("B", 2, 3)]
    (crossing,) = crossings(sweep, of)
    assert crossing[:4] == ("A", "B", 2e6, 4e6)
    # B is 2 times slower at 2 Mbps and 2 times faster at 4 Mbps: equal at the geometric mean.
    assert crossing.at == pytest.approx(math.sqrt(2e6 * 4e6))


def test_never_leads_nowhere_and_has_no_exact_crossing():
    swept, found = study({"A": (None, 3, 3, 3), "B": (None, None, 2, 2)})
    (sweep,), of = sweeps(swept, swept), times(found)
    assert [each.leader for each in segments(sweep, of)] == [None, "A", "B"]
    assert crossings(sweep, of) == [
        Crossing(None, "A", 1e6, 2e6, None), Crossing("A", "B", 2e6, 4e6, None)
    ]  # fmt: skip


def test_a_map_says_who_is_first_by_how_much_and_how_surely():
    swept = {f"up {x} Mbps, rtt {y} ms": (up(x), rtt(y)) for x in (1, 2) for y in (5, 50)}
    rows = []
    for draw in range(4):
        rows += [
            outcome("A", "up 1 Mbps, rtt 5 ms", 10, draw=draw),
            outcome("B", "up 1 Mbps, rtt 5 ms", 9 if draw == 3 else 15, draw=draw),
            outcome("A", "up 1 Mbps, rtt 50 ms", None, draw=draw),
            outcome("B", "up 1 Mbps, rtt 50 ms", None, draw=draw),
            outcome("A", "up 2 Mbps, rtt 5 ms", None, draw=draw),
            outcome("B", "up 2 Mbps, rtt 5 ms", 2, draw=draw),
            outcome("A", "up 2 Mbps, rtt 50 ms", 8, draw=draw),
            outcome("B", "up 2 Mbps, rtt 50 ms", 2, draw=draw),
        ]
    (found,) = maps(swept, rows)
    assert (found.columns, found.rows) == ((1e6, 2e6), (0.005, 0.05))
    assert found.cells == (
        Cell(1e6, 0.005, "up 1 Mbps, rtt 5 ms", "A", 10, 1.5, 3, 4),
        Cell(1e6, 0.05, "up 1 Mbps, rtt 50 ms", None, None, None, 0, 0),
        Cell(2e6, 0.005, "up 2 Mbps, rtt 5 ms", "B", 2, None, 4, 4),
        Cell(2e6, 0.05, "up 2 Mbps, rtt 50 ms", "B", 2, 4, 4, 4),
    )
    assert maps(study({})[0], rows) == []


def test_settings_survive_the_meta_of_a_ledger_and_name_their_columns():
    meta = RunMetadata(swept={"up 1 Mbps, rtt 5 ms": (up(1), rtt(5))})
    again = RunMetadata.from_meta(meta.to_meta())
    assert again.swept == meta.swept
    assert swept_columns(again.swept) == {
        "up 1 Mbps, rtt 5 ms": {"network.clients.up_bps": 1e6, "network.clients.rtt_s": 0.005}
    }
    assert "swept" not in RunMetadata().to_meta()  # ledgers without sweeps are as before
