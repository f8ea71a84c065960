"""Messages over TCP: closed forms, loss, cancelling, and transfers that were measured."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import simpy

from emulator.network.fairness import engine
from emulator.network.network import Network
from emulator.network.tcp import Tcp, wire_bytes

ROOT = Path(__file__).parents[3]
IDEAL = Tcp(token_bucket=False)
TAU_S = 1514 / 1e6  # a segment at 1 MB/s


def star(up, down, delay, server_down, server_up, **kwargs):
    env = simpy.Environment()
    access = np.array(up), np.array(down), np.array(delay)
    return env, Network(env, *access, server_down, server_up, **kwargs)


def took_s(event):
    return event.value.finish_s - event.value.start_s


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
    start = engine.FlowEngine.start
    monkeypatch.setattr(
        engine.FlowEngine,
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
