"""Any cells, media and rates that change, against an independent solution in exact fractions."""

from fractions import Fraction

import numpy as np
import pytest
import simpy
from hypothesis import assume, given, settings, strategies as st

from emulator.network.capacity.profile import Profile
from emulator.network.network import Network

CLIENTS, CELLS = 4, 2
PARTIES = [("client", c) for c in range(CLIENTS)] + [("cell", c) for c in range(CELLS)]
WAYS = [(party, way, i) for party, i in PARTIES for way in ("up", "down")]
WAYS += [("server", "up", 0), ("server", "down", 0)]
LONG = range(10, 600)  # seconds: every three periods come together, and nobody starts so late

small_rates = st.sampled_from([1, 2, 3, 5, 8, 13])
small_steps = st.tuples(
    st.lists(st.sampled_from([0, 0, 1, 2, 4, 7]), min_size=1, max_size=3),
    st.sampled_from([1, 4, 9]),
    st.sampled_from([None, 1, 2, 5]),
    st.integers(0, 6),
)
messages = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 0, 1, 3, 7]),
        st.sampled_from(["up", "down"]),
        st.integers(0, CLIENTS - 1),
        st.sampled_from([0, 1, 6, 20, 60]),
    ),
    min_size=1,
    max_size=8,
)
worlds = st.tuples(
    st.lists(st.integers(-1, CELLS - 1), min_size=CLIENTS, max_size=CLIENTS),
    st.lists(st.booleans(), min_size=len(PARTIES), max_size=len(PARTIES)),
    st.lists(small_rates, min_size=len(WAYS), max_size=len(WAYS)),
    st.dictionaries(st.sampled_from(WAYS), small_steps, max_size=3),
)


class World:
    """Links by name, their capacities at a time, and the paths of messages, all told naively."""

    def __init__(self, cell, half_duplex, rates, profiles):
        self.cell, self.half = cell, dict(zip(PARTIES, half_duplex, strict=True))
        self.rate = dict(zip(WAYS, rates, strict=True))
        # Steps of one second; the last rate is above zero.
        self.steps = {way: ([*zeros, last], p, o) for way, (zeros, last, p, o) in profiles.items()}

    def capacity(self, link, now):
        if link[0] == "medium":
            return max(self.capacity((*link[1:2], way, link[2]), now) for way in ("up", "down"))
        if link not in self.steps:
            return self.rate[link]
        rates, pause, offset = self.steps[link]
        second = int(now + offset)
        if pause is None:
            return rates[min(second, len(rates) - 1)]
        return rates[min(second % (len(rates) - 1 + pause), len(rates) - 1)]

    def path(self, way, client):
        crossed = [("client", client), ("cell", self.cell[client])][: 1 + (self.cell[client] >= 0)]
        media = [("medium", party, i) for party, i in crossed if self.half[party, i]]
        server = ("server", "down" if way == "up" else "up", 0)
        return [(party, way, i) for party, i in crossed] + media + [server]

    def ends(self, messages):
        """Whether nobody waits for ever: two links may be up alternately, and never together."""
        return all(
            any(all(self.capacity(link, now) for link in self.path(way, client)) for now in LONG)
            for _, way, client, _ in messages
        )

    def network(self):
        def rates(party, way):
            return [float(r) for name, r in self.rate.items() if name[:2] == (party, way)]

        profiles = {
            way: Profile(range(len(r)), r, pause and len(r) - 1 + pause, offset)
            for way, (r, pause, offset) in self.steps.items()
        }
        env = simpy.Environment()
        return env, Network(
            env,
            rates("client", "up"),
            rates("client", "down"),
            np.zeros(CLIENTS),
            *rates("server", "down"),
            *rates("server", "up"),
            cell=self.cell,
            cell_up_Bps=rates("cell", "up"),
            cell_down_Bps=rates("cell", "down"),
            half_duplex=[self.half[party] for party in PARTIES[:CLIENTS]],
            cell_half_duplex=[self.half[party] for party in PARTIES[CLIENTS:]],
            profiles=profiles,
        )


def filled(capacity, paths):
    """Max-min rates by progressive filling: all rise by the step that the first link allows."""
    rates, rising = dict.fromkeys(paths, Fraction(0)), set(paths)
    while rising:
        left = {}
        for link in {link for flow in rising for link in paths[flow]}:
            used = sum(rates[flow] for flow in paths if link in paths[flow])
            left[link] = capacity(link) - used, sum(link in paths[flow] for flow in rising)
        step = min(spare / count for spare, count in left.values())
        for flow in rising:
            rates[flow] += step
        full = {link for link, (spare, count) in left.items() if spare == step * count}
        rising = {flow for flow in rising if not full.intersection(paths[flow])}
    return rates


def expected_finishes(small, messages):
    """Exact: rates are constant between whole seconds, starts and finishes."""
    now, left, done = Fraction(0), {}, {}
    starts = dict(enumerate(messages))
    while left or starts:
        for flow in [f for f, (start, *_) in starts.items() if start == now]:
            left[flow] = Fraction(starts.pop(flow)[3])
        done |= {flow: now for flow, nbytes in left.items() if not nbytes}
        left = {flow: nbytes for flow, nbytes in left.items() if nbytes}
        paths = {flow: small.path(*messages[flow][1:3]) for flow in left}
        rates = filled(lambda link: Fraction(small.capacity(link, now)), paths)  # noqa: B023
        until = min([now + left[f] / r for f, r in rates.items() if r] + [Fraction(int(now) + 1)])
        left = {flow: nbytes - rates[flow] * (until - now) for flow, nbytes in left.items()}
        now = until
    return [float(done[flow]) for flow in range(len(messages))]


def simulated(small, messages, check=lambda net, now_s: None):
    """When each message finishes; `check` sees the network when an instant of its links is over."""
    env, net = small.network()
    run, since_s = net._run, 0.0

    def watched(now_s, finishes=True):
        nonlocal since_s
        if now_s > since_s:
            check(net, since_s)
        run(now_s, finishes)
        since_s = now_s

    net._run = watched
    events = {}

    def send(flow, start, way, client, nbytes):
        yield env.timeout(start)
        events[flow] = (net.upload if way == "up" else net.download)(client, nbytes)

    for flow, message in messages:
        env.process(send(flow, *message))
    env.run()
    check(net, since_s)
    return [events[flow].value.finish_s for flow in sorted(events)]


@settings(deadline=None, max_examples=150)
@given(worlds, messages)
def test_finishes_are_those_of_progressive_filling(small, messages):
    small = World(*small)
    assume(small.ends(messages))
    expected_s = expected_finishes(small, messages)
    found_s = simulated(small, list(enumerate(messages)))
    assert found_s == pytest.approx(expected_s, rel=1e-9)


@settings(deadline=None)
@given(worlds, messages)
def test_no_link_carries_more_than_it_can_at_any_instant(small, messages):
    small, carried_B, before = World(*small), {}, [0.0, {}]
    assume(small.ends(messages))

    def check(net, now_s):
        last_s, rates = before
        for flow, rate in rates.items():
            carried_B[flow] = carried_B.get(flow, 0.0) + rate * (now_s - last_s)
        used, rates = {}, {}
        for flow, message in net._in_flight.items():
            rates[message] = net._engine.rate(flow)
            for link in message.path:
                used[link] = used.get(link, 0.0) + rates[message]
        for link, rate in used.items():
            allowed_Bps, until_s = net._links.piece(link, now_s)
            assert rate <= allowed_Bps * (1 + 1e-9) or until_s - now_s < 1e-9
        before[:] = now_s, rates

    simulated(small, list(enumerate(messages)), check)
    sizes = sorted(nbytes for *_, nbytes in messages if nbytes)
    assert sorted(carried_B.values()) == pytest.approx(sizes, rel=1e-9)


@settings(deadline=None)
@given(worlds, messages, st.randoms(use_true_random=False))
def test_the_order_of_what_happens_at_once_does_not_matter(small, messages, random):
    assume(World(*small).ends(messages))
    numbered = list(enumerate(messages))
    shuffled = random.sample(numbered, len(numbered))
    first_s, second_s = (simulated(World(*small), order) for order in (numbered, shuffled))
    assert first_s == pytest.approx(second_s, rel=1e-12)
