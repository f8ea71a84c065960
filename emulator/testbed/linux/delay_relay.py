"""Propagation delay in user space, between pairs of TUN devices, for kernels without netem.

    python -m emulator.testbed.linux.delay_relay [--capture] FD:FD:SECONDS ...

forwards packets in both directions until its standard input ends; then it prints its lateness, and
with --capture when each segment with data passed. The queues of the devices limit the rates.
"""

import json
import os
import select
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from heapq import heappop, heappush
from typing import NamedTuple

TICK_S, TICKS = 1e-4, 5000  # bins of the lateness histogram: 0.1 ms each, up to 0.5 s
CAPTURE = "--capture"
SPIN_S = 3e-4  # sleeps end late, so it does not sleep during this time before a packet is due


class Cable(NamedTuple):
    """Two TUN devices and the one-way delay between them."""

    near: int
    far: int
    delay_s: float


Note = Callable[[int, float, bytes], None]  # device that got a packet, due time, the packet


def relay(cables: Sequence[Cable], stop: int, note: Note | None = None) -> dict[str, float]:
    """Forwards packets until `stop` is readable.

    Calls `note` with each packet that it forwarded. Returns the number of packets and bytes, CPU
    seconds, and the lateness of packets (median and 99th percentile).
    """
    ends = {cable.near: (cable.far, cable.delay_s) for cable in cables}
    ends |= {cable.far: (cable.near, cable.delay_s) for cable in cables}
    waiting: list[tuple[float, int, int, bytes]] = []
    late, number, nbytes = [0] * TICKS, 0, 0
    clock = time.monotonic
    poll = select.epoll()
    for device in (*ends, stop):
        poll.register(device, select.EPOLLIN)
    while True:
        idle_s = waiting[0][0] - clock() - SPIN_S if waiting else None
        if idle_s is None or idle_s > 0:
            select.select((poll,), (), (), idle_s)  # epoll itself rounds to milliseconds
        for device, _ in poll.poll(0):
            if device == stop:
                return _summary(late, number, nbytes)
            packet = os.read(device, 2048)
            other, delay_s = ends[device]
            number += 1
            nbytes += len(packet)
            heappush(waiting, (clock() + delay_s, number, other, packet))
        now_s = clock()
        while waiting and waiting[0][0] <= now_s:
            due_s, _, device, packet = heappop(waiting)
            with suppress(OSError):  # a full queue drops, as networks do
                os.write(device, packet)
            if note is not None:
                note(device, due_s, packet)
            late[min(int((now_s - due_s) / TICK_S), TICKS - 1)] += 1
            now_s = clock()


class Capture:
    """Notes when segments with data passed the clients' ends of the cables.

    `seen` has (cable, direction, seconds, bytes of data). A segment to a client has the time of its
    arrival there, a segment from a client that of its departure.
    """

    def __init__(self, cables: Sequence[Cable]) -> None:
        self.seen: list[tuple[int, str, float, int]] = []
        self._ways = {cable.far: (i, "down", 0.0) for i, cable in enumerate(cables)}
        self._ways |= {cable.near: (i, "up", cable.delay_s) for i, cable in enumerate(cables)}

    def note(self, device: int, due_s: float, packet: bytes) -> None:
        """Notes the packet that `device` got at `due_s`, if it is a TCP segment with data."""
        if size := data_size(packet):
            cable, way, delay_s = self._ways[device]
            self.seen.append((cable, way, due_s - delay_s, size))


def data_size(packet: bytes) -> int:
    """Bytes of data in an IPv4 packet with TCP (RFC 791, RFC 9293); 0 for any other packet."""
    if len(packet) < 40 or packet[0] >> 4 != 4 or packet[9] != socket.IPPROTO_TCP:
        return 0
    header = 4 * (packet[0] & 0x0F)
    return int.from_bytes(packet[2:4], "big") - header - 4 * (packet[header + 12] >> 4)


def _summary(late: Sequence[int], packets: int, nbytes: int) -> dict[str, float]:
    return {
        "packets": packets,
        "bytes": nbytes,
        "cpu_s": time.process_time(),
        "late_median_s": _quantile(late, 0.5),
        "late_99_s": _quantile(late, 0.99),
    }


def _quantile(counts: Sequence[int], share: float) -> float:
    """The lateness, seconds, that `share` of the packets do not exceed."""
    left = share * sum(counts)
    for tick, count in enumerate(counts):
        left -= count
        if left <= 0:
            return (tick + 1) * TICK_S if sum(counts) else 0.0
    return TICKS * TICK_S


def main() -> None:
    """Reads the cables from the command line and runs the relay."""
    with suppress(OSError):  # priority over the traffic, which must not delay packets
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(2))
    words = [word for word in sys.argv[1:] if word != CAPTURE]
    parts = [word.split(":") for word in words]
    cables = [Cable(int(near), int(far), float(delay_s)) for near, far, delay_s in parts]
    capture = Capture(cables) if CAPTURE in sys.argv else None
    print("ready", flush=True)
    found = relay(cables, sys.stdin.fileno(), capture.note if capture else None)
    print(json.dumps({**found, **({"seen": capture.seen} if capture else {})}))


if __name__ == "__main__":
    main()
