"""Lower bounds of the time of a message, for many clients at once. No SimPy, no links."""

import numpy as np

from emulator.common.distributions import Floats
from emulator.network.application import (
    Application,
    beside_s,
    first_byte_s,
    left_beside,
    pauses_s,
    turn_bytes,
)
from emulator.network.tcp import Direction, Tcp, segment_bytes

RAW = Application()


def sent_bytes(tcp: Tcp | None, nbytes: int, application: Application = RAW) -> int:
    """Bytes on the wire of a message; without TCP, its payload."""
    if tcp is None:
        return nbytes
    return sum(turn_bytes(tcp, turn) for turn in application.turns(nbytes))


def latency_s(
    tcp: Tcp | None,
    direction: Direction,
    nbytes: int,
    rtt_s: Floats,
    lowest_Bps: Floats,
    application: Application = RAW,
) -> Floats:
    """Seconds before the bytes of a message move, [clients], as in `tcp_flights`.

    `lowest_Bps` are the lowest rates that the paths may have when the message is sent: a token
    bucket saves the time of the first segment at that rate. A kept connection is open.
    """
    if tcp is None:
        return rtt_s / 2
    turn = application.turns(nbytes)[0]
    is_open = application.keeps_connection
    wait_s = first_byte_s(tcp, application, direction, rtt_s, is_open, turn)
    return _saved(tcp, turn_bytes(tcp, turn), wait_s, lowest_Bps)


def later_turns_s(
    tcp: Tcp | None,
    direction: Direction,
    nbytes: int,
    rtt_s: Floats,
    lowest_Bps: Floats,
    application: Application,
) -> Floats:
    """Seconds between and after the turns of a message, in which nothing moves, [clients]."""
    idle_s = np.zeros(len(rtt_s))
    if tcp is None:
        return idle_s
    turns = application.turns(nbytes)
    for turn, wait_s in zip(turns[1:], pauses_s(application, turns, rtt_s), strict=True):
        idle_s += _saved(tcp, turn_bytes(tcp, turn), wait_s, lowest_Bps)
    if application.beside:
        left = left_beside(tcp, application, direction, turns, rtt_s, lowest_Bps)
        idle_s += beside_s(application, left, rtt_s)
    return idle_s


def slow_start_s(
    tcp: Tcp | None, nbytes: int, rtt_s: Floats, rate_Bps: Floats, application: Application = RAW
) -> Floats:
    """Seconds in which slow start leaves paths idle, [clients], as in `slow_start`.

    A kept connection may have a window of any size, so its slow start counts as none.
    """
    idle_s = np.zeros(len(rtt_s))
    if tcp is None or not tcp.slow_start or application.keeps_connection:
        return idle_s
    segment_B = segment_bytes(tcp)
    window_B = np.full(len(rtt_s), float(tcp.initial_window * segment_B))
    round_s = rtt_s + segment_B / rate_Bps
    for turn in application.turns(nbytes):
        sent_B = turn_bytes(tcp, turn)
        left_B = np.full(len(rtt_s), float(sent_B))
        while (stalls := (window_B < left_B) & (window_B / rate_Bps < round_s)).any():
            idle_s += np.where(stalls, round_s - window_B / rate_Bps, 0.0)
            left_B = np.where(stalls, left_B - window_B, left_B)
            window_B = np.where(stalls, 2 * window_B, window_B)
        # As in `window_after`.
        window_B += np.where(sent_B > window_B / 2, np.minimum(window_B, left_B), 0.0)
    return idle_s


def _saved(tcp: Tcp, wire_B: int, wait_s: Floats, lowest_Bps: Floats) -> Floats:
    """`wait_s` without the time of a segment that a token bucket passes at once."""
    if not tcp.token_bucket:
        return wait_s
    with np.errstate(divide="ignore", invalid="ignore"):
        saved_s = min(wire_B, segment_bytes(tcp)) / lowest_Bps
    return np.maximum(0.0, wait_s - saved_s)
