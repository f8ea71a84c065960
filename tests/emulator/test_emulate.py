"""What a scenario says of links reaches the network."""

import numpy as np
import pytest

from emulator import emulate as module
from emulator import fleet
from emulator.emulate import emulate
from emulator.records import Round
from emulator.scenario import Scenario
from emulator.seam import StubTrainer

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
    rows = emulate(scenario(clients={**LINK, "cells": cells}), 0, trainer)
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
    emulate(small, 3, StubTrainer(down_bytes=1, up_bytes=1))
    built = fleet.build(small.network, None, 10, 3)
    names = {"up_Bps", "down_Bps", "delay_s", "loss", "half_duplex"}
    names |= {"cell", "cell_up_Bps", "cell_down_Bps", "cell_half_duplex"}
    for name in names:
        np.testing.assert_array_equal(given[name], getattr(built, name))
