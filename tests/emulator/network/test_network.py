"""Messages over the star, in SimPy: closed forms, order, cost and SimGrid."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import simpy

from emulator.network.network import Delivery, Network
from emulator.network.tcp import Tcp

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "tests/data/simgrid_star_sample.json"
WHOLE = ROOT.parent / "shared/reference/simgrid_star.json"


def star(
    up=(10.0, 20.0), down=(40.0, 80.0), delay=(0.0, 0.0), server_down=1e9, server_up=1e9, at_s=0.0
):
    env = simpy.Environment(at_s)
    access = np.array(up), np.array(down), np.array(delay)
    return env, Network(env, *access, server_down, server_up)


@pytest.fixture
def woken(monkeypatch):
    """When the network looked at its links; once where it tells of what it has just found."""
    times_s, run = [], Network._run

    def noted(self, now_s, finishes=True):
        if times_s[-1:] != [now_s]:
            times_s.append(now_s)
        run(self, now_s, finishes)

    monkeypatch.setattr(Network, "_run", noted)
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
    with pytest.raises(AttributeError):
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


def test_running_until_an_arrival_keeps_what_else_waits_for_it_and_for_its_instant():
    env = simpy.Environment()
    network = Network(env, [1e6, 1e6], [1e6, 1e6], [0.1, 0.1], 1e9, 1e9)
    first, second = network.download(0, 100_000), network.download(1, 100_000)
    told = []

    def waiting(arrival):
        delivery = yield arrival
        told.append((env.now, delivery))
        yield network.upload(0, 100_000)
        told.append(env.now)

    assert env.run(until=first).finish_s == env.now == pytest.approx(0.2)
    env.process(waiting(second))
    env.run()
    assert told == [(pytest.approx(0.2), second.value), pytest.approx(0.4)]

    late = network.download(0, 1000)
    late.callbacks.append(simpy.core.StopSimulation.callback)
    late.callbacks.append(lambda _: told.append("late"))
    env.run(until=9)  # stopped by the first of the two
    assert told[2:] == []
    env.run()
    assert told[2:] == ["late"]


def test_no_timer_runs_for_what_nobody_can_interfere_with():
    tcp = Tcp(headers=False, token_bucket=False)
    env = simpy.Environment()
    network = Network(env, [1e6], [1e6], [0.1], 1e9, 1e9, tcp)
    env.timeout(0.5)
    arrival = network.download(0, 100_000)  # three windows, and pauses between them
    steps = 0
    while env.peek() < math.inf:
        env.step()
        steps += 1
    pauses_s = sum(0.2 + 0.001448 * (1 - window) for window in (10, 20))
    assert arrival.value.finish_s == pytest.approx(0.4 + 0.1 + pauses_s, rel=1e-12)
    assert steps == 4  # the first flight, the others, half a second, the end


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


# --- cancel


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
