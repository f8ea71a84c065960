"""The incremental engine against a naive one, on stars, nested stars and meshes."""

import heapq
import math
import random

import pytest
from hypothesis import example, given, reject, settings, strategies as st

from emulator.network.fairness import keyed_heap, mesh, star
from emulator.network.fairness.engine import FlowEngine
from emulator.network.fairness.star import Star

# --- an independent solution: raise all rates together, one binding constraint at a time


def naive_rates(capacity_Bps, flows):
    """{flow: rate} for {flow: (links, cap)}: all rise by the step that the first of them can."""
    rates, rising = dict.fromkeys(flows, 0.0), set(flows)
    while rising:
        steps = [flows[f][1] - rates[f] for f in rising]
        for link, capacity in enumerate(capacity_Bps):
            on = [f for f in flows if link in flows[f][0]]
            count = len(rising.intersection(on))
            if count:
                steps.append((capacity - math.fsum(rates[f] for f in on)) / count)
        step = max(0.0, min(steps))
        for f in rising:
            rates[f] += step
        full = {
            link
            for link, capacity in enumerate(capacity_Bps)
            if math.fsum(rates[f] for f in flows if link in flows[f][0]) >= capacity * (1 - 1e-12)
        }
        stuck = {
            f
            for f in rising
            if rates[f] >= flows[f][1] * (1 - 1e-12) or full.intersection(flows[f][0])
        }
        assert stuck
        rising -= stuck
    return rates


class Naive:
    """The same interface by the shortest way: every flow is moved at every event."""

    def __init__(self, capacity_Bps):
        self.capacity_Bps, self.now_s, self.flows, self.left_B = list(capacity_Bps), 0.0, {}, {}

    def rates(self):
        return naive_rates(self.capacity_Bps, self.flows)

    def finishes(self):
        rates = self.rates()
        return {
            f: self.now_s + left / rates[f] if rates[f] else (math.inf if left else self.now_s)
            for f, left in self.left_B.items()
        }

    def run_until(self, now_s):
        """{flow: finish_s} of those that finish on the way."""
        done = {}
        while True:
            rates, finishes = self.rates(), self.finishes()
            until_s = min([now_s, *finishes.values()])
            for f, rate in rates.items():
                self.left_B[f] = max(0.0, self.left_B[f] - rate * (until_s - self.now_s))
            self.now_s = until_s
            ended = [f for f, finish_s in finishes.items() if finish_s <= until_s * (1 + 1e-12)]
            for f in ended:
                done[f] = finishes[f]
                del self.flows[f], self.left_B[f]
            if not ended:
                return done


LINKS = 6
capacities = st.sampled_from([0.0, 1.0, 2.5, 10.0, 30.0, 100.0])
caps = st.one_of(st.just(math.inf), st.sampled_from([0.0, 0.5, 2.0, 3.0, 10.0]))
sizes = st.sampled_from([0, 1, 7, 20, 100, 1000])
private = st.integers(0, LINKS - 2).map(lambda link: (link, LINKS - 1))  # links 0..4 and a hub
nested = st.sampled_from([(0, 5), (0, 5), (1, 5), (5,), (2,), ()])
cells = st.sampled_from([(0, 4, 5), (1, 4, 5), (2, 3, 5), (3, 5), (0, 1), (2,), (4, 5)])
waits = st.sampled_from([0.0, 0.0, 0.0, 0.5, 1.0, 10 / 3, 20.0])


def operations(paths):
    return st.lists(
        st.tuples(
            waits,
            st.one_of(
                st.tuples(st.just("start"), paths, sizes, caps),
                st.tuples(st.just("cancel"), st.integers(0, 20)),
                st.tuples(st.just("set_cap"), st.integers(0, 20), caps),
                st.tuples(st.just("set_capacity"), st.integers(0, LINKS - 1), capacities),
            ),
        ),
        max_size=25,
    )


def told_until(fluid, now_s):
    """{flow: finish_s}, each told at its own instant."""
    told = {}
    while (next_s := fluid.next_finish()) <= now_s and next_s < math.inf:
        told |= dict.fromkeys(fluid.advance(next_s), next_s)
    if now_s < math.inf:
        assert not fluid.advance(now_s)
    return told


def check(steps):
    capacity_Bps = [10.0, 2.5, 30.0, 10.0, 20.0, 30.0]
    fluid, naive, now_s, started = FlowEngine(capacity_Bps), Naive(capacity_Bps), 0.0, {}

    def agree_until(then_s):
        expected, told = naive.run_until(then_s), told_until(fluid, then_s)
        if told.keys() != expected.keys():
            # A finish that rounds to either side of this event is nobody's mistake.
            at_s = {**naive.finishes(), **expected}
            odd_s = [at_s[flow] for flow in told.keys() ^ expected.keys()]
            assert odd_s == pytest.approx([then_s] * len(odd_s), rel=1e-9)
            reject()
        assert told == pytest.approx(expected, rel=1e-9)
        rates = {f: fluid.rate(f) for f in naive.flows}
        assert rates == pytest.approx(naive.rates(), rel=1e-9, abs=1e-9)
        next_s = min(naive.finishes().values(), default=math.inf)
        assert fluid.next_finish() == pytest.approx(next_s, rel=1e-9)

    for wait_s, (name, *arguments) in steps:
        if wait_s:
            now_s += wait_s
            agree_until(now_s)
        if name == "start":
            path, size_B, cap_Bps = arguments
            cap_Bps = cap_Bps if path else min(cap_Bps, 4.0)
            flow = fluid.start(now_s, path, size_B, cap_Bps)
            naive.flows[flow], naive.left_B[flow] = (path, cap_Bps), float(size_B)
            started[flow] = size_B
        elif name == "set_capacity":
            naive.capacity_Bps[arguments[0]] = arguments[1]
            fluid.set_capacity(now_s, *arguments)
        elif naive.flows:
            flow = sorted(naive.flows)[arguments[0] % len(naive.flows)]
            links, _ = naive.flows[flow]
            if name == "set_cap":
                cap_Bps = arguments[1] if links else min(arguments[1], 4.0)
                naive.flows[flow] = links, cap_Bps
                fluid.set_cap(now_s, flow, cap_Bps)
            else:
                del naive.flows[flow]
                moved_B = started[flow] - naive.left_B.pop(flow)
                assert fluid.cancel(now_s, flow) == pytest.approx(moved_B, rel=1e-9, abs=1e-9)
    agree_until(now_s)


@settings(deadline=None)
@given(operations(private))
def test_a_star_agrees_with_the_naive_engine(steps):
    check(steps)


@settings(deadline=None)
@given(operations(nested))
def test_flows_that_share_an_access_link_agree(steps):
    check(steps)


@settings(deadline=None)
@given(operations(cells))
@example([(0.0, ("start", path, 100, math.inf)) for path in [(0, 4, 5), (1, 4, 5), (3, 5), (2,)]])
def test_cells_agree(steps):
    check(steps)


# --- order


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(1, 50), st.floats(1, 1000), st.booleans()), max_size=12),
    st.floats(1, 100),
    st.randoms(use_true_random=False),
)
def test_the_order_of_simultaneous_events_changes_no_bit(flows, hub_Bps, rng):
    """Half of the flows join at 0; at 1 s those leave that shall, and the others join."""

    def run(order):
        fluid, told, flow_of = FlowEngine([*(access for access, _, _ in flows), hub_Bps]), {}, {}

        def join(at_s, first):
            for i in order:
                if (i % 2 == 0) == first:
                    flow_of[fluid.start(at_s, (i, len(flows)), flows[i][1])] = i

        def tell(at_s):
            told.update((flow_of[f], finish_s) for f, finish_s in told_until(fluid, at_s).items())

        join(0.0, True)
        tell(1.0)
        for flow, i in sorted(flow_of.items(), key=lambda item: order.index(item[1])):
            if flows[i][2] and i not in told:
                fluid.cancel(1.0, flow)
            elif i not in told:
                fluid.set_cap(1.0, flow, flows[i][0] / 2)
        join(1.0, False)
        tell(math.inf)
        return told

    order = list(range(len(flows)))
    expected = run(order)
    rng.shuffle(order)
    assert run(order) == expected


def test_flows_that_finish_together_are_told_by_id_whatever_their_caps():
    rng = random.Random(3)
    access = [rng.uniform(2, 50) for _ in range(60)]
    fluid = FlowEngine([*access, 70.0])  # theta is 7 / 6: nobody is capped
    for client in rng.sample(range(60), 60):
        fluid.start(0.1, (client, 60), 12.3)
    assert fluid.advance(fluid.next_finish()) == list(range(60))


def test_flows_that_join_a_busy_star_together_finish_together():
    rng = random.Random(4)
    # Every second one that joins has the cap of one that has been there; theta is about 1.
    access = [cap for _ in range(10) for cap in [rng.uniform(2, 50)] * 2 + [rng.uniform(2, 50)]]
    fluid = FlowEngine([*access, 31.3])
    for client in range(0, 30, 3):
        fluid.start(client / 7, (client, 30), 1e4)
    joined = [fluid.start(5.1, (client, 30), 12.3) for client in range(30) if client % 3]
    assert fluid.advance(fluid.next_finish()) == joined


def test_many_capped_flows_in_any_order_leave_the_same_to_the_rest():
    rng = random.Random(5)
    caps_Bps = [rng.uniform(0.1, 3) for _ in range(500)]
    thetas = set()
    for _ in range(5):
        star = Star(0.0, 1000.3)
        star.add(0.0, 500, 1e9, math.inf)
        for flow in rng.sample(range(500), 500):
            star.add(0.0, flow, 1e9, caps_Bps[flow])
            star.next_finish()  # each is taken in by itself
        thetas.add(star.rate(500))
    assert len(thetas) == 1


def test_after_thousands_came_and_went_theta_is_what_it_was():
    star = Star(0.0, 10.1)
    star.add(0.0, 0, 1e9, math.inf)
    for flow in range(1, 3000):
        star.add(0.0, flow, 1e6, 0.1 + flow / 7000)
        star.next_finish()
        star.remove(0.0, flow)
    assert star.rate(0) == 10.1


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(1, 50), st.floats(1, 1000)), min_size=1, max_size=10),
    st.floats(1, 100),
    st.tuples(st.floats(1, 50), st.floats(1, 1000), st.floats(0, 20)),
)
def test_one_more_flow_in_a_star_makes_no_other_finish_earlier(flows, hub_Bps, extra):
    def run(with_extra):
        caps_Bps = [cap for cap, _ in flows]
        fluid = FlowEngine([*caps_Bps, extra[0], hub_Bps])
        for i, (_, size_B) in enumerate(flows):
            fluid.start(0.0, (i, len(flows) + 1), size_B)
        told = told_until(fluid, extra[2])
        if with_extra:
            fluid.start(extra[2], (len(flows), len(flows) + 1), extra[1])
        return told | told_until(fluid, math.inf)

    without, with_it = run(False), run(True)
    assert all(with_it[flow] >= finish_s * (1 - 1e-12) for flow, finish_s in without.items())


# --- cost, in operations


@pytest.fixture
def solved(monkeypatch):
    """How many flows each general solution was for."""
    seen, solve = [], mesh.max_min_rates

    def counting(capacity_Bps, paths, caps_Bps):
        seen.append(len(paths))
        return solve(capacity_Bps, paths, caps_Bps)

    monkeypatch.setattr(mesh, "max_min_rates", counting)
    return seen


@pytest.fixture
def work(monkeypatch):
    """Pushes to heaps and pops from them, what costs a logarithm, as a list to count."""
    seen = []

    def counted(operation):
        def counting(*arguments):
            seen.append(None)
            return operation(*arguments)

        return counting

    for module in (star, keyed_heap):
        for name in ("heappush", "heappop"):
            monkeypatch.setattr(module, name, counted(getattr(heapq, name)))
    return seen


def test_a_star_is_never_solved_as_a_whole(solved):
    fluid = FlowEngine([1.0, 2.0, 4.0, 8.0, 9.0])
    for client in (0, 1, 2, 3, 3):  # two messages of the last client
        fluid.start(0.0, (client, 4), 10)
    assert len(told_until(fluid, math.inf)) == 5
    assert solved == []


def test_only_the_part_that_changes_is_solved(solved):
    """Two meshes, of three and four flows; and what is left of one is a star."""
    fluid = FlowEngine([10.0] * 6)
    for links in [(0, 1), (1, 2), (2, 0)]:
        fluid.start(0.0, links, 1000)
    for links in [(3, 4), (4, 5), (5, 3), (3,)]:
        fluid.start(0.0, links, 1000)
    fluid.next_finish()
    assert solved == [3, 4]
    fluid.set_cap(1.0, 5, 1.0)
    fluid.next_finish()
    assert solved == [3, 4, 4]
    fluid.cancel(2.0, 0)
    fluid.next_finish()
    assert solved == [3, 4, 4]
    assert fluid.rate(1) == fluid.rate(2) == 5.0


def drained(n):
    rng = random.Random(n)
    fluid = FlowEngine([*(rng.uniform(1, 100) for _ in range(n)), 10.0 * n])
    for client in range(n):
        fluid.start(0.0, (client, n), rng.uniform(1, 1000))
    assert len(told_until(fluid, math.inf)) == n


@pytest.mark.parametrize("n", [100, 1000, 4000])
def test_work_per_completion_does_not_grow_when_a_star_drains(work, n):
    drained(n)
    assert len(work) < 14 * n


def toggled(n, toggles):
    """Crossings where one flow comes and goes, and n distinct caps lie between its two thetas."""
    star = Star(0.0, 100.0 * n + 152)  # theta: over 101 for one free flow, under 100 for two
    star.add(0.0, n, 1e9, math.inf)
    for flow in range(n):
        star.add(0.0, flow, 1e9, 100 + 50 * flow / n**2)
    crossings = []
    for toggle in range(toggles):
        star.next_finish()
        before = star.crossings
        if toggle % 2:
            star.remove(float(toggle), n + toggle)
        else:
            star.add(float(toggle), n + toggle + 1, 1e9, math.inf)
        star.next_finish()
        crossings.append(star.crossings - before)
    return crossings


def test_the_worst_case_is_as_the_bound_says(work):
    crossings = toggled(500, 40)
    assert crossings == [500] * 40
    assert len(work) < 4 * (sum(crossings) + 500)


@settings(deadline=None)
@given(
    st.lists(st.floats(1, 50), min_size=1, max_size=60),
    st.floats(1, 60),
    st.floats(0.1, 1.1),
    st.lists(st.booleans(), max_size=10),
)
def test_one_flow_crosses_no_more_classes_than_its_share_pays_for(caps, new_cap, room, joins):
    """Of the caps c that change sides, sum (c - theta) <= theta, the lower theta of the two."""
    star = Star(0.0, room * math.fsum(caps))
    star.add(0.0, 0, 1e9, math.inf)
    for flow, cap_Bps in enumerate(caps, 1):
        star.add(0.0, flow, 1e9, cap_Bps)
    there, now_s = None, 0.0
    for join in joins:
        before_Bps, before, now_s = star.rate(0), star.crossings, now_s + 1
        if join == (there is None):
            there = round(now_s) + 100 if join else there
            if join:
                star.add(now_s, there, 1e9, new_cap)
            else:
                star.remove(now_s, there)
                there = None
        low_Bps, high_Bps = sorted([before_Bps, star.rate(0)])
        crossed = {c for c in caps if low_Bps < c <= high_Bps}
        assert math.fsum(c - low_Bps for c in crossed) <= low_Bps * (1 + 1e-9)
        assert abs(star.crossings - before - len(crossed)) <= (new_cap not in caps)


@pytest.mark.parametrize("n", [100, 1_000, 10_000])
def test_caps_that_keep_their_distance_cross_in_small_numbers(n):
    """As the module says: at most sqrt(2 theta / d) + 1, where caps lie d apart."""
    apart_Bps = 100 / n
    caps_Bps = [apart_Bps * (i + 1) for i in range(n)]
    star = Star(0.0, math.fsum(caps_Bps) * 0.99)
    star.add(0.0, 0, 1e9, math.inf)
    for flow, cap_Bps in enumerate(caps_Bps, 1):
        star.add(0.0, flow, 1e9, cap_Bps)
    most = 0
    for change in range(1, 30):
        star.next_finish()
        before = star.crossings
        if change % 2:
            star.add(float(change), n + change, 1e9, math.inf)
        else:
            star.remove(float(change), n + change - 1)
        theta_Bps = star.rate(0)
        assert star.crossings - before <= math.sqrt(2 * theta_Bps / apart_Bps) + 1
        most = max(most, star.crossings - before)
    assert most > 1


@settings(deadline=None)
@given(
    st.lists(st.floats(1, 50), min_size=1, max_size=30),
    st.lists(st.tuples(st.floats(0, 3), st.floats(1, 1000)), max_size=12),
)
def test_classes_that_cross_forth_and_back_keep_their_clocks(caps, capacities):
    """Bytes delivered by a capacity that jumps, against the sum of what the rates carried."""
    star, now_s, carried_B = Star(0.0, 100.0), 0.0, [0.0] * len(caps)
    for flow, cap_Bps in enumerate(caps):
        star.add(0.0, flow, 1e6, cap_Bps)
    for wait_s, capacity_Bps in capacities:
        for flow in range(len(caps)):
            carried_B[flow] += star.rate(flow) * wait_s
        now_s += wait_s
        star.next_finish()
        star.set_capacity(now_s, capacity_Bps)
    left_B = [star.remove(now_s, flow) for flow in range(len(caps))]
    assert left_B == pytest.approx([1e6 - B for B in carried_B], rel=1e-12)


def test_equal_caps_cross_as_one():
    star = Star(0.0, 1000.0)
    star.add(0.0, 0, 1e9, math.inf)
    for flow in range(1, 90):
        star.add(0.0, flow, 1e9, 11.0)
    star.next_finish()
    assert star.rate(0) == pytest.approx(21.0)
    star.set_capacity(1.0, 900.0)
    assert star.rate(1) == star.rate(0) == 10.0
    assert star.crossings == 1


def test_who_joins_a_cap_in_the_instant_that_it_empties_finishes():
    """The laws campaign found a star that waited for ever: for a flow that had left before."""
    star = Star(0.0, 100.0)
    star.add(0.0, 0, 10.0, 1.0)
    star.add(0.0, 1, 20.0, 1.0)
    star.next_finish()
    star.remove(5.0, 1)
    assert star.next_finish() == 10.0
    assert star.finish(10.0) == [0]
    star.add(10.0, 2, 30.0, 1.0)
    assert star.next_finish() == 40.0


def test_nothing_piles_up_where_a_flow_changes_often():
    star = Star(0.0, 10.0)
    star.add(0.0, 0, 1e9, 3.0)
    for stays, cap_Bps in [(1, 3.0), (2, 4.0)]:
        star.add(0.0, stays, 1e6, cap_Bps)
    for change in range(2_000):
        star.set_cap(change / 1000, 0, 3.0 + change % 2)
        star.next_finish()
    assert len(held(star)) < 150


def test_nothing_piles_up_where_caps_never_return():
    star = Star(0.0, 10.0)
    star.add(0.0, 0, 1e9, math.inf)
    star.next_finish()
    for flow in range(1, 2_000):
        star.add(float(flow), flow, 1e6, 1 + 1 / flow)
        star.next_finish()
        star.remove(float(flow), flow)
        star.next_finish()
    assert len(held(star)) < 150


def held(star):
    """Every entry of every heap."""
    heaps = [star._capped_caps, star._free_caps, star._by_time, star._by_clock]
    return [
        entry for heap in heaps + [kind.flows for kind in star._classes.values()] for entry in heap
    ]
