"""Cells that clients share, and media that both ways share."""

import numpy as np
import pytest
import simpy

from emulator.network.capacity.profile import Profile
from emulator.network.network import Network

FAST_BPS = 1e9


def network(clients=2, rate_Bps=FAST_BPS, server_Bps=FAST_BPS, delay_s=0.0, **kwargs):
    env = simpy.Environment()
    same, delays_s = np.full(clients, rate_Bps), np.full(clients, delay_s)
    return env, Network(env, same, same, delays_s, server_Bps, server_Bps, **kwargs)


def finish_s(*events):
    return [event.value.finish_s for event in events]


@pytest.mark.parametrize("n", [1, 3, 50])
def test_equal_flows_of_a_cell_share_it_and_finish_together(n):
    env, net = network(n, cell=[0] * n, cell_up_Bps=[30.0], cell_down_Bps=[20.0])
    sent = [net.upload(client, 60) for client in range(n)]
    got = [net.download(client, 60) for client in range(n)]
    env.run()
    assert finish_s(*sent) == pytest.approx([n * 60 / 30] * n, rel=1e-12)
    assert finish_s(*got) == pytest.approx([n * 60 / 20] * n, rel=1e-12)


def test_who_is_in_no_cell_crosses_none():
    # Cell 0 lets 2 B/s through, so that the server has 4 each for the others.
    env, net = network(
        4, server_Bps=10.0, cell=[0, 0, 1, -1], cell_up_Bps=[2.0, 9.0], cell_down_Bps=[9.0, 9.0]
    )
    sent = [net.upload(client, nbytes) for client, nbytes in enumerate([3, 3, 12, 12])]
    env.run()
    assert finish_s(*sent) == [3.0, 3.0, 3.0, 3.0]


def test_a_cell_whose_rate_changes():
    rates = Profile([0.0, 1.0], [10.0, 2.0])
    env, net = network(
        cell=[0, 0], cell_up_Bps=[1.0], cell_down_Bps=[1.0], profiles={("cell", "up", 0): rates}
    )
    sent = net.upload(0, 6), net.upload(1, 7)
    env.run()
    assert finish_s(*sent) == [2.0, 2.5]


@pytest.mark.parametrize(
    "wrong",
    [
        {"cell": [0, 0]},
        {"cell": [0, 1], "cell_up_Bps": [1.0], "cell_down_Bps": [1.0]},
        {"cell": [0, -2], "cell_up_Bps": [1.0], "cell_down_Bps": [1.0]},
        {"cell": [0], "cell_up_Bps": [1.0], "cell_down_Bps": [1.0]},
        {"cell_up_Bps": [1.0]},
        {"cell": [0, 0], "cell_up_Bps": [0.0], "cell_down_Bps": [1.0]},
        {"half_duplex": [True]},
        {"cell_half_duplex": [True]},
    ],
)
def test_cells_that_do_not_fit(wrong):
    with pytest.raises(AssertionError):
        network(**wrong)


# --- half duplex


def test_both_ways_share_a_half_duplex_medium():
    env, net = network(rate_Bps=10.0, half_duplex=[True, False])
    events = net.upload(0, 20), net.download(0, 30), net.upload(1, 20), net.download(1, 30)
    env.run()
    assert finish_s(*events) == [4.0, 5.0, 2.0, 3.0]


def test_both_ways_of_a_half_duplex_cell_share_it():
    env, net = network(
        3, cell=[0] * 3, cell_up_Bps=[12.0], cell_down_Bps=[12.0], cell_half_duplex=[True]
    )
    events = net.upload(0, 12), net.download(1, 12), net.download(2, 12)
    env.run()
    assert finish_s(*events) == pytest.approx([3.0] * 3, rel=1e-12)


def test_one_way_at_a_time_each_has_its_own_rate():
    env, net = network(1, cell=[0], cell_up_Bps=[2.0], cell_down_Bps=[8.0], cell_half_duplex=[True])
    sent = net.upload(0, 8)
    env.run()
    got = net.download(0, 8)
    env.run()
    assert finish_s(sent, got) == [4.0, 5.0]


def test_the_counterexample_of_the_documentation():
    # 5 up and 20 down: airtime 5 / 5 + 15 / 20 = 1.75 where 1 would be true.
    env, net = network(1, cell=[0], cell_up_Bps=[5.0], cell_down_Bps=[20.0], cell_half_duplex=[1])
    sent, got = net.upload(0, 50), net.download(0, 150)
    env.run()
    assert finish_s(sent, got) == [10.0, 10.0]


def test_a_half_duplex_medium_changes_with_the_faster_of_its_ways():
    rates = {("client", "down", 0): Profile([0.0, 1.0], [8.0, 2.0])}
    env, net = network(1, rate_Bps=4.0, half_duplex=[True], profiles=rates)
    sent, got = net.upload(0, 4 + 3), net.download(0, 4 + 2)  # 4 each; then 2 and 2
    env.run()
    assert finish_s(got) == [2.0]
    assert finish_s(sent) == [2.25]  # alone: 4


def test_cells_are_laid_out_once_for_a_million_clients():
    clients = 1_000_000
    env, net = network(
        clients,
        server_Bps=100.0,
        cell=np.arange(clients) % 1000,
        cell_up_Bps=np.full(1000, 50.0),
        cell_down_Bps=np.full(1000, 50.0),
        half_duplex=np.ones(clients, dtype=bool),
    )
    # Two in cell 5 share its 50 B/s, one in cell 999 has its own: 25, 25 and 50.
    events = [net.upload(client, 100) for client in (5, 1005, 999_999)]
    env.run()
    assert finish_s(*events) == [4.0, 4.0, 2.0]
