"""Least times of single messages are the times of the network, alone on a path."""

from dataclasses import replace

import numpy as np
import pytest
import simpy
from hypothesis import given, settings, strategies as st

from emulator.network.application import Application
from emulator.network.least_time import latency_s, later_turns_s, sent_bytes, slow_start_s
from emulator.network.network import Network
from emulator.network.tcp import Tcp

TRANSPORTS = [
    None, Tcp(), Tcp(handshake=False), Tcp(headers=False), Tcp(slow_start=False),
    Tcp(token_bucket=False),
]  # fmt: skip


APPLICATIONS = st.builds(
    Application,
    requests=st.integers(1, 40),
    calls=st.integers(0, 9),
    parallel=st.integers(1, 3),
    beside=st.integers(0, 7),
    processing_s=st.floats(0, 0.1),
    waiting_s=st.floats(0, 3),
    tls=st.booleans(),
    grpc=st.booleans(),
)


def simulated(tcp, direction, nbytes, rtt_s, rate_Bps, application, messages=1):
    """Seconds of the last of several messages of one client."""
    env = simpy.Environment()
    access = [rate_Bps], [rate_Bps], [rtt_s / 2]
    network = Network(env, *access, 1e12, 1e12, tcp, application=application)
    for _ in range(messages):
        arrival = (network.download if direction == "down" else network.upload)(0, nbytes)
        found = env.run(arrival)
    return found.finish_s - found.start_s


def least(tcp, direction, nbytes, rtt_s, rate_Bps, application):
    rtts, rates = np.array([rtt_s]), np.array([rate_Bps])
    least_s = (
        latency_s(tcp, direction, nbytes, rtts, rates, application)
        + later_turns_s(tcp, direction, nbytes, rtts, rates, application)
        + slow_start_s(tcp, nbytes, rtts, rates, application)
        + sent_bytes(tcp, nbytes, application) / rates
    )
    return least_s.item()


CASE = {
    "direction": st.sampled_from(["down", "up"]),
    "nbytes": st.integers(1, 10**7),
    "rtt_s": st.floats(0, 2),
    "rate_Bps": st.floats(1e3, 1e9),
}


@settings(deadline=None)
@given(tcp=st.sampled_from(TRANSPORTS), **CASE)
def test_alone_it_is_exact(tcp, direction, nbytes, rtt_s, rate_Bps):
    path = direction, nbytes, rtt_s, rate_Bps
    took_s = simulated(tcp, *path, None)
    assert took_s == pytest.approx(least(tcp, *path, Application()), rel=1e-9)


@settings(deadline=None)
@given(tcp=st.sampled_from(TRANSPORTS[1:]), application=APPLICATIONS, **CASE)
def test_alone_it_is_exact_with_an_application(
    tcp, direction, nbytes, rtt_s, rate_Bps, application
):
    path = direction, nbytes, rtt_s, rate_Bps
    took_s = simulated(tcp, *path, application)
    assert took_s == pytest.approx(least(tcp, *path, application), rel=1e-9)


@settings(deadline=None)
@given(
    tcp=st.sampled_from(TRANSPORTS[1:]),
    application=APPLICATIONS,
    messages=st.integers(1, 3),
    **CASE,
)
def test_no_message_of_a_kept_connection_is_faster(
    tcp, direction, nbytes, rtt_s, rate_Bps, application, messages
):
    kept = replace(application, keeps_connection=True)
    path = direction, nbytes, rtt_s, rate_Bps
    assert simulated(tcp, *path, kept, messages) >= least(tcp, *path, kept) * (1 - 1e-9)


def test_several_clients_are_computed_at_once():
    rtts, rates = np.array([0.02, 0.2, 1.0]), np.array([1e5, 1e6, 1e7])
    application = Application(requests=7, parallel=2)
    together_s = slow_start_s(Tcp(), 500_000, rtts, rates, application)
    alone_s = [
        slow_start_s(Tcp(), 500_000, rtts[i : i + 1], rates[i : i + 1], application).item()
        for i in range(3)
    ]
    assert together_s.tolist() == alone_s
    assert together_s[2] > together_s[0]


def test_a_path_that_may_be_down_saves_all_of_its_latency():
    found = latency_s(Tcp(), "down", 10_000, np.array([0.1]), np.array([0.0]))
    assert found.tolist() == [0.0]
