"""Messages where rates change."""

import numpy as np
import pytest
import simpy
from hypothesis import assume, given, settings, strategies as st

from emulator.common.errors import StalledError
from emulator.network import network as transfer
from emulator.network.capacity.profile import Profile
from emulator.network.fairness import engine
from emulator.network.network import Network
from emulator.network.tcp import Tcp, wire_bytes

FAST_BPS = 1e9


def network(clients=2, rate_Bps=FAST_BPS, server_Bps=FAST_BPS, delay_s=0.0, **kwargs):
    env = simpy.Environment()
    same, delays_s = np.full(clients, rate_Bps), np.full(clients, delay_s)
    return env, Network(env, same, same, delays_s, server_Bps, server_Bps, **kwargs)


def finish_s(*events):
    return [event.value.finish_s for event in events]


# --- rates that change


OUTAGE = Profile([0.0, 2.0, 5.0], [10.0, 0.0, 4.0], period_s=8.0)


@pytest.mark.parametrize("link", [("client", "up", 1), ("server", "down", 0)])
def test_an_upload_over_an_outage_by_hand(link):
    # 20 B, none for 3 s, 12 B in 3 s, and 5 B of the next period.
    env, net = network(profiles={link: OUTAGE})
    sent, other_way, other_client = net.upload(1, 37), net.download(1, 37), net.upload(0, 0)
    env.run()
    assert finish_s(sent) == [8.5]
    assert finish_s(other_way, other_client) == [37 / FAST_BPS, 0.0]


def test_a_message_that_begins_in_an_outage_waits_for_its_end():
    env, net = network(profiles={("client", "down", 0): OUTAGE.shifted(3.0)})
    got = net.download(0, 8)
    env.run()
    assert finish_s(got) == [4.0]


def test_an_idle_time_ends_in_what_the_link_does_then():
    env, net = network(profiles={("client", "down", 0): OUTAGE})
    first = net.download(0, 5)
    env.run()
    assert (finish_s(first), env.now) == ([0.5], 0.5)  # nobody waits for the change at 2 s
    env.run(until=9.5)
    second = net.download(0, 9)
    env.run()
    assert finish_s(second) == [8 + 2 + 3 + 1.0]


def test_what_one_client_cannot_take_the_other_gets():
    # 12 B/s for both: 6 each for 1 s; then 2 and 10 for 3 s; then 12 for the second.
    slowing = Profile([0.0, 1.0], [100.0, 2.0])
    env, net = network(server_Bps=12.0, profiles={("client", "up", 0): slowing})
    slow, fast = net.upload(0, 12), net.upload(1, 60)
    env.run()
    assert finish_s(slow, fast) == [4.0, 6.0]


def test_links_that_change_for_ever_leave_time_to_whoever_steps_through_it():
    env, net = network(profiles={("client", "up", 0): Profile([0.0, 1.0], [1.0, 2.0], period_s=2)})
    net.upload(0, 10**12)
    for _ in range(5):
        env.step()
    assert env.now <= 5.0


def test_cancel_in_a_varying_rate_tells_what_had_come():
    env, net = network(profiles={("client", "up", 0): OUTAGE})
    gone, stays = net.upload(0, 100), net.upload(0, 10)
    env.run(until=3.5)
    assert net.cancel(gone) == 10.0
    assert finish_s(stays) == [2.0]
    env.run()  # ends: nobody looks at the link any more
    assert env.now == 5.0  # but for a timer that SimPy cannot take back


@st.composite
def smooth_profiles(draw):
    """Of any floats; zero now and then, but not in the end."""
    lengths_s = draw(st.lists(st.floats(0.01, 10), min_size=1, max_size=6))
    rates = [draw(st.one_of(st.just(0.0), st.floats(0.1, 100))) for _ in lengths_s[1:]]
    ends_s = np.cumsum([0.0, *lengths_s])
    period_s = draw(st.sampled_from([None, ends_s[-1]]))
    return ends_s[:-1], [*rates, draw(st.floats(0.1, 100))], period_s, draw(st.floats(0, 30))


@settings(deadline=None)
@given(smooth_profiles(), st.floats(0, 50), st.integers(1, 1000))
def test_a_transfer_alone_inverts_the_integral_of_its_rate(steps, start_s, nbytes):
    times_s, rates, period_s, offset_s = steps
    # The integral, unrolled over periods, as points that numpy interpolates between.
    ends_s = [*times_s, period_s or times_s[-1] + 1e6]
    passed = np.cumsum([0.0, *np.diff(ends_s) * rates])
    periods = int((start_s + offset_s) // period_s + nbytes / passed[-1]) + 3 if period_s else 1
    assume(periods <= 10_000)  # each adds rounding, and takes its events: 335,000 were 1.6e-9 off
    numbers = np.repeat(np.arange(periods), len(times_s))
    at_s = np.append(numbers * (period_s or 0) + np.tile(times_s, periods), periods * ends_s[-1])
    at_B = np.append(numbers * passed[-1] + np.tile(passed[:-1], periods), periods * passed[-1])
    target_B = np.interp(start_s + offset_s, at_s, at_B) + nbytes
    piece = np.searchsorted(at_B, target_B) - 1  # the first time at which they have all come
    expected_s = (
        at_s[piece] + (target_B - at_B[piece]) / np.diff(at_B)[piece] * np.diff(at_s)[piece]
    )

    env, net = network(profiles={("client", "up", 0): Profile(times_s, rates, period_s, offset_s)})
    env.run(until=start_s or None)
    sent = net.upload(0, nbytes)
    env.run()
    took_s = finish_s(sent)[0] - start_s
    # By the bytes, then the time: a last byte at the start of an outage may be rounded past it.
    assert np.interp(finish_s(sent)[0] + offset_s, at_s, at_B) == pytest.approx(target_B, rel=1e-9)
    assert took_s <= (expected_s - offset_s - start_s) * (1 + 1e-9) + 1e-9


def test_a_finish_at_the_start_of_an_outage_is_before_it():
    rng = np.random.default_rng(1)
    for _ in range(300):
        clients, nbytes = int(rng.integers(1, 8)), int(rng.integers(1, 5000))
        rate_Bps, start_s = rng.uniform(1, 1000), rng.uniform(0, 10)
        end_s = start_s + clients * nbytes / rate_Bps
        profile = Profile([0.0, end_s, end_s + 100], [rate_Bps, 0.0, rate_Bps])
        env, net = network(clients, profiles={("server", "up", 0): profile})
        env.run(until=start_s)
        events = [net.download(client, nbytes) for client in range(clients)]
        env.run()
        assert finish_s(*events) == pytest.approx([end_s] * clients, rel=1e-11)


def test_links_that_nobody_uses_cost_nothing(monkeypatch):
    asked, changed = [], []
    set_capacity = engine.FlowEngine.set_capacity

    class Fleet(dict):
        def get(self, name):
            asked.append(name)
            party, _, index = name
            return OUTAGE.shifted(index % 5) if party == "client" else None

    monkeypatch.setattr(
        engine.FlowEngine,
        "set_capacity",
        lambda self, now_s, link, rate: (
            changed.append(now_s) or set_capacity(self, now_s, link, rate)
        ),
    )
    env, net = network(1_000_000, profiles=Fleet())
    events = net.upload(999_999, 10), net.download(5, 30)
    env.run(until=1e6)
    # Offset 4: an outage until 1 s, and 10 B from then. No offset: 20 B until 2 s, 10 from 5 s.
    assert finish_s(*events) == [3.5, 7.5]
    assert {name for name in asked if name[0] == "client"} == {
        ("client", "up", 999_999),
        ("client", "down", 5),
    }
    assert len(asked) < 20
    assert changed == [0.0, 0.0, 1.0, 2.0, 5.0]


def test_a_run_with_profiles_repeats_itself_to_the_bit():
    def deliveries():
        rng = np.random.default_rng(1)
        steps = {
            ("client", way, c): Profile([0.0, 1.0], rng.uniform(1, 9, 2), 2.5, rng.uniform(0, 9))
            for c in range(20)
            for way in ("up", "down")
        }
        env, net = network(20, server_Bps=40.0, profiles=steps)
        sent = [net.upload(c, int(n)) for c, n in enumerate(rng.integers(1, 100, 20))]
        got = [net.download(c, int(n)) for c, n in enumerate(rng.integers(1, 100, 20))]
        env.run()
        return finish_s(*sent, *got)

    assert deliveries() == deliveries()


# --- TCP where rates change

PLAIN = Tcp(slow_start=False, token_bucket=False, handshake=False)


def test_headers_wait_for_the_rate_as_payload_does():
    halves = Profile([0.0, 1.0], [1e6, 5e5])
    env, net = network(transport=PLAIN, profiles={("client", "up", 0): halves})
    sent = net.upload(0, 2_000_000)
    env.run()
    assert finish_s(sent) == pytest.approx([1 + (wire_bytes(PLAIN, 2_000_000) - 1e6) / 5e5])


@pytest.mark.parametrize("now_s", [0.0, 1.0, 3.0])
def test_slow_start_goes_by_the_rate_at_its_start(now_s):
    # 1 MB/s, then none, then 2 MB/s. In the outage what counts is the mean.
    rates = Profile([0.0, 2.0, 4.0], [1e6, 0.0, 2e6], 6.0)
    env, net = network(delay_s=0.02, transport=Tcp(), profiles={("client", "down", 0): rates})
    env.run(until=now_s or None)
    got = net.download(0, 50_000)
    env.run()
    if now_s < 2:
        still, constant = network(rate_Bps=1e6, delay_s=0.02, transport=Tcp())
        expected = constant.download(0, 50_000)
        still.run()
        assert finish_s(got)[0] - now_s == pytest.approx(finish_s(expected)[0], rel=1e-12)
    else:
        # At 1 MB/s the windows are of 10, 20 and 5 segments. The first one's round is over when
        # the outage is; the second one's is one RTT as ever.
        tau_s, rest_B = 1514 / 1e6, wire_bytes(Tcp(), 50_000) - 30 * 1514
        expected_s = 4 + 10 * 1514 / 2e6 + (0.04 + tau_s) + rest_B / 2e6
        assert finish_s(got)[0] == pytest.approx(expected_s, rel=1e-9)


def test_links_that_are_never_up_together_are_said_to_be(monkeypatch):
    # The client sends in even seconds, the server receives in odd ones.
    monkeypatch.setattr(transfer, "PATIENCE", 1000)
    turns = Profile([0.0, 1.0], [10.0, 0.0], period_s=2.0)
    profiles = {("client", "up", 0): turns, ("server", "down", 0): turns.shifted(1.0)}
    env, net = network(profiles=profiles)
    net.upload(0, 1)
    with pytest.raises(StalledError, match="never up at the same time"):
        env.run()
    assert 999 <= env.now <= 1001


def test_who_gives_up_a_message_may_wait_for_longer(monkeypatch):
    monkeypatch.setattr(transfer, "PATIENCE", 10)
    turns = Profile([0.0, 1.0], [10.0, 0.0], period_s=2.0)
    profiles = {("client", "up", 0): turns, ("server", "down", 0): turns.shifted(1.0)}
    env, net = network(profiles=profiles)
    stuck = net.upload(0, 1)
    env.run(until=100.0)
    assert net.cancel(stuck) == 0.0
    env.run()


def test_a_slow_message_over_links_that_change_is_none_in_vain(monkeypatch):
    monkeypatch.setattr(transfer, "PATIENCE", 10)
    env, net = network(profiles={("client", "up", 0): Profile([0.0, 1.0], [1.0, 0.0], 2.0)})
    sent = net.upload(0, 500)
    env.run()
    assert finish_s(sent) == [999.0]


def test_nor_are_many_messages_that_each_begin_in_an_outage(monkeypatch):
    monkeypatch.setattr(transfer, "PATIENCE", 10)
    env, net = network(profiles={("client", "up", 0): Profile([0.0, 1.0], [0.0, 10.0], 2.0)})

    def client():
        for number in range(50):
            yield env.timeout(2 * number - env.now)
            yield net.upload(0, 5)
        return env.now

    assert env.run(env.process(client())) == 2 * 49 + 1.5
