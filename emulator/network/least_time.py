"""Lower bounds of the time of a message, for many clients at once. No SimPy, no links."""

import numpy as np

from emulator.common.distributions import Floats
from emulator.network.tcp import Direction, Tcp, base_rtts, segment_bytes, wire_bytes


def sent_bytes(tcp: Tcp | None, nbytes: int) -> int:
    """Bytes on the wire of a message; without TCP, its payload."""
    return nbytes if tcp is None else wire_bytes(tcp, nbytes)


def latency_s(
    tcp: Tcp | None, direction: Direction, nbytes: int, rtt_s: Floats, lowest_Bps: Floats
) -> Floats:
    """Seconds before the bytes of a message move, [clients], as in `tcp_flights`.

    `lowest_Bps` are the lowest rates that the paths may have when the message is sent: a token
    bucket saves the time of the first segment at that rate.
    """
    if tcp is None:
        return rtt_s / 2
    base_s = base_rtts(tcp, direction) * rtt_s
    if not tcp.token_bucket:
        return base_s
    with np.errstate(divide="ignore"):
        saved_s = min(sent_bytes(tcp, nbytes), segment_bytes(tcp)) / lowest_Bps
    return np.maximum(0.0, base_s - saved_s)


def slow_start_s(tcp: Tcp | None, nbytes: int, rtt_s: Floats, rate_Bps: Floats) -> Floats:
    """Seconds in which slow start leaves paths idle, [clients], as in `slow_start`."""
    idle_s = np.zeros(len(rtt_s))
    if tcp is None or not tcp.slow_start:
        return idle_s
    segment_B, left_B = segment_bytes(tcp), float(wire_bytes(tcp, nbytes))
    window_B = float(tcp.initial_window * segment_B)
    round_s = rtt_s + segment_B / rate_Bps
    while window_B < left_B and (window_B / rate_Bps < round_s).any():
        idle_s += np.maximum(0.0, round_s - window_B / rate_Bps)
        left_B, window_B = left_B - window_B, 2 * window_B
    return idle_s
