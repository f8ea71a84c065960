"""Why a round took so long: stories of which the answer is known, told and emulated."""

from pathlib import Path

import pytest
from hypothesis import given

from emulator.results import arrays
from emulator.results.bottlenecks import (
    RoundBottleneck,
    bottleneck_shares,
    mean_staleness,
    round_bottlenecks,
    wasted_bytes,
    wasted_compute,
)
from emulator.results.participation import by_group, participation
from emulator.results.time_spent import time_spent
from emulator.scenario.scenario import Scenario
from emulator.simulation.records import Client, Computation, PathRate, Round, SharedLink, Transfer
from emulator.simulation.simulate import simulate
from emulator.simulation.trainer import StubTrainer

from ..simulation.some_rows import histories
from . import row_by_row

WIDE = {"down": "1 Gbps", "up": "1 Gbps"}


def played(clients=None, policy="synchronous", server=WIDE, groups=None, cohort=10, **keys):
    network = {"server": server, "transport": "fluid"}
    network |= {"groups": groups} if groups else {"clients": clients}
    scenario = Scenario.model_validate(
        {
            "name": "why",
            "task": {"name": "20newsgroups", "clients": 20},
            "training": {"rounds": 5, "cohort": cohort},
            "methods": {"LoRA": {"kind": "lora"}},
            "network": network,
            "policy": policy,
            **keys,
        }
    )
    return simulate(scenario, 0, StubTrainer(down_bytes=100_000, up_bytes=20_000, flop=1e9))


def seconds(rows, found=round_bottlenecks):
    """The seconds of each bottleneck by round and straggler, whatever their order."""
    return {(c.round, c.straggler, c.bottleneck, c.group): c.duration_s for c in found(rows)}


def by_definition(rows):
    return seconds(rows, row_by_row.round_bottlenecks)


SLOW_UP = {"down": "8 Mbps", "up": "0.1 Mbps"}
FAST = {"down": "80 Mbps", "up": "80 Mbps"}
CELLS = {"clients": 10, "down": "80 Mbps", "up": "0.8 Mbps"}
AWAY = {"kind": "diurnal", "start": "1 h", "length": "1 h"}
STORIES = {
    "client up": {"clients": SLOW_UP},
    "client down": {"clients": {"down": "0.1 Mbps", "up": "8 Mbps"}},
    "server": {"clients": FAST, "server": {"down": "1 Gbps", "up": "2 Mbps"}},
    "cell": {"clients": {**FAST, "cells": CELLS}},
    "compute": {"clients": FAST, "compute": {"per_example": "100 ms"}},
    "latency": {"clients": {**FAST, "rtt": "5 s"}},
    "absence": {"clients": {**FAST, "availability": AWAY}},
    "deadline": {
        "clients": {**SLOW_UP, "up": {"kind": "choice", "values": ["8 Mbps", "0.1 Mbps"]}},
        "policy": {"kind": "deadline", "deadline": "1 s"},
    },
}


@pytest.mark.parametrize("name", STORIES)
def test_what_held_a_round_up(name):
    rows = played(**STORIES[name])
    found = round_bottlenecks(rows)
    assert list(dict.fromkeys(cause.round for cause in found)) == [1, 2, 3, 4, 5]
    assert found[0].bottleneck == name
    rounds = [row for row in rows if isinstance(row, Round)]
    for ended in rounds:
        parts = [cause.duration_s for cause in found if cause.round == ended.round]
        assert sum(parts) == pytest.approx(ended.finish_s - ended.start_s)
        assert parts == sorted(parts, reverse=True)
    assert next(iter(bottleneck_shares(found))) == name
    assert sum(bottleneck_shares(found).values()) == pytest.approx(1)
    assert all((cause.straggler == -1) == (cause.bottleneck == "deadline") for cause in found)


@pytest.mark.parametrize("name", STORIES)
def test_a_simulation_has_the_bottlenecks_of_the_definition(name):
    rows = played(**STORIES[name])
    assert seconds(rows) == pytest.approx(by_definition(rows))


def test_a_long_transfer_counts_beside_short_ones_that_are_over():
    rows = [
        Transfer(1, 0, "up", 1600, 0.0, 100.0, "late"),
        Transfer(1, 1, "up", 1, 1.0, 2.0, "late"),
        Transfer(1, 2, "up", 10, 50.0, 60.0),
        Round(1, 3, 50.0, 60.0, 1),
        *(Client(i, "a", 8.0, 8.0, 0.0, 0.0, 0.0, -1, 1) for i in range(3)),
        SharedLink("server", 0, 16.0, 16.0),
    ]
    assert round_bottlenecks(rows) == [RoundBottleneck(1, 2, "server", 10.0, "a")]
    alone = round_bottlenecks(rows[1:])
    assert [(c.bottleneck, c.duration_s) for c in alone] == [("latency", 8.75), ("client up", 1.25)]


@given(histories())
def test_any_rows_have_the_bottlenecks_of_the_definition(rows):
    assert seconds(rows) == pytest.approx(by_definition(rows))
    assert mean_staleness(rows) == row_by_row.mean_staleness(rows)
    assert wasted_compute(rows) == row_by_row.wasted_compute(rows)
    for way in ("down", "up"):
        assert wasted_bytes(rows, way) == row_by_row.wasted_bytes(rows, way)


@given(histories())
def test_bottlenecks_found_in_small_blocks_are_the_same(rows):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrays, "PAIRS_AT_ONCE", 3)
        assert seconds(rows) == pytest.approx(by_definition(rows))
        assert time_spent(rows) == row_by_row.time_spent(rows)


@pytest.fixture
def falling(tmp_path):
    """A trace that is fast for ten seconds and then slow for very long."""
    path = tmp_path / "falling.csv"
    path.write_text("time_s,rate_Mbps\n0,800\n10,0.05\n100,0\n110,0.05\n100000,800\n200000,800\n")
    return {"kind": "trace", "file": str(path), "offset": "30 s"}


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("client up", lambda trace: {"clients": {**FAST, "up": trace}}),
        ("client down", lambda trace: {"clients": {**FAST, "down": trace}}),
        ("cell", lambda trace: {"clients": {**FAST, "cells": CELLS | {"up": trace}}}),
        ("server", lambda trace: {"clients": FAST, "server": WIDE | {"down": trace}}),
    ],
)
def test_a_link_in_a_slow_part_of_its_trace_held_a_round_up(falling, name, keys):
    """Its mean rate is far above what it had during the transfer."""
    shares = bottleneck_shares(round_bottlenecks(played(**keys(falling))))
    assert shares[name] > 0.9


def test_rates_are_kept_per_transfer_only_where_they_change(falling):
    assert not [row for row in played(clients=FAST) if isinstance(row, PathRate)]
    rows = played(clients={**FAST, "up": falling, "cells": CELLS})
    rates = {(r.client, r.direction, r.start_s): r for r in rows if isinstance(r, PathRate)}
    moved = [row for row in rows if isinstance(row, Transfer)]
    assert len(rates) == len(moved)
    for row in moved:
        rate = rates[row.client, row.direction, row.start_s]
        if row.direction == "up":
            assert rate.client_Bps * (row.finish_s - row.start_s) >= row.nbytes * (1 - 1e-9)
        else:
            assert rate[4:] == (1e7, 1e7, 1.25e8)


def test_a_link_that_is_down_is_the_bottleneck():
    fleet = Client(0, "a", 100.0, 100.0, 0.0, 0.0, 0.0, -1, 1)
    rows = [
        Transfer(1, 0, "up", 0, 0.0, 5.0), Round(1, 1, 0.0, 5.0, 1), fleet,
        SharedLink("server", 0, 1e9, 1e9),
    ]  # fmt: skip
    assert round_bottlenecks(rows)[0].bottleneck == "latency"
    down = PathRate(1, 0, "up", 0.0, 0.0, -1.0, 1e9)
    assert round_bottlenecks([*rows, down])[0].bottleneck == "client up"


def test_a_round_that_ends_as_its_last_client_leaves_waited_for_absence():
    """There for 1 s of every 3; an upload takes longer."""
    day = {"kind": "diurnal", "start": "0 s", "length": "1 s", "period": "3 s", "on_return": "lost"}
    found = round_bottlenecks(played(clients={**SLOW_UP, "availability": day}))
    assert {(cause.bottleneck, cause.straggler) for cause in found} == {("absence", -1)}


def test_the_straggler_is_the_last_to_arrive():
    groups = {"fast": {"share": 3, **FAST}, "slow": {"share": 1, **SLOW_UP}}
    rows = played(groups=groups, cohort=20)
    slow = {row.client for row in rows if isinstance(row, Client) and row.group == "slow"}
    assert {cause.straggler for cause in round_bottlenecks(rows)} <= slow


def test_rows_without_a_fleet_name_no_cause():
    assert round_bottlenecks([Round(1, 2, 0.0, 1.0)]) == []


STORY = [
    Transfer(1, 0, "down", 100, 0.0, 1.0),
    Transfer(1, 1, "down", 60, 0.0, 1.0, "cut"),
    Computation(1, 0, 4, 1, 1.0, 3.0),
    Transfer(1, 2, "down", 100, 0.0, 1.0, "late"),
    Computation(1, 2, 4, 1, 1.0, 3.5, "late"),
    Transfer(1, 0, "up", 10, 3.0, 4.0),
    Transfer(1, 2, "up", 5, 3.5, 4.0, "late"),
    Round(1, 3, 0.0, 4.0, 1),
    Transfer(2, 3, "down", 100, 4.0, 5.0, "used", 2),
    Transfer(2, 3, "up", 10, 5.0, 6.0, "used", 2),
    Round(2, 3, 4.0, 6.0, 1),
    SharedLink("server", 0, 1e9, 1e9),
    *(Client(i, "a" if i < 2 else "b", 100.0, 10.0, 0.0, 0.0, 0.0, -1, 10 * (i + 1))
      for i in range(5)),
]  # fmt: skip


def test_wasted_work_by_hand():
    assert (wasted_bytes(STORY, "down"), wasted_bytes(STORY, "up")) == (160, 5)
    assert wasted_compute(STORY) == 2.5
    assert mean_staleness(STORY) == 1.0
    assert participation(STORY).unheard_clients == 3 / 5
    assert participation(STORY).unheard_examples == (20 + 30 + 50) / 150


def test_causes_by_hand():
    assert round_bottlenecks(STORY) == [
        RoundBottleneck(1, 0, "compute", 2.0, "a"),
        RoundBottleneck(1, 0, "client down", 1.0, "a"),
        RoundBottleneck(1, 0, "client up", 1.0, "a"),
        RoundBottleneck(2, 3, "client down", 1.0, "b"),
        RoundBottleneck(2, 3, "client up", 1.0, "b"),
    ]


def test_groups_by_hand():
    a, b = by_group(STORY)
    assert (a.group, a.clients, a.visits, a.used) == ("a", 2, 2, 1)
    assert (a.download_s, a.compute_s, a.upload_s, a.absent_s) == (1.0, 1.0, 0.5, 0.0)
    assert (a.bytes_down, a.bytes_up, a.wasted_bytes) == (160, 10, 60)
    assert (b.clients, b.visits, b.used, b.wasted_bytes) == (3, 2, 1, 105)
    assert (a.unheard_clients, b.unheard_clients) == (1 / 2, 2 / 3)
    assert b.unheard_examples == (30 + 50) / 120


def test_who_holds_what_may_not_be_known():
    rows = played(FAST)
    assert participation(rows).unheard_examples is None
    assert 0 <= participation(rows).unheard_clients < 1


def test_time_spent_holds_where_late_updates_count():
    up = {"kind": "lognormal", "median": "0.2 Mbps", "sigma": 1}
    policy = {"kind": "deadline", "deadline": "1 s", "late": "accept"}
    spent = time_spent(played({"down": "8 Mbps", "up": up}, policy))
    assert min(spent) >= 0


def test_no_absence_where_clients_start_in_the_middle_of_a_round():
    up = {"kind": "lognormal", "median": "1 Mbps", "sigma": 1}
    policy = {"kind": "buffered", "concurrency": 8, "buffer": 8}
    shares = bottleneck_shares(round_bottlenecks(played({"down": "80 Mbps", "up": up}, policy)))
    assert shares["client up"] > 0.8
    assert "absence" not in shares


@pytest.mark.parametrize("buffer", [1, 5, 10])
def test_time_spent_holds_for_asynchronous_rounds(buffer):
    up = {"kind": "lognormal", "median": "1 Mbps", "sigma": 1}
    policy = {"kind": "buffered", "concurrency": 10, "buffer": buffer}
    rows = played({"down": "8 Mbps", "up": up}, policy, compute={"per_example": "3 ms"})
    spent = time_spent(rows)
    assert sum(spent) == pytest.approx(max(r.finish_s for r in rows if isinstance(r, Round)))
    # All ten are always at work.
    assert spent.waiting_s == pytest.approx(0, abs=1e-9)
    assert min(spent[:3]) > 0


# -- compute


def test_operations_over_speed_and_utilisation():
    rows = played(FAST, compute={"speed": "2 GFLOP/s", "utilisation": "25 %"})
    computed = [row for row in rows if isinstance(row, Computation)]
    for row in computed:
        assert row.finish_s - row.start_s == pytest.approx(32 * 1e9 / 0.5e9)


def test_a_table_of_devices_and_one_without_a_time(tmp_path):
    table = tmp_path / "devices.json"
    table.write_text('{"a": {"computation": 50, "communication": 1}, '
                     '"b": {"computation": 200, "communication": 1}}')  # fmt: skip
    fedscale, flash = {"format": "fedscale"}, {"format": "flash"}
    rows = played(FAST, compute={"per_example": fedscale | {"file": str(table)}})
    seconds = {round(row.seconds_per_example, 12) for row in rows if isinstance(row, Client)}
    assert seconds == {0.15, 0.6}
    data = Path(__file__).parents[2] / "data"
    with pytest.raises(ValueError, match="7: found no time to train"):
        played(FAST, compute={"per_example": fedscale | {"file": f"{data}/fedscale_sample.json"}})
    with pytest.raises(ValueError, match="made-up-phone-b: found no time to train"):
        played(FAST, compute={"per_example": flash | {"file": f"{data}/flash_sample.json"}})


@pytest.mark.parametrize(
    ("compute", "message"),
    [
        ({}, "found no compute time; allowed: one of per_example, speed"),
        ({"per_example": "1 ms", "speed": "1 GFLOP/s"}, "found per_example and speed"),
        ({"speed": "1 GFLOP/s"}, "found one of speed and utilisation"),
        ({"speed": "1 GHz", "utilisation": 0.5}, "allowed: a speed with its unit"),
        ({"speed": "1 GFLOP/s", "utilisation": 2}, "allowed: above 0 and at most 1"),
    ],
)
def test_what_is_no_compute(compute, message):
    with pytest.raises(ValueError, match=message):
        played(FAST, compute=compute)
