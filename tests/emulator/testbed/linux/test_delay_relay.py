"""The relay, between sockets instead of TUN devices: those keep packets apart as well."""

import itertools
import socket
import threading
import time

import pytest

from emulator.testbed.linux.delay_relay import TICK_S, Cable, _quantile, relay

DELAY_S = 0.02


@pytest.fixture
def cable():
    """(near end, far end, what stops the relay and gives its answer) around a running relay."""
    near, near_device = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    far, far_device = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    stop, stopped = socket.socketpair()
    answers = []
    cables = [Cable(near_device.fileno(), far_device.fileno(), DELAY_S)]
    thread = threading.Thread(target=lambda: answers.append(relay(cables, stopped.fileno())))
    thread.start()

    def end():
        stop.close()
        thread.join()
        return answers[0]

    for end_ in (near, far):
        end_.settimeout(10)
    yield near, far, end
    end()
    for one in (near, near_device, far, far_device, stopped):
        one.close()


def test_packets_pass_both_ways_whole_in_order_and_never_early(cable):
    near, far, end = cable
    packets = [bytes([n]) * (n + 1) for n in range(50)]
    for source, target in ((near, far), (far, near)):
        start_s = time.monotonic()
        for packet in packets:
            source.send(packet)
        assert [target.recv(2048) for _ in packets] == packets
        assert time.monotonic() - start_s >= DELAY_S
    told = end()
    assert told["packets"] == 2 * len(packets)
    assert told["bytes"] == 2 * sum(map(len, packets))
    assert 0 < told["late_median_s"] <= told["late_99_s"]


def test_what_is_still_waiting_is_not_waited_for(cable):
    near, _, end = cable
    near.send(b"x")
    assert end()["bytes"] in (0, 1)


def test_quantiles_count_ticks():
    counts = [90, 9, 1, 0]
    assert [_quantile(counts, share) for share in (0.5, 0.9, 0.99, 1.0)] == pytest.approx(
        [TICK_S, TICK_S, 2 * TICK_S, 3 * TICK_S]
    )
    assert _quantile([0, 0], 0.5) == 0
    for share, more in itertools.pairwise((0.1, 0.5, 0.95, 0.999)):
        assert _quantile(counts, share) <= _quantile(counts, more)
