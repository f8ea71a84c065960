"""TCP model: turns a message into flights. No SimPy, no links.

A flight is data that is sent together, at the rate that the network gives it; the next flight waits
until the acknowledgement of this one's first segment may have arrived. All sizes are wire bytes,
headers included; only the size of a message is in payload bytes.
"""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np

from emulator.common.errors import ScenarioError

Direction = Literal["down", "up"]
Congestion = Literal["cubic", "reno"]

_WHY_NOT: dict[str, str] = {
    "bbr": "bbr starts more slowly and ignores random loss; no validated model of it is available"
}
REDUCED: dict[Congestion, float] = {"reno": 0.5, "cubic": 0.7}  # window after a loss, relative
CUBIC_C = 0.4  # segments/s^3
SYN_TIMEOUT_S = 1.0  # until the first round trip is measured: RFC 6298, 2.1
MIN_TIMEOUT_S = 0.2  # least time that Linux adds to the round trip (TCP_RTO_MIN)
MAX_DOUBLINGS = 6  # of a timeout: tcp_syn_retries of Linux


@dataclass(frozen=True, slots=True)
class Tcp:
    """Effects of TCP, each of which can be switched off; with all off, the transport is fluid.

    | setting          | effect                                                              |
    |------------------|---------------------------------------------------------------------|
    | `handshake`      | opening a connection, requesting a download: 1 and 1.5 RTT more     |
    | `headers`        | `overhead_B` bytes on the wire per segment                          |
    | `slow_start`     | the window starts at `initial_window` segments, doubles every RTT   |
    | `token_bucket`   | an idle link passes one segment at once, as shapers do (tc-tbf)     |
    | `congestion`     | the rate of a long flow under random loss                           |
    | `mss_B`          | payload bytes of a full segment                                     |
    | `overhead_B`     | Ethernet 14, IPv4 20, TCP 20 with timestamps 12                     |
    | `initial_window` | segments: RFC 6928                                                  |

    Raises `ScenarioError` for a congestion control that is not modelled.
    """

    handshake: bool = True
    headers: bool = True
    slow_start: bool = True
    token_bucket: bool = True
    congestion: Congestion = "cubic"
    mss_B: int = 1448
    overhead_B: int = 66
    initial_window: int = 10

    def __post_init__(self) -> None:
        if self.congestion not in get_args(Congestion):
            raise ScenarioError(
                f"found congestion control {self.congestion!r}; allowed: cubic, reno",
                _WHY_NOT.get(self.congestion, ""),
            )
        assert self.mss_B > 0
        assert self.overhead_B >= 0
        assert self.initial_window > 0


class Flight(NamedTuple):
    """Wire bytes at `cap_Bps` at most. A flight without bytes is a pause.

    The next flight starts after them, and no earlier than `round_s` after the start of this one.
    """

    size_B: float
    round_s: float = 0.0
    cap_Bps: float = math.inf


def fluid_flights(nbytes: int, rtt_s: float) -> list[Flight]:
    """Half a round trip, then the bytes."""
    return [Flight(0, rtt_s / 2), Flight(nbytes)]


def tcp_flights(
    tcp: Tcp,
    direction: Direction,
    nbytes: int,
    rtt_s: float,
    rate_Bps: float,
    loss: float = 0.0,
    rng: np.random.Generator | None = None,
) -> list[Flight]:
    """Flights of a message of `nbytes`, request to last byte, on a path with `rate_Bps` alone.

    Alone and without loss it takes base + wire / R + sum over k of max(0, RTT + tau - W_k tau)
    while segments remain: tau is the time of a segment on the wire, W_k = `initial_window` 2^k;
    base is 2 RTT down and 1.5 RTT up. A token bucket saves the time of the first segment.

    `loss` is the probability that a segment is lost, in each direction, drawn from `rng`. Slow
    start, losses and steady state follow Cardwell, Savage and Anderson (INFOCOM 2000).
    """
    base_s = base_rtts(tcp, direction) * rtt_s
    wire_B = wire_bytes(tcp, nbytes)
    if tcp.token_bucket:
        base_s = max(0.0, base_s - min(wire_B, segment_bytes(tcp)) / rate_Bps)
    flights = slow_start(tcp, wire_B, rtt_s, rate_Bps)
    if loss:
        assert rng is not None, "loss needs a random stream"
        if tcp.handshake:
            base_s += handshake_timeouts_s(direction, rtt_s, loss, rng)
        flights = with_loss(tcp, flights, int(rng.geometric(loss)), rtt_s, rate_Bps, loss, rng)
    return [Flight(0, base_s), *flights]


def base_rtts(tcp: Tcp, direction: Direction) -> float:
    """Round trips until the first byte arrives, with the opening of a connection."""
    return {"down": 2.0, "up": 1.5}[direction] if tcp.handshake else 0.5


def wire_bytes(tcp: Tcp, nbytes: int) -> int:
    """Payload and headers of a message, bytes."""
    return nbytes + (tcp.overhead_B * -(-nbytes // tcp.mss_B) if tcp.headers else 0)


def segment_bytes(tcp: Tcp) -> int:
    """A full segment on the wire, bytes."""
    return tcp.mss_B + tcp.overhead_B * tcp.headers


def slow_start(
    tcp: Tcp, wire_B: float, rtt_s: float, rate_Bps: float, window: float | None = None
) -> list[Flight]:
    """Flights of windows that double until they fill `rate_Bps`, then one with the rest.

    The first `window` is in segments; None: the initial window.
    """
    segment_B = segment_bytes(tcp)
    round_s = rtt_s + segment_B / rate_Bps
    window_B, flights = float((window or tcp.initial_window) * segment_B), []
    while tcp.slow_start and window_B < wire_B and window_B / rate_Bps < round_s:
        flights.append(Flight(window_B, round_s))
        wire_B, window_B = wire_B - window_B, 2 * window_B
    return [*flights, Flight(wire_B)]


def window_after(tcp: Tcp, flights: list[Flight], window: float) -> float:
    """The window after `flights` of slow start that began with `window`; both in segments.

    Each acknowledged segment adds one, if at least half of the window was used (RFC 7661).
    """
    segments = [flight.size_B / segment_bytes(tcp) for flight in flights]
    window *= 2.0 ** (len(flights) - 1)
    return window + min(window, segments[-1]) if sum(segments) > window / 2 else window


def with_loss(
    tcp: Tcp,
    flights: list[Flight],
    nth: int,
    rtt_s: float,
    rate_Bps: float,
    loss: float,
    rng: np.random.Generator,
    window: float | None = None,
) -> list[Flight]:
    """The same flights if their `nth` segment (from 1) is the first that is lost.

    One more window is sent before the sender detects the loss. One round trip after the loss (two
    if no segment followed: the probe of RFC 8985) the rest follows with a smaller window. `loss` is
    the loss probability of a segment; the flights began with `window`, as in `slow_start`.
    """
    segment_B, total_B = segment_bytes(tcp), sum(flight.size_B for flight in flights)
    end_B = min(float(nth * segment_B), total_B)
    if (nth - 1) * segment_B >= total_B:
        return flights
    before_B, number = 0.0, 0
    while before_B + flights[number].size_B < end_B:
        before_B, number = before_B + flights[number].size_B, number + 1
    round_s = rtt_s + segment_B / rate_Bps
    # Every segment that arrived has increased the window by one.
    window_B = (window or tcp.initial_window) * segment_B * 2.0**number
    window_B = min(window_B + end_B - before_B, max(window_B, largest_window(rate_Bps, round_s)))
    behind_B = min(total_B - end_B, window_B)
    missing_B = (total_B - end_B - behind_B + min(segment_B, total_B)) / (1 - loss)
    return [
        *flights[:number],
        Flight(end_B - before_B),
        Flight(behind_B, round_s if behind_B else 2 * rtt_s),
        *loss_recovery(tcp, missing_B, window_B, rtt_s, rate_Bps, loss, rng),
    ]


def loss_recovery(
    tcp: Tcp,
    missing_B: float,
    window_B: float,
    rtt_s: float,
    rate_Bps: float,
    loss: float,
    rng: np.random.Generator,
) -> list[Flight]:
    """Flights after a loss in a window of `window_B`: loss by loss to the steady rate, then at it.

    A flight here is the data between two losses, at its mean rate: the window grows by a number of
    segments per round until a loss, and one more window is sent before the sender detects it
    (Padhye et al. 1998, figure 2).
    """
    segment_B = segment_bytes(tcp)
    round_s, left = rtt_s + segment_B / rate_Bps, missing_B / segment_B
    steady, flights = steady_rate(tcp.congestion, rtt_s, loss), []
    most = largest_window(rate_Bps, round_s) / segment_B
    window = REDUCED[tcp.congestion] * window_B / segment_B
    while left > 0 and window > steady * round_s:
        until_loss = int(rng.geometric(loss))
        growth = window_growth(tcp.congestion, window, round_s)
        peak = math.sqrt(window**2 + 2 * growth * until_loss)
        sent = until_loss + peak
        mean_Bps = sent * segment_B / (((peak - window) / growth + 1) * round_s)
        flights.append(Flight(min(sent, left) * segment_B, 0.0, mean_Bps))
        left, window = left - sent, REDUCED[tcp.congestion] * min(peak, most)
    return [*flights, Flight(max(0.0, left) * segment_B, 0.0, steady * segment_B)]


def window_growth(congestion: Congestion, window: float, round_s: float) -> float:
    """Growth of a window that was just reduced to `window`, segments per round trip.

    Cubic: the larger of the initial slope of its curve and of the Reno-friendly growth (RFC 9438,
    4.2 and 4.3).
    """
    if congestion == "reno":
        return 1.0
    kept = REDUCED["cubic"]
    regain_s = math.pow(window / kept * (1 - kept) / CUBIC_C, 1 / 3)
    return max(3 * (1 - kept) / (1 + kept), 3 * CUBIC_C * regain_s**2 * round_s)


def largest_window(rate_Bps: float, round_s: float) -> float:
    """Largest window of a path, bytes: twice its bandwidth-delay product, half of it buffered."""
    return 2 * rate_Bps * round_s


def steady_rate(congestion: Congestion, rtt_s: float, loss: float) -> float:
    """Segments/s of a long flow under random loss, 0 < `loss` < 1.

    Reno: Padhye, Firoiu, Towsley, Kurose (SIGCOMM 1998), eq. 30, with one acknowledgement per
    segment, as in Linux. Cubic is never slower; its own response (RFC 9438, 5) is faster on paths
    with a large bandwidth-delay product.
    """
    timeout_s = rtt_s + MIN_TIMEOUT_S
    reno = 1 / (
        rtt_s * math.sqrt(2 * loss / 3)
        + timeout_s * min(1.0, 3 * math.sqrt(3 * loss / 8)) * loss * (1 + 32 * loss**2)
    )
    if congestion == "reno" or not rtt_s:
        return reno
    return max(reno, math.pow(CUBIC_C * 3.7 / 1.2 / rtt_s, 0.25) / math.pow(loss, 0.75))


def handshake_timeouts_s(
    direction: Direction, rtt_s: float, loss: float, rng: np.random.Generator
) -> float:
    """Time of timeouts, seconds, after the loss of a SYN, its answer, or a download's request."""
    # Drawn for both directions, so that later draws do not depend on the direction.
    opened, asked = int(rng.geometric((1 - loss) ** 2)), int(rng.geometric(1 - loss))
    request_s = backoff_s(rtt_s + MIN_TIMEOUT_S, asked - 1) if direction == "down" else 0.0
    return backoff_s(SYN_TIMEOUT_S, opened - 1) + request_s


def backoff_s(timeout_s: float, failures: int) -> float:
    """Sum of `failures` timeouts in a row, seconds; each is twice the one before, up to a limit."""
    return timeout_s * sum(2.0 ** min(k, MAX_DOUBLINGS) for k in range(failures))
