"""What a scenario says of links reaches the network."""

import numpy as np
import pytest

from emulator.scenario.scenario import Scenario
from emulator.simulation import simulate as module
from emulator.simulation.clients import fleet
from emulator.simulation.records import Client, Holding, PathRate, Round, SharedLink, Transfer
from emulator.simulation.simulate import simulate
from emulator.simulation.trainer import StubTrainer
from flasc.common.messages import TrainingMetadata

from .small_scenario import of, scenario as closed_form

SERVER = {"down": "1 Gbps", "up": "1 Gbps"}
LINK = {"down": "8 Mbps", "up": "0.8 Mbps", "rtt": "100 ms"}


def scenario(**network):
    return Scenario.model_validate(
        {
            "name": "small",
            "task": {"name": "20newsgroups", "clients": 10},
            "training": {"rounds": 2, "cohort": 10},
            "methods": {"LoRA": {"kind": "lora"}},
            "network": {"server": SERVER, "transport": "fluid", **network},
        }
    )


def test_a_cell_is_shared_by_its_clients():
    cells = {"clients": 5, "down": "8 Mbps", "up": "2 Mbps"}
    trainer = StubTrainer(down_bytes=100_000, up_bytes=20_000)
    rows = simulate(scenario(clients={**LINK, "cells": cells}), 0, trainer)
    # Half an RTT each way; five clients share 1 MB/s, then 0.25 MB/s.
    one = 0.05 + 5 * 100_000 / 1e6 + 0.05 + 5 * 20_000 / 2.5e5
    rounds = [row for row in rows if isinstance(row, Round)]
    assert [r.finish_s for r in rounds] == pytest.approx([one, 2 * one], rel=1e-12)


def test_the_network_gets_the_whole_fleet(monkeypatch):
    given = {}

    class Spy(module.Network):
        def __init__(self, *args, **keys):
            given.update(keys)
            super().__init__(*args, **keys)

    monkeypatch.setattr(module, "Network", Spy)
    groups = {
        "a": {"share": 1, **LINK, "half_duplex": True},
        "b": {"share": 1, **LINK, "cells": {"clients": 2, **SERVER, "half_duplex": True}},
    }
    small = scenario(groups=groups)
    simulate(small, 3, StubTrainer(down_bytes=1, up_bytes=1))
    built = fleet.draw_fleet(small.network, None, 10, 3)
    names = {"up_Bps", "down_Bps", "delay_s", "loss", "half_duplex"}
    names |= {"server_down_Bps", "server_up_Bps"}
    names |= {"cell", "cell_up_Bps", "cell_down_Bps", "cell_half_duplex"}
    for name in names:
        np.testing.assert_array_equal(given[name], getattr(built, name))


def test_the_rows_of_the_fleet_are_its_clients_and_what_they_hold():
    groups = {
        "a": {"share": 1, **LINK},
        "b": {"share": 1, **LINK, "cells": {"clients": 2, **SERVER}},
    }
    built = fleet.draw_fleet(scenario(groups=groups).network, None, 10, 3)
    labels = [[i % 2, 0, i] for i in range(10)]
    rows = module.fleet_table(built, TrainingMetadata(list(map(sum, labels)), None, labels))
    assert of(SharedLink, rows) == [
        SharedLink("server", 0, built.server_down_Bps, built.server_up_Bps),
        *(SharedLink("cell", i, 1.25e8, 1.25e8) for i in range(len(built.cell_up_Bps))),
    ]
    assert [row[:2] for row in of(Client, rows)] == [
        (i, built.groups[built.group[i]]) for i in range(10)
    ]
    for name in ("down_Bps", "up_Bps", "delay_s", "loss", "seconds_per_example", "cell"):
        assert [getattr(row, name) for row in of(Client, rows)] == getattr(built, name).tolist()
    assert [row.examples for row in of(Client, rows)] == list(map(sum, labels))
    assert of(Holding, rows) == [
        Holding(i, label, held)
        for i, counts in enumerate(labels)
        for label, held in enumerate(counts)
        if held
    ]
    unknown = module.fleet_table(built, TrainingMetadata())
    assert {row.examples for row in of(Client, unknown)} == {-1}
    assert not of(Holding, unknown)


def test_a_rate_that_changes_inside_a_transfer(tmp_path):
    path = tmp_path / "fading.csv"
    path.write_text("time_s,down_kBps,up_kBps\n0,50,10\n1,0,0\n3,100,25\n10,100,25\n")
    trace = {"kind": "trace", "file": str(path), "offset": "none", "loop": False}
    one = scenario(clients={"down": trace, "up": trace, "rtt": 0})
    rows = simulate(one, 0, StubTrainer(down_bytes=70_000, up_bytes=25_000))
    # 50 kB until 1 s, nothing until 3 s, 20 kB in 0.2 s; then a second for 25 kB.
    finishes = [row.finish_s for row in rows if isinstance(row, Round)]
    assert finishes == pytest.approx([4.2, 4.2 + 0.7 + 1.0], rel=1e-12)


@pytest.mark.parametrize("transport", ["fluid", "tcp"])
def test_a_shape_that_is_flat_is_a_constant_rate(transport):
    flat = {"kind": "diurnal", "mean": "8 Mbps", "depth": 0}
    cells = {"clients": 5, "down": "6 Mbps", "up": "2 Mbps"}
    link = {"rtt": "90 ms", "half_duplex": True, "cells": cells}
    trainer = StubTrainer(down_bytes=100_000, up_bytes=20_000)
    changing, constant = (
        simulate(scenario(clients={"down": d, "up": u, **link}, transport=transport), 0, trainer)
        for d, u in ((flat, {"ratio": 0.25}), ("8 Mbps", "2 Mbps"))
    )
    rates = of(PathRate, changing)
    assert rates == changing[-len(of(Transfer, changing)) :]
    assert {rate.cell_Bps for rate in rates} == {750_000.0, 250_000.0}
    for one, other in zip(changing[: -len(rates)], constant, strict=True):
        assert getattr(one, "finish_s", 0) == pytest.approx(
            getattr(other, "finish_s", 0), rel=1e-12
        )


def test_an_emulation_of_rates_that_change_repeats_itself():
    state = {"rate": "8 Mbps", "dwell": "100 ms"}
    markov = {"kind": "markov", "states": [state, {**state, "rate": 0}]}
    found = scenario(clients={"down": markov, "up": markov}, server={**SERVER, "down": markov})
    one, again = (
        simulate(found, 5, StubTrainer(down_bytes=90_000, up_bytes=30_000)) for _ in range(2)
    )
    assert one == again
    assert one != simulate(found, 6, StubTrainer(down_bytes=90_000, up_bytes=30_000))


def test_charging_values_alone_is_cheaper():
    class Padded(StubTrainer):
        def download(self, client):
            message = super().download(client)
            return type(message)(client, message.nbytes + 50, message.nbytes)

    rows = simulate(closed_form(), 0, Padded(down_bytes=100, up_bytes=100))
    assert {t.nbytes for t in of(Transfer, rows) if t.direction == "down"} == {150}
    rows = simulate(
        closed_form(network={"charge": "values"}), 0, Padded(down_bytes=100, up_bytes=100)
    )
    assert {t.nbytes for t in of(Transfer, rows) if t.direction == "down"} == {100}
