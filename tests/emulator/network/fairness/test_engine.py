"""The fluid engine against closed forms, the definition of max-min fairness, and SimGrid."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from emulator.network.fairness.engine import FlowEngine
from emulator.network.fairness.progressive_filling import max_min_rates

ROOT = Path(__file__).parents[4]
SAMPLE = ROOT / "tests/data/simgrid_star_sample.json"
WHOLE = ROOT.parent / "shared/reference/simgrid_star.json"


def finishes(fluid, until_s=math.inf):
    """[(finish_s, flow)] of all that finish, each told at its own instant."""
    told = []
    while (now_s := fluid.next_finish()) < until_s:
        told += [(now_s, flow) for flow in fluid.advance(now_s)]
    return told


# --- closed forms


def test_one_flow_takes_its_bytes_over_its_tightest_link():
    fluid = FlowEngine([100.0, 25.0])
    flow = fluid.start(3.0, [0, 1], 50)
    assert fluid.rate(flow) == 25.0
    assert finishes(fluid) == [(5.0, flow)]


@pytest.mark.parametrize("n", [1, 2, 7, 100])
def test_equal_flows_share_a_link_equally_and_finish_together(n):
    fluid = FlowEngine([10.0])
    flows = [fluid.start(1.0, [0], 30) for _ in range(n)]
    times_s, told = zip(*finishes(fluid), strict=True)
    assert list(told) == flows
    assert times_s == pytest.approx([1 + 3 * n] * n, rel=1e-14)


def test_a_shorter_flow_leaves_its_share_to_the_longer():
    # Both at 5 until the first has its 10 at t = 2; then 20 more at 10.
    fluid = FlowEngine([10.0])
    short, long = fluid.start(0.0, [0], 10), fluid.start(0.0, [0], 30)
    assert finishes(fluid) == [(2.0, short), (4.0, long)]


def test_one_advance_passes_through_every_finish_on_the_way():
    fluid = FlowEngine([10.0])
    long, short = fluid.start(0.0, [0], 30), fluid.start(0.0, [0], 10)
    assert fluid.advance(4.0) == [short, long]
    assert fluid.advance(4.0) == []


def test_a_late_flow_takes_its_share_from_then_on():
    # Alone for 2 s (20 of 30 B), then 5 each: the first ends at 4, the second has 10 of 30 left.
    fluid = FlowEngine([10.0])
    early = fluid.start(0.0, [0], 30)
    late = fluid.start(2.0, [0], 30)
    assert finishes(fluid) == [(4.0, early), (6.0, late)]


def test_what_a_capped_flow_leaves_is_shared_by_the_rest():
    fluid = FlowEngine([10.0])
    capped = fluid.start(0.0, [0], 100, cap_Bps=1.0)
    free = [fluid.start(0.0, [0], 100) for _ in range(3)]
    assert fluid.rate(capped) == 1.0
    assert [fluid.rate(flow) for flow in free] == [3.0] * 3


def test_a_star_bound_by_its_server_and_one_bound_by_its_clients():
    clients = [1.0, 2.0, 4.0, 8.0]
    for server, expected in [
        (4.0, [1.0, 1.0, 1.0, 1.0]),  # all bound by the server
        (8.0, [1.0, 2.0, 2.5, 2.5]),  # two by their own links, two share 8 - 3
        (100.0, clients),  # all by their own links
    ]:
        fluid = FlowEngine([*clients, server])
        flows = [fluid.start(0.0, [client, 4], 10) for client in range(4)]
        assert [fluid.rate(flow) for flow in flows] == expected


def test_three_links_in_a_row():
    # The middle link binds three flows; the last one's second flow takes what they leave.
    rates = max_min_rates(np.array([1.0, 1.0, 2.0]), [[0, 1, 2], [1], [1], [2]], [math.inf] * 4)
    assert rates == pytest.approx([1 / 3, 1 / 3, 1 / 3, 5 / 3], rel=1e-15)


def test_cancel_returns_what_was_delivered_and_frees_the_share():
    fluid = FlowEngine([10.0])
    stays, leaves = fluid.start(0.0, [0], 30), fluid.start(0.0, [0], 30)
    assert fluid.cancel(2.0, leaves) == 10.0
    assert finishes(fluid) == [(4.0, stays)]  # 10 B in 2 s, then 20 B in 2 s


def test_cancel_of_a_flow_that_has_just_finished_returns_all_its_bytes():
    fluid = FlowEngine([10.0])
    flow = fluid.start(0.0, [0], 30)
    assert fluid.cancel(5.0, flow) == 30
    assert fluid.advance(5.0) == []


def test_a_cap_that_changes_and_a_link_that_changes():
    fluid = FlowEngine([10.0])
    flow = fluid.start(0.0, [0], 100)
    fluid.set_cap(1.0, flow, 2.0)  # 10 B by now
    fluid.set_cap(6.0, flow, math.inf)  # 20 B
    fluid.set_capacity(8.0, 0, 4.0)  # 40 B
    fluid.set_capacity(10.0, 0, 0.0)  # 48 B, and none until
    assert fluid.next_finish() == math.inf
    fluid.set_capacity(20.0, 0, 26.0)
    assert finishes(fluid) == [(22.0, flow)]


def test_a_cap_after_the_finish_changes_nothing():
    fluid = FlowEngine([10.0])
    flow = fluid.start(0.0, [0], 30)
    fluid.set_cap(4.0, flow, 1.0)
    assert fluid.advance(4.0) == [flow]


def test_no_bytes_finish_at_once_even_where_nothing_flows():
    fluid = FlowEngine([0.0])
    flows = [fluid.start(1.0, [0], 0), fluid.start(1.0, [0], 0)]
    assert fluid.next_finish() == 1.0
    assert fluid.advance(1.0) == flows


def test_time_never_runs_back():
    fluid = FlowEngine([10.0])
    flow = fluid.start(5.0, [0], 30)
    for back in (
        lambda: fluid.start(4.9, [0], 1),
        lambda: fluid.cancel(4.9, flow),
        lambda: fluid.set_cap(4.9, flow, 1.0),
        lambda: fluid.set_capacity(4.9, 0, 1.0),
        lambda: fluid.advance(4.9),
    ):
        with pytest.raises(AssertionError, match="time ran back"):
            back()
    assert finishes(fluid) == [(8.0, flow)]


def test_a_flow_that_nothing_bounds_is_refused():
    fluid = FlowEngine([math.inf])
    fluid.start(0.0, [0], 1)
    with pytest.raises(AssertionError, match="finite"):
        fluid.next_finish()


def test_events_elsewhere_add_no_rounding():
    # 0.1 B/s over 1 B, while ten thousand events happen on another link.
    fluid = FlowEngine([0.1, 3.0])
    flow = fluid.start(0.0, [0], 1)
    for event in range(10_000):
        fluid.cancel(event / 1009, fluid.start(event / 1009, [1], 1000))
    assert finishes(fluid) == [(10.0, flow)]


# --- properties

rates_Bps = st.floats(1, 1000)
caps_Bps = st.one_of(st.just(math.inf), rates_Bps)
paths = st.sets(st.integers(0, 3), min_size=1, max_size=3).map(sorted)


def assert_max_min(capacity_Bps, links, caps, rates):
    """Feasible, and every flow at its cap or among the fastest on a saturated link: max-min."""
    on = [[r for path, r in zip(links, rates, strict=True) if link in path] for link in range(4)]
    slack = 1e-12
    assert all(sum(on[link]) <= capacity_Bps[link] * (1 + slack) for link in range(4))
    for path, cap_Bps, rate in zip(links, caps, rates, strict=True):
        assert 0 <= rate <= cap_Bps
        assert rate >= cap_Bps * (1 - slack) or any(
            sum(on[link]) >= capacity_Bps[link] * (1 - slack)
            and rate >= max(on[link]) * (1 - slack)
            for link in path
        )


@given(
    st.lists(st.one_of(st.just(0.0), rates_Bps), min_size=4, max_size=4),
    st.lists(st.tuples(paths, caps_Bps), max_size=20),
)
def test_rates_are_max_min_fair(capacity_Bps, flows):
    links, caps = [path for path, _ in flows], [cap for _, cap in flows]
    rates = max_min_rates(np.array(capacity_Bps), links, caps)
    assert_max_min(capacity_Bps, links, caps, rates)


operations = st.one_of(
    st.tuples(st.just("start"), paths, st.integers(0, 10_000), caps_Bps),
    st.tuples(st.just("cancel"), st.integers(0, 50)),
    st.tuples(st.just("set_cap"), st.integers(0, 50), caps_Bps),
    st.tuples(st.just("set_capacity"), st.integers(0, 3), st.one_of(st.just(0.0), rates_Bps)),
)
steps = st.lists(st.tuples(st.one_of(st.just(0.0), st.floats(0, 20)), operations), max_size=40)


@settings(deadline=None)
@given(steps)
def test_bytes_are_conserved_and_no_link_carries_too_much(steps):
    capacity_Bps, now_s = [100.0, 50.0, 200.0, 10.0], 0.0
    fluid, links, sizes, caps, delivered = FlowEngine(capacity_Bps), {}, {}, {}, {}

    def run_until(then_s):
        nonlocal now_s
        while now_s < then_s and (caps or then_s < math.inf):
            rates = {flow: fluid.rate(flow) for flow in caps}
            assert_max_min(
                capacity_Bps, [links[f] for f in caps], caps.values(), list(rates.values())
            )
            event_s = min(then_s, fluid.next_finish())
            for flow, rate in rates.items():
                delivered[flow] += rate * (event_s - now_s)
            now_s = event_s
            for flow in fluid.advance(now_s):
                del caps[flow]
                assert delivered[flow] == pytest.approx(sizes[flow], rel=1e-9, abs=1e-6)

    for wait_s, (name, *arguments) in steps:
        run_until(now_s + wait_s)
        if name == "start":
            path, size, cap_Bps = arguments
            flow = fluid.start(now_s, path, size, cap_Bps)
            links[flow], sizes[flow], caps[flow], delivered[flow] = path, size, cap_Bps, 0.0
        elif name == "set_capacity":
            link, capacity_Bps[link] = arguments
            fluid.set_capacity(now_s, link, capacity_Bps[link])
        elif caps:
            flow = list(caps)[arguments[0] % len(caps)]
            if name == "cancel":
                del caps[flow]
                assert fluid.cancel(now_s, flow) == pytest.approx(delivered[flow], abs=1e-6)
            else:
                caps[flow] = arguments[1]
                fluid.set_cap(now_s, flow, caps[flow])
    for link in range(4):
        capacity_Bps[link] = 70.0
        fluid.set_capacity(now_s, link, 70.0)
    run_until(math.inf)
    assert not caps


# --- SimGrid


def worst_error(scenario, server_in_factor=1.0, client_factor=1.0):
    """Largest relative error of a duration, from the end of the latency to the last byte."""
    clients, n = scenario["clients"], scenario["n_clients"]
    up_Bps = [client["up_Bps"] * client_factor for client in clients]
    down_Bps = [client["down_Bps"] for client in clients]
    server_Bps = [scenario["server_in_Bps"] * server_in_factor, scenario["server_out_Bps"]]
    fluid, expected, errors = FlowEngine(up_Bps + down_Bps + server_Bps), {}, []

    def run_until(until_s):
        for finish_s, flow in finishes(fluid, until_s):
            start_s, expected_s = expected.pop(flow)
            errors.append(abs(finish_s - expected_s) / (expected_s - start_s))

    joins = [(f["start_s"] + clients[f["client"]]["latency_s"], f) for f in scenario["flows"]]
    for start_s, flow in sorted(joins, key=lambda join: join[0]):
        run_until(start_s)
        links = {"up": (flow["client"], 2 * n), "down": (2 * n + 1, n + flow["client"])}
        started = fluid.start(start_s, links[flow["dir"]], flow["size_B"])
        expected[started] = start_s, flow["finish_fluid_s"]
    run_until(math.inf)
    assert not expected
    return max(errors)


def scenarios(path):
    return json.loads(path.read_text("utf-8"))["scenarios"]


@pytest.mark.parametrize("scenario", scenarios(SAMPLE), ids=lambda s: f"{s['kind']}-{s['id']}")
def test_durations_of_simgrid(scenario):
    assert worst_error(scenario) < 1e-9


@pytest.mark.skipif(not WHOLE.exists(), reason="the whole reference lies beside the checkout only")
def test_durations_of_simgrid_in_all_scenarios():
    for scenario in scenarios(WHOLE):
        assert worst_error(scenario) < 1e-9, scenario["id"]


@pytest.mark.parametrize("wrong", ["server_in_factor", "client_factor"])
def test_a_capacity_off_by_a_millionth_shows(wrong):
    assert max(worst_error(s, **{wrong: 1 + 1e-6}) for s in scenarios(SAMPLE)) > 1e-8


@pytest.mark.parametrize("others", [(), ((0,),), ((0,), (0,))])
def test_a_link_twice_or_none_of_ours_is_a_bug(others):
    for links in ((0, 0), (0, 2), (-1,)):
        fluid = FlowEngine([1.0, 1.0])
        for other in others:
            fluid.start(0.0, other, 1.0)
        with pytest.raises(AssertionError):
            fluid.start(0.0, links, 1.0)
