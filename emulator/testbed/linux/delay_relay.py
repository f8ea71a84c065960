"""Propagation delay in user space, between pairs of TUN devices, for kernels without netem.

    python -m emulator.testbed.linux.delay_relay FD:FD:SECONDS ...

forwards packets in both directions until its standard input ends; then it prints its lateness. The
queues of the devices limit the rates.
"""

import json
import os
import select
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from heapq import heappop, heappush
from typing import NamedTuple

TICK_S, TICKS = 1e-4, 5000  # bins of the lateness histogram: 0.1 ms each, up to 0.5 s
SPIN_S = 3e-4  # sleeps end late, so it does not sleep during this time before a packet is due


class Cable(NamedTuple):
    """Two TUN devices and the one-way delay between them."""

    near: int
    far: int
    delay_s: float


def relay(cables: Sequence[Cable], stop: int) -> dict[str, float]:
    """Forwards packets until `stop` is readable.

    Returns the number of packets and bytes, CPU seconds, and the lateness of packets (median and
    99th percentile).
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
            late[min(int((now_s - due_s) / TICK_S), TICKS - 1)] += 1
            now_s = clock()


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
    parts = [argument.split(":") for argument in sys.argv[1:]]
    cables = [Cable(int(near), int(far), float(delay_s)) for near, far, delay_s in parts]
    print("ready", flush=True)
    print(json.dumps(relay(cables, sys.stdin.fileno())))


if __name__ == "__main__":
    main()
