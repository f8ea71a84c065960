"""What TCP adds to a message: closed forms, draws of loss against their means."""

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from emulator.common.errors import ScenarioError
from emulator.network.tcp import (
    Flight,
    Tcp,
    backoff_s,
    fluid_flights,
    handshake_timeouts_s,
    loss_recovery,
    slow_start,
    steady_rate,
    tcp_flights,
    window_growth,
    wire_bytes,
    with_loss,
)

OFF = Tcp(handshake=False, headers=False, slow_start=False, token_bucket=False)
sizes = st.integers(0, 10_000_000)
rtts_s = st.one_of(st.just(0.0), st.floats(1e-4, 1.0))
rates_Bps = st.floats(1e3, 1e9)
directions = st.sampled_from(["down", "up"])


def alone_s(flights, rate_Bps):
    """When the last byte comes if nobody else is there."""
    start_s = ready_s = 0.0
    for size_B, round_s, cap_Bps in flights:
        start_s, ready_s = ready_s, ready_s + size_B / min(rate_Bps, cap_Bps)
        ready_s = max(ready_s, start_s + round_s)
    return ready_s


def formula_s(direction, nbytes, rtt_s, rate_Bps):
    """T = base + wire / R + stalls, written out."""
    segments, tau_s = -(-nbytes // 1448), 1514 / rate_Bps
    seconds, k = {"down": 2.0, "up": 1.5}[direction] * rtt_s, 0
    while segments > 10 * (2 ** (k + 1) - 1):
        seconds += max(0.0, rtt_s + tau_s - 10 * 2**k * tau_s)
        k += 1
    return seconds + (nbytes + 66 * segments) / rate_Bps


# --- without loss


@given(directions, sizes, rtts_s, rates_Bps)
def test_a_message_alone_takes_what_the_formula_says(direction, nbytes, rtt_s, rate_Bps):
    flights = tcp_flights(Tcp(token_bucket=False), direction, nbytes, rtt_s, rate_Bps)
    expected_s = formula_s(direction, nbytes, rtt_s, rate_Bps)
    assert alone_s(flights, rate_Bps) == pytest.approx(expected_s, rel=1e-12)


@given(directions, sizes, rtts_s, rates_Bps)
def test_a_token_bucket_saves_the_first_segments_time(direction, nbytes, rtt_s, rate_Bps):
    flights = tcp_flights(Tcp(), direction, nbytes, rtt_s, rate_Bps)
    first_s = min(1514, wire_bytes(Tcp(), nbytes)) / rate_Bps
    base_s = {"down": 2.0, "up": 1.5}[direction] * rtt_s
    expected_s = formula_s(direction, nbytes, rtt_s, rate_Bps) - min(first_s, base_s)
    assert alone_s(flights, rate_Bps) == pytest.approx(expected_s, rel=1e-9, abs=1e-12)


def test_three_stalls_by_hand():
    # 100 B/s, segments of 10 B: a tenth of a second each. RTT 4 s; windows of 10, 20, 40 segments
    # take 1, 2 and 4 s of the 4.1 s that a round takes; the fourth keeps the link busy.
    tcp = Tcp(mss_B=9, overhead_B=1, handshake=False, token_bucket=False)
    flights = tcp_flights(tcp, "up", 9 * 100, 4.0, 100.0)
    assert flights == [
        Flight(0, 2.0),
        Flight(100, 4.1),
        Flight(200, 4.1),
        Flight(400, 4.1),
        Flight(300),
    ]
    assert alone_s(flights, 100.0) == pytest.approx(2 + 3 * 4.1 + 3)


@given(directions, sizes, rtts_s, rates_Bps)
def test_all_switches_off_is_fluid(direction, nbytes, rtt_s, rate_Bps):
    assert tcp_flights(OFF, direction, nbytes, rtt_s, rate_Bps) == fluid_flights(nbytes, rtt_s)


@pytest.mark.parametrize(
    ("direction", "handshake", "rtts"),
    [("down", True, 2.0), ("up", True, 1.5), ("down", False, 0.5), ("up", False, 0.5)],
)
def test_no_bytes_take_the_base(direction, handshake, rtts):
    flights = tcp_flights(Tcp(handshake=handshake), direction, 0, 0.04, 1e6)
    assert alone_s(flights, 1e6) == pytest.approx(rtts * 0.04, rel=1e-15)


@given(directions, sizes, rates_Bps)
def test_without_a_round_trip_only_bytes_take_time(direction, nbytes, rate_Bps):
    flights = tcp_flights(Tcp(), direction, nbytes, 0.0, rate_Bps)
    assert flights == [Flight(0, 0.0), Flight(wire_bytes(Tcp(), nbytes))]


@pytest.mark.parametrize(
    ("nbytes", "wire_B"),
    [(0, 0), (1, 67), (1448, 1514), (1449, 1449 + 132), (14480, 15140), (10**7, 10**7 + 66 * 6907)],
)
def test_every_segment_has_a_header(nbytes, wire_B):
    assert wire_bytes(Tcp(), nbytes) == wire_B
    assert wire_bytes(Tcp(headers=False), nbytes) == nbytes


@given(st.sampled_from([Tcp(), OFF]), directions, sizes, rtts_s, rates_Bps)
def test_flights_carry_the_wire_bytes_and_no_more(tcp, direction, nbytes, rtt_s, rate_Bps):
    flights = tcp_flights(tcp, direction, nbytes, rtt_s, rate_Bps)
    assert sum(flight.size_B for flight in flights) == wire_bytes(tcp, nbytes)


@given(directions, sizes, sizes, rtts_s, rtts_s, rates_Bps)
def test_more_bytes_or_a_longer_way_are_never_sooner(
    direction, nbytes, more, rtt_s, longer_s, rate_Bps
):
    def took_s(nbytes, rtt_s):
        return alone_s(tcp_flights(Tcp(), direction, nbytes, rtt_s, rate_Bps), rate_Bps)

    slack = 1 + 1e-12
    assert took_s(nbytes, rtt_s) <= took_s(nbytes + more, rtt_s) * slack
    assert took_s(nbytes, rtt_s) <= took_s(nbytes, rtt_s + longer_s) * slack


def test_the_window_stops_growing_where_it_keeps_the_link_busy():
    few = slow_start(Tcp(), 1e9, 0.04, 2.5e6)
    assert [flight.size_B / 1514 for flight in few[:-1]] == [10, 20, 40]
    # 10 (2^16 - 1) segments are fewer than 1e9 / 1514, 10 (2^17 - 1) are more.
    assert len(slow_start(Tcp(), 1e9, 0.04, 2.5e12)) == 17
    assert len(slow_start(Tcp(slow_start=False), 1e9, 0.04, 2.5e12)) == 1


@pytest.mark.parametrize("congestion", ["bbr", "vegas"])
def test_a_congestion_control_without_a_model_is_refused(congestion):
    with pytest.raises(ScenarioError) as raised:
        Tcp(congestion=congestion)
    found = f"found congestion control '{congestion}'; allowed: cubic, reno"
    assert raised.value.message == found
    assert ("ignores random loss" in raised.value.hint) == (congestion == "bbr")


# --- loss


def test_the_steady_rate_by_hand():
    # p = 1 %, 40 ms: 1 / (.04 sqrt(.02/3) + .24 * 3 sqrt(.03/8) * .01 * 1.0032)
    assert steady_rate("reno", 0.04, 0.01) == pytest.approx(
        1 / (0.04 * 0.0816497 + 0.24 * 0.1837117 * 0.01 * 1.0032), rel=1e-6
    )


@pytest.mark.parametrize("rtt_s", [1e-3, 0.1, 1.0])
def test_rare_loss_leaves_the_square_root_law(rtt_s):
    # Mathis et al. 1997: sqrt(3/2) / (RTT sqrt(p)), where timeouts no longer count.
    loss = 1e-10
    distribution = math.sqrt(1.5 / loss) / rtt_s
    assert steady_rate("reno", rtt_s, loss) == pytest.approx(distribution, rel=1e-3)


def test_cubic_is_reno_on_short_paths_and_its_own_response_on_long_fat_ones():
    assert steady_rate("cubic", 0.04, 0.01) == steady_rate("reno", 0.04, 0.01)
    # RFC 9438, 5.1, the table for 100 ms: 1e-4 -> 187 segments, 1e-6 -> 5,900, 1e-8 -> 187,000.
    for loss, window in [(1e-4, 187), (1e-6, 5_900), (1e-8, 187_000)]:
        assert steady_rate("cubic", 0.1, loss) * 0.1 == pytest.approx(window, rel=0.01)


@given(st.sampled_from(["cubic", "reno"]), rtts_s, st.floats(1e-6, 0.5), st.floats(1.0, 1.9))
def test_more_loss_and_longer_ways_are_never_faster(congestion, rtt_s, loss, factor):
    rate = steady_rate(congestion, rtt_s, loss)
    assert rate >= steady_rate(congestion, rtt_s, loss * factor)
    assert rate >= steady_rate(congestion, rtt_s * factor, loss) * (1 - 1e-12)


FLIGHTS = slow_start(Tcp(), 100 * 1514, 0.04, 1e9)  # 10, 20, 40, 30 segments
STEADY_BPS = 1514 * steady_rate("cubic", 0.04, 0.01)


@pytest.mark.parametrize(
    ("nth", "expected", "missing"),
    [
        # The first: ten more of its window and one for it would have gone; 89 and itself follow.
        (1, [(1, 0), (11, 1)], 89),
        (10, [(10, 0), (20, 1)], 71),
        (35, [(10, 1), (20, 1), (5, 0), (45, 1)], 21),
        (90, [(10, 1), (20, 1), (40, 1), (20, 0), (10, 1)], 1),
        # The last: nothing tells of it for two round trips.
        (100, [(10, 1), (20, 1), (40, 1), (30, 0), (0, 2)], 1),
    ],
)
def test_what_follows_the_first_loss(nth, expected, missing):
    lost = with_loss(Tcp(), FLIGHTS, nth, 0.04, 1e9, 0.01, np.random.default_rng(0))
    known, rest = lost[: len(expected)], lost[len(expected) :]
    assert [flight.size_B / 1514 for flight in known] == [count for count, _ in expected]
    rounds_s = [0.04 * rtts for _, rtts in expected]
    assert [flight.round_s for flight in known] == pytest.approx(rounds_s, abs=2e-6)
    assert sum(flight.size_B for flight in rest) == pytest.approx(missing * 1514 / 0.99)
    assert rest[-1].cap_Bps == STEADY_BPS


def test_a_loss_behind_the_last_segment_is_none():
    rng = np.random.default_rng(0)
    assert with_loss(Tcp(), FLIGHTS, 101, 0.04, 1e9, 0.01, rng) == FLIGHTS
    assert with_loss(Tcp(), [Flight(0)], 1, 0.04, 1e9, 0.01, rng) == [Flight(0)]


class Every:
    """A loss after every so many segments."""

    def __init__(self, apart):
        self.apart = apart

    def geometric(self, loss):
        return self.apart


def test_the_window_comes_down_loss_by_loss():
    # Reno from 200 segments, 50 apart, in rounds of 1 s; the steady window is 9.3.
    rate_Bps, rtt_s = 1e12, 1.0
    flights = loss_recovery(
        Tcp(congestion="reno"), 1e9, 200 * 1514, rtt_s, rate_Bps, 0.01, Every(50)
    )
    window = 100.0
    for flight in flights[:-1]:
        assert window > steady_rate("reno", 1.0, 0.01)
        peak = math.sqrt(window**2 + 100)  # 50 segments while it grows by one a round
        assert flight.size_B / 1514 == pytest.approx(50 + peak)
        rounds = peak - window + 1
        assert flight.cap_Bps / 1514 == pytest.approx((50 + peak) / rounds, rel=1e-6)
        window = peak / 2
    assert window < steady_rate("reno", 1.0, 0.01)
    assert flights[-1].cap_Bps == 1514 * steady_rate("reno", 1.0, 0.01)


def test_cubic_grows_by_its_curve_or_by_what_is_fair():
    # From 70 of 100 segments, K = cbrt(75) s: 3 C K^2 = 21.3 segments/s where the curve starts.
    assert window_growth("cubic", 70.0, 0.1) == pytest.approx(2.134, rel=1e-3)
    assert window_growth("cubic", 10.0, 0.01) == pytest.approx(9 / 17)
    assert window_growth("reno", 10.0, 0.01) == 1.0


@given(sizes, rtts_s, rates_Bps, st.integers(1, 10_000), st.floats(1e-4, 0.5))
def test_the_lost_segment_goes_twice(nbytes, rtt_s, rate_Bps, nth, loss):
    wire_B = wire_bytes(Tcp(), nbytes)
    flights = slow_start(Tcp(), wire_B, rtt_s, rate_Bps)
    lost = with_loss(Tcp(), flights, nth, rtt_s, rate_Bps, loss, np.random.default_rng(0))
    if lost != flights:
        end_B = min(nth * 1514, wire_B)
        known = next(n for n in range(len(lost)) if sum(f.size_B for f in lost[:n]) >= end_B) + 1
        sent_B = sum(f.size_B for f in lost[:known])
        sent_B += sum(f.size_B for f in lost[known:]) * (1 - loss)
        assert sent_B == pytest.approx(wire_B + min(1514, wire_B))


def draws(function, n=20_000):
    rng = np.random.default_rng(5)
    return np.array([function(rng) for _ in range(n)])


def test_a_short_message_is_hit_as_often_as_loss_is_likely():
    # Seven segments at 2 %: none lost with .98^7; the handshake is left out.
    plain = tcp_flights(Tcp(handshake=False), "up", 10_000, 0.04, 1e6)
    tcp = Tcp(handshake=False)
    intact = draws(lambda rng: tcp_flights(tcp, "up", 10_000, 0.04, 1e6, 0.02, rng) == plain)
    assert intact.mean() == pytest.approx(0.98**7, abs=4 * 0.5 / math.sqrt(len(intact)))


def test_handshakes_lose_what_their_timers_say():
    # P(SYN or answer lost) = q: mean of 1, 3, 7 ... s is q + 2 q^2 + 4 q^3 ...
    loss = 0.05
    q = 1 - (1 - loss) ** 2
    opened_s = sum(q**k * 2 ** (k - 1) for k in range(1, 8))
    asked_s = 0.24 * sum(loss**k * 2 ** (k - 1) for k in range(1, 8))
    up_s = draws(lambda rng: handshake_timeouts_s("up", 0.04, loss, rng))
    down_s = draws(lambda rng: handshake_timeouts_s("down", 0.04, loss, rng))
    margin_s = 4 * down_s.std() / math.sqrt(len(down_s))
    assert up_s.mean() == pytest.approx(opened_s, abs=margin_s)
    assert down_s.mean() == pytest.approx(opened_s + asked_s, abs=margin_s)
    assert (down_s - up_s).mean() == pytest.approx(asked_s, rel=0.15)


def test_timers_double_up_to_a_most():
    assert [backoff_s(1.0, n) for n in (0, 1, 2, 3, 7, 8)] == [0, 1, 3, 7, 127, 191]


def test_a_long_message_goes_at_the_steady_rate():
    nbytes = 500_000_000
    took_s = draws(
        lambda rng: alone_s(tcp_flights(Tcp(), "down", nbytes, 0.04, 1e8, 0.01, rng), 1e8), n=20
    )
    steady_s = wire_bytes(Tcp(), nbytes) / 0.99 / STEADY_BPS
    assert took_s.mean() == pytest.approx(steady_s, rel=0.01)
