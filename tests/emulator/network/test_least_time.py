"""Least times of single messages are the times of the network, alone on a path."""

import numpy as np
import pytest
import simpy
from hypothesis import given, settings, strategies as st

from emulator.network.least_time import latency_s, sent_bytes, slow_start_s
from emulator.network.network import Network
from emulator.network.tcp import Tcp

TRANSPORTS = [
    None, Tcp(), Tcp(handshake=False), Tcp(headers=False), Tcp(slow_start=False),
    Tcp(token_bucket=False),
]  # fmt: skip


@settings(deadline=None)
@given(
    tcp=st.sampled_from(TRANSPORTS),
    direction=st.sampled_from(["down", "up"]),
    nbytes=st.integers(1, 10**7),
    rtt_s=st.floats(0, 2),
    rate_Bps=st.floats(1e3, 1e9),
)
def test_alone_it_is_exact(tcp, direction, nbytes, rtt_s, rate_Bps):
    env = simpy.Environment()
    network = Network(env, [rate_Bps], [rate_Bps], [rtt_s / 2], 1e12, 1e12, tcp)
    arrival = (network.download if direction == "down" else network.upload)(0, nbytes)
    took_s = env.run(arrival).finish_s
    rtts, rates = np.array([rtt_s]), np.array([rate_Bps])
    least_s = (
        latency_s(tcp, direction, nbytes, rtts, rates)
        + slow_start_s(tcp, nbytes, rtts, rates)
        + sent_bytes(tcp, nbytes) / rates
    )
    assert took_s == pytest.approx(least_s.item(), rel=1e-9)


def test_a_path_that_may_be_down_saves_all_of_its_latency():
    found = latency_s(Tcp(), "down", 10_000, np.array([0.1]), np.array([0.0]))
    assert found.tolist() == [0.0]
