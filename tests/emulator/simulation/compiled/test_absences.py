"""Clients that leave and return, over the compiled network and the reference."""

import math
from pathlib import Path

import pytest

from emulator.simulation.compiled.tasks import CompiledTasks
from emulator.simulation.records import Absence, Computation, Round, Transfer
from emulator.simulation.simulate import simulate
from emulator.simulation.trainer import StubTrainer

from ..small_scenario import of, scenario
from .test_synchronous import NETWORKS, Noting
from .test_tasks import POLICIES as TASK_POLICIES, times

DATA = Path(__file__).parents[3] / "data"
AVAILABILITIES = {
    "on and off": {
        "kind": "on_off",
        "on": {"kind": "lognormal", "median": "1.5 s", "sigma": 1.0},
        "off": {"kind": "uniform", "low": "0.2 s", "high": "1.5 s"},
    },
    "work is lost": {
        "kind": "on_off",
        "on": {"kind": "lognormal", "median": "4 s", "sigma": 1.0},
        "off": "0.5 s",
        "on_return": "lost",
    },
    "once a period": {
        "kind": "diurnal",
        "period": "3 s",
        "start": {"kind": "uniform", "low": "0 s", "high": "3 s"},
        "length": "1.7 s",
    },
    "all at once": {"kind": "diurnal", "period": "2.3 s", "start": "0.4 s", "length": "1.7 s"},
    "a trace": {"kind": "trace", "file": str(DATA / "fedscale_behaviour_sample.json")},
}
POLICIES = {
    **TASK_POLICIES,
    "synchronous": {},
    "the first ones": {"policy": {"kind": "overselection", "select": 15, "first": 6}},
    "a deadline": {"policy": {"kind": "deadline", "deadline": "2 s"}},
}
SECONDS = 1e6  # bytes in a second at 8 Mbps


@pytest.fixture
def begun(monkeypatch):
    """The tasks that the compiled network began."""
    found, begin = [], CompiledTasks.start
    monkeypatch.setattr(
        CompiledTasks, "start", lambda *arguments: found.append(arguments) or begin(*arguments)
    )
    return found


def by(engine, network, trainer, **keys):
    """The rows of a simulation."""
    compute = {"per_example": {"kind": "lognormal", "median": "20 ms", "sigma": 0.5}}
    settings = scenario(
        {"rounds": 4},
        network=network,
        **{"compute": compute, **keys, "simulation": {"engine": engine}},
    )
    return simulate(settings, 3, trainer)


def agree(found, expected):
    here, there = times(found), times(expected)
    assert here.keys() == there.keys()
    for what, values in there.items():
        assert here[what] == [pytest.approx(each, rel=1e-9) for each in values]


def both(network, **keys):
    """The rows of both engines, which agree; the trainers were asked for the same."""
    found = []
    for engine in ("compiled", "reference"):
        trainer = Noting()
        found.append((by(engine, network, trainer, **keys), trainer))
        assert not any(trainer.held.values())
    (rows, asked), (expected, by_reference) = found
    agree(rows, expected)
    assert asked.merges == by_reference.merges
    assert [sorted(each) for each in asked.batches] == [
        sorted(each) for each in by_reference.batches
    ]
    return rows


def absent(network, availability):
    return {**network, "clients": {**network["clients"], "availability": availability}}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("availability", AVAILABILITIES)
def test_both_engines_agree_on_any_policy(availability, policy, begun):
    network = absent(NETWORKS["tcp"], AVAILABILITIES[availability])
    rows = both(network, **POLICIES[policy])
    assert begun
    is_lost = availability == "work is lost"
    if policy != "a deadline for nobody" and availability != "a trace":
        assert any(row.outcome == "cut" for row in of(Transfer, rows)) >= is_lost
        assert bool(of(Absence, rows)) is not is_lost


@pytest.mark.parametrize("availability", AVAILABILITIES)
@pytest.mark.parametrize("network", NETWORKS)
def test_both_engines_agree_on_any_network(network, availability, begun):
    both(absent(NETWORKS[network], AVAILABILITIES[availability]))
    assert begun


# -- closed forms

ONCE = {"kind": "diurnal", "period": "10 s", "start": "0 s", "length": "2 s"}


def task(transport, down_B, rtt="0 s", up_B=0, **keys):
    """The rows of one client's only task, by the compiled network: 2 of 10 s at 8 Mbps."""
    settings = scenario(
        {"rounds": 1, "cohort": 1},
        task={"name": "20newsgroups", "clients": 1},
        network={
            "clients": {"down": "8 Mbps", "up": "8 Mbps", "rtt": rtt, "availability": ONCE},
            "transport": transport,
        },
        simulation={"engine": "compiled"},
        **keys,
    )
    rows = simulate(settings, 0, StubTrainer(down_bytes=down_B, up_bytes=up_B))
    return [row for row in rows if isinstance(row, Transfer | Computation | Absence)]


def test_the_rest_of_a_message_begins_with_its_latency_again(begun):
    down, away, rest, *_ = task("fluid", 3_000_000, rtt="200 ms")
    assert begun
    assert (down.nbytes, down.finish_s) == (1_900_000, 2)
    assert (away.start_s, away.finish_s) == (2, 10)
    assert rest.nbytes == 1_100_000
    assert rest.finish_s == pytest.approx(10 + 0.1 + 1.1)


def test_the_rest_of_a_message_starts_slowly_again():
    transport = {"kind": "tcp", "handshake": False, "headers": False, "token_bucket": False}
    down, _, rest, *_ = task(transport, 3_000_000, rtt="400 ms")
    segment_B, rtt_s = 1448, 0.4

    def sent(seconds):
        """Bytes that slow start moves, the first one after half a round trip."""
        left_s, window_B, moved_B = seconds - rtt_s / 2, 10 * segment_B, 0.0
        round_s = rtt_s + segment_B / SECONDS
        while window_B / SECONDS < round_s and left_s > round_s:
            moved_B, window_B, left_s = moved_B + window_B, 2 * window_B, left_s - round_s
        is_full = window_B / SECONDS >= round_s
        return moved_B + (left_s * SECONDS if is_full else min(window_B, left_s * SECONDS))

    assert down.nbytes == round(sent(2))
    assert rest.start_s == 10
    assert rest.nbytes == min(3_000_000 - down.nbytes, round(sent(2)))


def test_a_computation_continues_where_it_stopped():
    down, first, away, rest, up = task(
        "fluid", 1_500_000, compute={"per_example": "50 ms"}, up_B=500_000
    )
    assert down.finish_s == first.start_s == pytest.approx(1.5)
    assert (first.examples, rest.examples) == (10, 22)
    assert (away.start_s, away.finish_s) == (2, 10)
    assert rest.finish_s == pytest.approx(10 + 22 * 0.05)
    assert up.nbytes == 500_000


def test_a_client_that_leaves_when_its_message_arrives_asks_for_nothing_more():
    down, away, rest, *_ = task("fluid", 2_000_000)
    assert (down.nbytes, down.finish_s) == (2_000_000, 2)
    assert (away.start_s, away.finish_s) == (2, 10)
    assert (rest.nbytes, rest.start_s, rest.finish_s) == (0, 10, 10)


# -- several things at one time


def shift(start, **keys):
    link = {"down": "8 Mbps", "up": "8 Mbps", "rtt": "30 ms", "share": 1}
    day = {"kind": "diurnal", "period": "4 s", "start": start, "length": "2 s", **keys}
    return {**link, "availability": day}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("on_return", ["resume", "lost"])
def test_one_group_leaves_when_the_other_comes(policy, on_return, begun):
    groups = {"day": shift("0 s", on_return=on_return), "night": shift("2 s", on_return=on_return)}
    network = {"clients": None, "groups": groups, "server": {"down": "20 Mbps", "up": "4 Mbps"}}
    both(network, **POLICIES[policy])
    assert begun


@pytest.mark.parametrize("late", ["drop", "accept"])
def test_a_deadline_at_which_all_leave(late, begun):
    network = {
        "clients": {"down": "8 Mbps", "up": "0.1 Mbps", "rtt": "30 ms", "availability": ONCE}
    }
    policy = {"kind": "deadline", "deadline": "2 s", "late": late}
    rows = both(network, policy=policy)
    assert of(Round, rows)[0].finish_s == 2
    assert any(math.isclose(row.start_s, 2) for row in of(Absence, rows))
    assert begun
