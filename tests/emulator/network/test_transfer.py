"""Messages over the star, in SimPy: closed forms, order, cost and SimGrid."""

import importlib.util
import json
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest
import simpy

from emulator.network import fluid
from emulator.network.transfer import Delivery, Network
from emulator.network.transport import Tcp, wire_bytes

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "tests/data/simgrid_star_sample.json"
WHOLE = ROOT.parent / "shared/reference/simgrid_star.json"


def star(
    up=(10.0, 20.0),
    down=(40.0, 80.0),
    delay=(0.0, 0.0),
    server_down=1e9,
    server_up=1e9,
    at_s=0.0,
    **transport,
):
    env = simpy.Environment(at_s)
    access = np.array(up), np.array(down), np.array(delay)
    return env, Network(env, *access, server_down, server_up, **transport)


def took_s(event):
    return event.value.finish_s - event.value.start_s


@pytest.fixture
def woken(monkeypatch):
    """When the network looked at its links."""
    times_s, advance = [], fluid.Fluid.advance
    monkeypatch.setattr(
        fluid.Fluid, "advance", lambda self, now_s: times_s.append(now_s) or advance(self, now_s)
    )
    return times_s


def test_each_direction_has_its_own_client_rate():
    env, network = star()
    up, down = network.upload(1, 80), network.download(1, 80)
    env.run()
    assert up.value == Delivery(0.0, 4.0)
    assert down.value == Delivery(0.0, 1.0)


def test_the_server_sends_with_its_up_and_receives_with_its_down():
    env, network = star(server_down=5.0, server_up=2.0)
    up, down = network.upload(0, 10), network.download(0, 10)
    env.run()
    assert up.value.finish_s == 2.0
    assert down.value.finish_s == 5.0


def test_the_delay_comes_before_the_flow_and_takes_no_capacity():
    # Client 0 is alone on the server's 10 B/s until 3 s; 1 B/s less would show in its finish.
    env, network = star(up=(10.0, 10.0), delay=(0.0, 3.0), server_down=10.0)
    near, far = network.upload(0, 40), network.upload(1, 40)
    env.run()
    assert near.value == Delivery(0.0, 5.0)
    assert far.value == Delivery(0.0, 8.0)


def test_a_process_waits_for_its_delivery():
    env, network = star(delay=(0.5, 0.5))

    def client():
        got = yield network.download(0, 40)
        sent = yield network.upload(0, 10)
        return got, sent

    assert env.run(env.process(client())) == (Delivery(0.0, 1.5), Delivery(1.5, 3.0))


def test_a_delivery_is_frozen():
    with pytest.raises(FrozenInstanceError):
        Delivery(0.0, 1.0).finish_s = 0.5


def test_no_bytes_take_the_delay():
    env, network = star(delay=(0.25, 0.0))
    events = network.upload(0, 0), network.upload(1, 0)
    env.run()
    assert [event.value.finish_s for event in events] == [0.25, 0.0]


def test_a_flow_that_joins_puts_off_a_finish_whose_timer_runs():
    env, network = star(up=(10.0, 10.0), delay=(0.0, 2.0), server_down=10.0)
    first, second = network.upload(0, 30), network.upload(1, 5)
    env.run()
    assert second.value.finish_s == 3.0  # 5 B at 5 B/s
    assert first.value.finish_s == 3.5  # 20 B, 5 B, 5 B


def test_finishes_of_one_instant_come_in_the_order_of_joining():
    env, network = star(up=[10.0] * 50, down=[10.0] * 50, delay=[0.5] * 50)
    order = []
    clients = np.random.default_rng(0).permutation(50)
    for client in clients:
        network.upload(client, 10).callbacks.append(lambda _, c=client: order.append(c))
    env.run()
    assert order == list(clients)


def test_flows_that_join_or_finish_in_one_instant_wake_the_network_once(woken):
    env, network = star(up=[10.0] * 50, down=[10.0] * 50, delay=[0.5] * 50)
    for client in range(50):
        network.upload(client, 10)
    env.run()
    assert woken == [0.5, 1.5]


def test_only_the_latest_timer_is_listened_to(woken):
    env, network = star([10.0] * 9, [10.0] * 9, np.arange(9) // 3, server_down=10.0)
    for client in range(9):
        network.upload(client, 90)
    env.run()
    # Three joins, three finishes; nobody wakes at 27 or 53 s, where joins put a finish off.
    assert woken == pytest.approx([0, 1, 2, 78.5, 80.5, 81], rel=1e-12)


def test_a_timer_that_rounds_to_before_the_finish_is_set_again():
    early = 0
    for nbytes in range(1, 200):
        env, network = star(up=(7.0, 11.0))
        first, second = network.upload(0, nbytes), network.upload(1, 7 * nbytes)
        env.run()
        assert first.processed
        assert second.processed
        first_s, second_s = nbytes / 7.0, 7 * nbytes / 11.0
        early += first_s + (second_s - first_s) < second_s
    assert early > 0  # or nothing was tested


def test_idle_clients_wake_nobody(woken):
    clients = 1_000_000
    env, network = star(*np.full((2, clients), 10.0), np.zeros(clients))
    events = network.upload(clients - 1, 10), network.download(7, 20)
    env.run()
    assert [event.value.finish_s for event in events] == [1.0, 2.0]
    assert woken == [0.0, 1.0, 2.0]


def test_a_run_repeats_itself_to_the_bit():
    def deliveries():
        rng = np.random.default_rng(1)
        up, down, delay = rng.uniform(1, 10, (3, 30))
        env, network = star(up, down, delay, server_down=40.0, server_up=50.0)
        sent = [network.upload(c, int(n)) for c, n in enumerate(rng.integers(1, 1000, 30))]
        env.run()
        return [event.value for event in sent]

    assert deliveries() == deliveries()


def test_a_late_clock_loses_no_more_than_its_own_resolution():
    def durations(at_s):
        env, network = star((3.0, 7.0), delay=(0.125, 0.25), server_down=8.0, at_s=at_s)
        sent = [network.upload(0, 100), network.upload(1, 90)]
        env.run()
        return [event.value.finish_s - event.value.start_s for event in sent]

    assert durations(2.0**30) == pytest.approx(durations(0.0), rel=0, abs=4 * np.spacing(2.0**30))


@pytest.mark.parametrize("client", [-1, 2])
def test_a_client_that_is_not_there(client):
    _, network = star()
    with pytest.raises(AssertionError, match="of 2"):
        network.upload(client, 1)


def worst_error(scenario, server_in_factor=1.0):
    """Largest relative error of a duration, from asking to the last byte."""
    clients, flows = scenario["clients"], scenario["flows"]
    env = simpy.Environment()
    network = Network(
        env,
        np.array([client["up_Bps"] for client in clients]),
        np.array([client["down_Bps"] for client in clients]),
        np.array([client["latency_s"] for client in clients]),
        server_down_Bps=scenario["server_in_Bps"] * server_in_factor,
        server_up_Bps=scenario["server_out_Bps"],
    )

    def transfer(flow):
        yield env.timeout(flow["start_s"])
        send = network.upload if flow["dir"] == "up" else network.download
        delivery = yield send(flow["client"], flow["size_B"])
        assert delivery.start_s == flow["start_s"]
        expected_s = flow["finish_fluid_s"] - flow["start_s"]
        return abs(delivery.finish_s - delivery.start_s - expected_s) / expected_s

    errors = env.run(simpy.AllOf(env, [env.process(transfer(flow)) for flow in flows]))
    return max(errors.values())


def scenarios(path):
    return json.loads(path.read_text("utf-8"))["scenarios"]


@pytest.mark.parametrize("scenario", scenarios(SAMPLE), ids=lambda s: f"{s['kind']}-{s['id']}")
def test_durations_of_simgrid(scenario):
    assert worst_error(scenario) < 1e-9


@pytest.mark.skipif(not WHOLE.exists(), reason="the whole reference lies beside the checkout only")
def test_durations_of_simgrid_in_all_scenarios():
    for scenario in scenarios(WHOLE):
        assert worst_error(scenario) < 1e-9, scenario["id"]


def test_a_server_off_by_a_millionth_shows():
    assert max(worst_error(s, server_in_factor=1 + 1e-6) for s in scenarios(SAMPLE)) > 1e-8


# --- TCP

IDEAL = Tcp(token_bucket=False)
TAU_S = 1514 / 1e6  # a segment at 1 MB/s


def tcp_star(clients=2, server=1e9, rtt_s=0.04, tcp=IDEAL, **kwargs):
    """1 MB/s for every client and way."""
    same = [1e6] * clients
    return star(same, same, [rtt_s / 2] * clients, server, server, transport=tcp, **kwargs)


def test_a_download_alone_by_hand():
    # 70 segments: windows of 10 and 20 take 15 and 30 ms of 41.5; the third, of 40, the rest.
    env, network = tcp_star()
    got, sent = network.download(0, 70 * 1448), network.upload(1, 70 * 1448)
    env.run()
    rounds_s = 2 * (0.04 + TAU_S) + 40 * TAU_S
    assert took_s(got) == pytest.approx(0.08 + rounds_s, rel=1e-12)
    assert took_s(sent) == pytest.approx(0.06 + rounds_s, rel=1e-12)


def test_all_switches_off_is_fluid_to_the_bit():
    def deliveries(transport):
        rng = np.random.default_rng(2)
        up, down, delay = rng.uniform(1, 10, (3, 30))
        env, network = star(up, down, delay, 40.0, 50.0, transport=transport)
        sent = [network.upload(c, int(n)) for c, n in enumerate(rng.integers(0, 9999, 30))]
        got = [network.download(c, int(n)) for c, n in enumerate(rng.integers(0, 9999, 30))]
        env.run()
        return [event.value for event in sent + got]

    off = Tcp(handshake=False, headers=False, slow_start=False, token_bucket=False)
    assert deliveries(off) == deliveries(None)


def test_without_a_round_trip_only_headers_remain():
    env, network = tcp_star(rtt_s=0.0, tcp=Tcp())
    got = network.download(0, 100_000)
    env.run()
    assert took_s(got) == pytest.approx(wire_bytes(Tcp(), 100_000) / 1e6, rel=1e-12)


def test_equal_flows_take_equal_times():
    env, network = tcp_star(clients=5, server=1e6)
    events = [network.download(client, 300_000) for client in range(5)]
    env.run()
    assert len({event.value for event in events}) == 1


def test_a_link_kept_busy_by_many_hides_their_stalls():
    # Five windows of 10 segments take 50 tau a round, longer than the RTT: no stall is left.
    env, network = tcp_star(clients=5, server=1e6)
    events = [network.download(client, 300_000) for client in range(5)]
    env.run()
    expected_s = 0.08 + 5 * wire_bytes(IDEAL, 300_000) / 1e6
    assert [took_s(event) for event in events] == pytest.approx([expected_s] * 5, rel=1e-12)


def test_a_flow_that_stalls_leaves_the_link_to_others():
    # Client 0 is past its slow start when client 1 begins, for two windows of 10 of its segments.
    env, network = tcp_star(server=1e6)
    long = network.download(0, 1448 * 1000)
    env.run(until=0.5)
    short = network.download(1, 1448 * 20)
    env.run()
    # Windows of 10 segments take 20 tau each at half the rate, and RTT + tau is longer.
    assert took_s(short) == pytest.approx(0.08 + 0.04 + TAU_S + 20 * TAU_S, rel=1e-12)
    # The long flow loses exactly the time of client 1's bytes; none of it in the stall.
    alone_s = 0.08 + 2 * (0.04 + TAU_S) + 970 * TAU_S
    assert took_s(long) == pytest.approx(alone_s + 20 * TAU_S, rel=1e-12)


def test_links_carry_the_wire_bytes_of_all_messages(monkeypatch):
    carried = []
    start = fluid.Fluid.start
    monkeypatch.setattr(
        fluid.Fluid,
        "start",
        lambda self, now_s, links, size_B, cap_Bps: (
            carried.append(size_B) or start(self, now_s, links, size_B, cap_Bps)
        ),
    )
    env, network = tcp_star(clients=20, server=3e6, tcp=Tcp())
    sizes = np.random.default_rng(4).integers(0, 1_000_000, 20).tolist()
    events = [network.upload(client, nbytes) for client, nbytes in enumerate(sizes)]
    env.run()
    assert all(event.processed for event in events)
    assert sum(carried) == sum(wire_bytes(Tcp(), nbytes) for nbytes in sizes)


# --- loss


def lossy(seed=0):
    return {
        "loss": [0.02, 0.0],
        "stream": lambda client, way, n: np.random.default_rng([seed, client, way == "up", n]),
    }


def test_what_is_lost_depends_on_client_direction_and_number_only():
    def first_uploads(crowded):
        env, network = tcp_star(tcp=Tcp(), **lossy())
        times_s = []

        def client():
            for _ in range(20):
                if crowded:
                    network.download(0, 1000)
                    network.upload(1, 1000)
                sent = yield network.upload(0, 30_000)
                times_s.append(sent.finish_s - sent.start_s)

        env.run(env.process(client()))
        return times_s

    alone, crowded = first_uploads(False), first_uploads(True)
    assert alone == pytest.approx(crowded, rel=1e-12)
    assert len(set(np.round(alone, 9))) > 3  # some were hit, and not alike


def test_another_stream_loses_other_segments():
    def took(seed):
        env, network = tcp_star(tcp=Tcp(), **lossy(seed))
        events = [network.upload(0, 100_000) for _ in range(5)]
        env.run()
        return [took_s(event) for event in events]

    assert took(0) == took(0)
    assert took(0) != took(1)


def test_a_client_without_loss_draws_nothing():
    env, network = tcp_star(loss=[0.0, 0.0])
    got = network.download(1, 10_000)
    env.run()
    assert got.processed


@pytest.mark.parametrize(
    "without", [{"tcp": None, **lossy()}, {"loss": [0.1, 0.0]}, {**lossy(), "loss": [1.0, 0.0]}]
)
def test_loss_needs_tcp_and_a_stream(without):
    with pytest.raises(AssertionError):
        tcp_star(**without)


# --- cancel


@pytest.mark.parametrize(
    ("at_s", "wire_B"),
    [
        (0.05, 0),  # the handshake
        (0.08, 0),
        (0.0875, 7_500),
        (0.12, 15_140),  # ten segments have gone, no answer yet
        (0.13, 15_140 + (0.13 - 0.12 - TAU_S) * 1e6),
    ],
)
def test_cancel_tells_how_far_a_message_came(at_s, wire_B):
    env, network = tcp_star()
    gone = network.download(0, 40 * 1448)
    env.run(until=at_s)
    assert network.cancel(gone) == pytest.approx(wire_B * 1448 / 1514, rel=1e-9)
    env.run()
    assert not gone.triggered


def test_cancel_frees_the_share_of_a_fluid_flow():
    env, network = star(up=(10.0, 10.0), server_down=10.0)
    stays, leaves = network.upload(0, 30), network.upload(1, 30)
    env.run(until=2.0)
    assert network.cancel(leaves) == 10.0
    env.run()
    assert stays.value.finish_s == 4.0
    assert not leaves.triggered


def test_cancel_at_the_instant_of_a_finish_forgets_nobody():
    env, network = star(up=(10.0, 10.0))
    first, second, third = network.upload(0, 10), network.upload(1, 10), network.download(0, 80)

    def policy():
        yield env.timeout(1.0)  # before the network's own timer of that instant
        assert network.cancel(second) == 10.0

    env.process(policy())
    env.run()
    assert [first.value.finish_s, third.value.finish_s] == [1.0, 2.0]
    assert not second.triggered


# --- measured TCP: whole numbers in bench/transport.py

MEASURED = ROOT / "tests/data/tcp_measured_sample.json"
ALL_MEASURED = ROOT.parent / "shared/reference/tcp_measured.json"
FILES = [path for path in (MEASURED, ALL_MEASURED) if path.exists()]


def load_bench():
    spec = importlib.util.spec_from_file_location("transport_bench", ROOT / "bench/transport.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


bench = load_bench()


def usable(case):
    """Cubic or reno, no random loss, and a buffer that slow start does not overflow."""
    rate_Bps = case[f"client_{case['direction']}_mbit_s"] * 1e6 / 8
    return (
        case["congestion_control"] != "bbr"
        and not case.get("loss_percent")
        and case["buffer_bytes"] >= rate_Bps * case["rtt_ms"] / 1000
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_single_transfers_of_real_tcp(path):
    cases = [case for case in json.loads(path.read_text("utf-8"))["single"] if usable(case)]
    assert len(cases) >= 8
    for case in cases:
        error = bench.single_s(case, transport=Tcp()) / case["median_s"] - 1
        assert abs(error) < (0.02 if case["payload_bytes"] >= 100_000 else 0.05), case


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_transfers_of_real_tcp_over_a_shared_link(path):
    cases = bench.shared_cases(json.loads(path.read_text("utf-8")))
    assert len(cases) >= 3
    for name, runs in cases.items():
        for what, (real_s, ours_s) in bench.shared_s(runs, transport=Tcp()).items():
            assert abs(ours_s / real_s - 1) < 0.05, (name, what)


@pytest.mark.parametrize(
    "case",
    [c for c in json.loads(MEASURED.read_text("utf-8"))["lossy"] if c["loss_percent"] == 1],
    ids=lambda case: f"{case['congestion_control']}-{case['payload_bytes']}",
)
def test_mean_transfers_of_real_tcp_under_random_loss(case):
    assert bench.lossy_s(case)[0] == pytest.approx(case["mean_s"], rel=0.15)


@pytest.mark.parametrize("variant", list(bench.VARIANTS)[:-1])
def test_every_effect_is_needed(variant):
    """Some case misses its goal without the last effect, and the one before, and so on."""
    cases = json.loads(MEASURED.read_text("utf-8"))["single"]
    errors = [
        abs(bench.single_s(case, *bench.VARIANTS[variant]) / case["median_s"] - 1) for case in cases
    ]
    assert max(errors) > 0.05


def test_the_bench_prints_a_row_a_measurement():
    rows = bench.table(json.loads(MEASURED.read_text("utf-8"))).splitlines()
    assert len(rows) == 2 + 8 + 2 * 3
    assert len({row.count("|") for row in rows}) == 1
