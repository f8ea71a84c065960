"""Messages of applications as flights: closed forms, draws of losses, kept connections."""

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from emulator.network.application import (
    NEW,
    TLS_S,
    Application,
    Connection,
    Connections,
    application_flights,
)
from emulator.network.tcp import Tcp, tcp_flights, wire_bytes

RATE_BPS, RTT_S = 1e6, 0.04
TAU_S = 1514 / RATE_BPS
IDEAL = Tcp(token_bucket=False)
OPEN = Connection(is_open=True)
WAYS = pytest.mark.parametrize("direction", ["down", "up"])


def took_s(application, direction="down", nbytes=1448, tcp=IDEAL, connection=NEW):
    """Seconds of a message alone at 1 MB/s, from its flights."""
    flights, _ = application_flights(
        tcp, application, direction, nbytes, RTT_S, RATE_BPS, connection
    )
    end_s = start_s = 0.0
    for flight in flights:
        start_s = max(start_s, end_s)
        end_s = start_s + flight.size_B / RATE_BPS
        start_s += flight.round_s
        end_s = max(end_s, start_s) if not flight.size_B else end_s
    return end_s


def draw_flights(flights_of, seed=5):
    return [flights_of(np.random.default_rng([seed, n])) for n in range(30)]


@WAYS
@given(nbytes=st.integers(0, 10**6), handshake=st.booleans(), bucket=st.booleans())
def test_the_default_adds_nothing_to_tcp(direction, nbytes, handshake, bucket):
    tcp = Tcp(handshake=handshake, token_bucket=bucket)
    path = direction, nbytes, RTT_S, RATE_BPS
    assert application_flights(tcp, Application(), *path)[0] == tcp_flights(tcp, *path)


@WAYS
def test_the_default_draws_the_losses_of_tcp(direction):
    path = direction, 60_000, RTT_S, RATE_BPS
    ours = draw_flights(
        lambda rng: application_flights(Tcp(), Application(), *path, loss=0.03, rng=rng)[0]
    )
    assert ours == draw_flights(lambda rng: tcp_flights(Tcp(), *path, 0.03, rng))
    assert len({len(flights) for flights in ours}) > 1


@pytest.mark.parametrize(
    ("keys", "rtts", "seconds"),
    [
        ({}, 0, 0),
        ({"tls": True}, 1, TLS_S),
        ({"grpc": True}, 1, 0),
        ({"tls": True, "grpc": True}, 2, TLS_S),
        ({"calls": 5}, 5, 0),
        ({"calls": 5, "parallel": 2}, 3, 0),
        ({"calls": 5, "parallel": 2, "processing_s": 0.01}, 3, 0.06),
        ({"processing_s": 0.01}, 0, 0.01),
        ({"waiting_s": 2.5, "calls": 1}, 1, 2.5),
    ],
)
@WAYS
def test_round_trips_before_a_message_of_one_segment(direction, keys, rtts, seconds):
    base_s = {"down": 2, "up": 1.5}[direction] * RTT_S + TAU_S
    expected_s = base_s + rtts * RTT_S + seconds
    assert took_s(Application(**keys), direction) == pytest.approx(expected_s, rel=1e-12)


@pytest.mark.parametrize(
    ("requests", "parallel", "turns"), [(1, 1, 1), (30, 1, 30), (30, 2, 15), (5, 2, 3), (5, 9, 1)]
)
def test_each_further_turn_waits_a_round_trip(requests, parallel, turns):
    # A segment per request: slow start never waits.
    application = Application(requests=requests, parallel=parallel)
    expected_s = 2 * RTT_S + requests * TAU_S + (turns - 1) * RTT_S
    assert took_s(application, nbytes=requests * 1448) == pytest.approx(expected_s, rel=1e-12)


@pytest.mark.parametrize(
    ("nbytes", "turns"), [(1448, 3), (30 * 1448, 2), (90 * 1448, 1), (600 * 1448, 0)]
)
def test_requests_beside_the_data_hide_while_it_moves(nbytes, turns):
    """Six of them, two places: one hides beside a segment, and one more for each RTT of data."""
    beside = Application(beside=6, parallel=2)
    plain_s = took_s(Application(), nbytes=nbytes)
    assert took_s(beside, nbytes=nbytes) == pytest.approx(plain_s + turns * RTT_S, rel=1e-9)
    alone_s = took_s(Application(), "up", nbytes=nbytes)
    # In an upload they wait for the data before them.
    assert took_s(beside, "up", nbytes=nbytes) == pytest.approx(alone_s + 3 * RTT_S, rel=1e-9)


def test_a_lost_request_beside_the_data_waits_for_its_timeout():
    """The losses of six requests lengthen messages; a seed draws the same ones again."""
    path = "down", 1448, RTT_S, RATE_BPS

    def longest_s(application):
        drawn = draw_flights(
            lambda rng: application_flights(IDEAL, application, *path, loss=0.3, rng=rng)[0]
        )
        return [flights[-1].round_s for flights in drawn]

    waits_s = longest_s(Application(beside=6, parallel=2))
    assert min(waits_s) >= 3 * RTT_S
    assert max(waits_s) > 3 * RTT_S + 0.2
    assert waits_s == longest_s(Application(beside=6, parallel=2))


def test_the_window_grows_from_request_to_request_by_hand():
    # Requests of 25 segments: windows of 10 and 20 (15 used), then one of 35 for the second.
    expected_s = 2 * RTT_S + (RTT_S + TAU_S - 10 * TAU_S) + 25 * TAU_S
    first_s = took_s(Application(), nbytes=25 * 1448)
    assert first_s == pytest.approx(expected_s, rel=1e-12)
    both_s = took_s(Application(requests=2), nbytes=50 * 1448)
    assert both_s == pytest.approx(expected_s + RTT_S + 25 * TAU_S, rel=1e-12)


def test_every_turn_finds_an_idle_token_bucket():
    application, nbytes = Application(requests=4), 4 * 1448
    saved_s = took_s(application, nbytes=nbytes) - took_s(application, nbytes=nbytes, tcp=Tcp())
    assert saved_s == pytest.approx(4 * TAU_S, rel=1e-9)


@given(nbytes=st.integers(0, 10**6), requests=st.integers(1, 300), parallel=st.integers(1, 5))
def test_turns_have_all_bytes_in_equal_parts(nbytes, requests, parallel):
    turns = Application(requests=requests, parallel=parallel).turns(nbytes)
    sizes = [size for turn in turns for size in turn]
    assert sum(sizes) == nbytes
    assert len(sizes) == max(1, min(requests, nbytes))
    assert set(sizes[:-1]) <= {nbytes // len(sizes)}
    assert sizes[-1] >= sizes[0]
    assert all(len(turn) == parallel for turn in turns[:-1])


def test_each_request_has_headers_of_its_own():
    flights, _ = application_flights(
        Tcp(), Application(requests=100), "up", 100_000, RTT_S, RATE_BPS
    )
    assert sum(flight.size_B for flight in flights) == 100 * wire_bytes(Tcp(), 1000)
    assert 100 * wire_bytes(Tcp(), 1000) > wire_bytes(Tcp(), 100_000)


# --- kept connections


@pytest.mark.parametrize(("direction", "rtts"), [("down", 1), ("up", 0.5)])
@pytest.mark.parametrize("tls", [False, True])
def test_a_download_on_an_open_connection_is_asked_for(direction, rtts, tls):
    application = Application(keeps_connection=True, tls=tls, grpc=tls)
    found_s = took_s(application, direction, connection=OPEN)
    assert found_s == pytest.approx(rtts * RTT_S + TAU_S, rel=1e-12)
    # Without `handshake`, connections are open from the start.
    ready_s = took_s(application, direction, tcp=Tcp(handshake=False, token_bucket=False))
    assert ready_s == pytest.approx(found_s, rel=1e-12)


def test_a_kept_window_saves_slow_start():
    application, nbytes = Application(keeps_connection=True), 60 * 1448
    begins_s = took_s(application, nbytes=nbytes, connection=OPEN)
    kept_s = took_s(application, nbytes=nbytes, connection=Connection(True, 60.0))
    assert kept_s == pytest.approx(RTT_S + 60 * TAU_S, rel=1e-12)
    assert begins_s == pytest.approx(kept_s + 2 * (RTT_S + TAU_S) - 30 * TAU_S, rel=1e-12)


def test_a_window_is_kept_for_a_round_trip_and_200_ms():
    connections = Connections()
    assert connections.of(3, "down", 0.0) == Connection(False, None)
    connections.arrived(3, "down", 40.0, 10.0, RTT_S)
    assert connections.of(3, "down", 10.239) == Connection(True, 40.0)
    assert connections.of(3, "down", 10.24) == Connection(True, None)
    assert connections.of(3, "up", 10.0) == Connection(True, None)  # the other side's window
    assert connections.of(4, "down", 10.0) == Connection(False, None)
    connections.close(3)
    connections.close(3)
    assert connections.of(3, "down", 10.0) == Connection(False, None)


# --- loss


def mean_s(application, loss, draws=400):
    found = []
    for number in range(draws):
        rng = np.random.default_rng([1, number])
        flights, _ = application_flights(
            Tcp(), application, "down", 15_000, RTT_S, RATE_BPS, loss=loss, rng=rng
        )
        found.append(flights[0].round_s)
    return float(np.mean(found))


@pytest.mark.parametrize("keys", [{"calls": 20}, {"tls": True}, {"grpc": True}])
def test_each_round_trip_before_the_message_may_lose_a_packet(keys):
    application, loss = Application(**keys), 0.05
    extra = application.calls + application.tls + application.grpc
    plain_s = mean_s(Application(), loss)
    lossless_s = mean_s(application, 1e-12) - mean_s(Application(), 1e-12)
    # Each of the `extra` exchanges fails with 1 - 0.95^2, and waits for RTT + 0.2 s at first.
    fails = 1 - (1 - loss) ** 2
    least_s = extra * fails / (1 - fails) * (RTT_S + 0.2)
    lost_s = mean_s(application, loss) - plain_s - lossless_s
    assert least_s / 2 < lost_s < 2 * least_s


def test_a_turn_that_loses_a_segment_leaves_a_smaller_window():
    ends = set()
    for number in range(200):
        rng = np.random.default_rng(number)
        _, window = application_flights(
            Tcp(), Application(requests=3), "down", 30 * 1448, RTT_S, RATE_BPS, loss=0.01, rng=rng
        )
        ends.add(round(window, 9))
    _, whole = application_flights(
        Tcp(), Application(requests=3), "down", 30 * 1448, RTT_S, RATE_BPS
    )
    assert max(ends) == whole
    assert 1 <= min(ends) <= 0.7 * whole


@settings(deadline=None)
@given(
    nbytes=st.integers(0, 200_000),
    requests=st.integers(1, 20),
    parallel=st.integers(1, 3),
    loss=st.floats(0.001, 0.5),
    seed=st.integers(0, 99),
)
def test_no_byte_is_lost_for_good(nbytes, requests, parallel, loss, seed):
    application = Application(requests=requests, parallel=parallel, keeps_connection=True)
    rng = np.random.default_rng(seed)
    flights, window = application_flights(
        Tcp(), application, "down", nbytes, RTT_S, RATE_BPS, OPEN, loss, rng
    )
    wire_B = sum(wire_bytes(Tcp(), size) for turn in application.turns(nbytes) for size in turn)
    assert sum(flight.size_B for flight in flights) >= wire_B * (1 - 1e-12)
    assert 1 <= window < math.inf
