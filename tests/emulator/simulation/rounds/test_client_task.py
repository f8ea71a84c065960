"""Client tasks of clients that leave and return: the ledger adds up, and the simulation ends."""

import sys
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from emulator.common.errors import EmulationError
from emulator.network.network import Network
from emulator.simulation import simulate as module
from emulator.simulation.clients import fleet
from emulator.simulation.records import Absence, Computation, Round, Transfer
from emulator.simulation.simulate import simulate

DATA = Path(__file__).parents[3] / "data"
POLICIES = [
    "synchronous",
    {"kind": "overselection", "select": 7, "first": 4},
    {"kind": "deadline", "deadline": "700 ms", "select": 6},
    {"kind": "deadline", "deadline": "500 ms", "select": 6, "late": "accept"},
    {"kind": "buffered", "concurrency": 6, "buffer": 3},
    {"kind": "asynchronous", "concurrency": 4},
]
milliseconds = st.integers(100, 3000).map(lambda n: f"{n} ms")
lengths = st.one_of(
    milliseconds,
    st.tuples(milliseconds, st.floats(0.1, 2)).map(
        lambda x: {"kind": "lognormal", "median": x[0], "sigma": x[1]}
    ),
)


@st.composite
def availabilities(draw):
    kind = draw(st.sampled_from(["on_off", "diurnal", "trace"]))
    both = {"kind": kind, "on_return": draw(st.sampled_from(["resume", "lost"]))}
    if kind == "on_off":
        return {**both, "on": draw(lengths), "off": draw(lengths)}
    if kind == "diurnal":
        start = {"kind": "uniform", "low": "0 s", "high": "4 s"}
        return {**both, "start": start, "length": draw(milliseconds), "period": "4 s"}
    return {**both, "file": str(DATA / "fedscale_behaviour_sample.json")}


class Counted(Network):
    """Counts what moves: every message that arrives, and every share of one that is given up."""

    made: ClassVar[list["Counted"]] = []

    def __init__(self, *args, **keys):
        super().__init__(*args, **keys)
        self.sent = {}
        self.moved = 0.0
        Counted.made.append(self)

    def _send(self, client, direction, nbytes):
        arrival = super()._send(client, direction, nbytes)
        self.sent[arrival] = nbytes
        return arrival

    def cancel(self, arrival):
        del self.sent[arrival]
        moved = super().cancel(arrival)
        self.moved += moved
        return moved


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    availability=availabilities(),
    policy=st.sampled_from(POLICIES),
    compute=st.sampled_from([None, {"per_example": "10 ms"}]),
    seed=st.integers(0, 10**6),
    transport=st.sampled_from(["fluid", "tcp"]),
)
def test_whatever_happens_it_ends_and_adds_up(
    scenario, noting, spread, monkeypatch, availability, policy, compute, seed, transport
):
    monkeypatch.setattr(module, "Network", Counted)
    clients = {**spread, "availability": availability}
    small = scenario(policy, {"rounds": 4, "cohort": 5}, clients, count=12, compute=compute)
    small = small.model_copy(
        update={"network": small.network.model_validate(
            {**small.network.model_dump(exclude_none=True),
             "clients": clients, "server": {"down": "2 Mbps", "up": "2 Mbps"},
             "transport": transport})}
    )  # fmt: skip
    trainer, seen = noting(), []
    try:
        rows = simulate(small, seed, trainer, seen.append)
    except EmulationError:  # nobody ever comes, or stays for long enough
        return
    network = Counted.made[-1]
    transfers = [row for row in rows if isinstance(row, Transfer)]
    # Bytes charged are bytes that moved, to half a byte a transfer that was broken off.
    arrived = sum(n for arrival, n in network.sent.items() if arrival.triggered)
    assert all(arrival.is_over for arrival in network.sent)
    assert abs(sum(t.nbytes for t in transfers) - arrived - network.moved) <= len(transfers) / 2
    assert not any(trainer.held.values())
    assert [r.round for r in rows if isinstance(r, Round)] == [1, 2, 3, 4]
    built = fleet.draw_fleet(small.network, small.compute, 12, seed)
    check_whereabouts(rows, built)
    for row in transfers:
        assert row.nbytes <= (100_000 if row.direction == "down" else 20_000)
    merged = sum(len(clients) for clients, _ in trainer.merges)
    used = [t for t in transfers if t.outcome == "used"]
    for direction, nbytes in (("down", 100_000), ("up", 20_000)):
        assert sum(t.nbytes for t in used if t.direction == direction) == nbytes * merged


def check_whereabouts(rows, built):
    """No work outlives its client's stay, nobody does two things at a time, absence is absence."""
    for client in range(len(built)):
        own = [
            row for row in rows
            if isinstance(row, Transfer | Computation | Absence) and row.client == client
        ]  # fmt: skip
        own.sort(key=lambda row: (row.start_s, row.finish_s))
        assert all(a.finish_s <= b.start_s for a, b in pairwise(own))
        for row in own:
            here, until_s = built.availability_at(client, row.start_s)
            if row.finish_s - row.start_s < 1e-9:
                continue
            assert here != isinstance(row, Absence), row
            if here:
                assert row.finish_s <= until_s + 1e-9, row


@pytest.mark.parametrize("how", ["resume", "lost"])
def test_a_client_that_leaves_in_the_middle(scenario, noting, transfers_of, how):
    # There for 1 s of every 3. Down takes 0.8 s, up 0.8 s: the upload is cut after 0.2 s.
    day = {"kind": "diurnal", "start": "0 s", "length": "1 s", "period": "3 s", "on_return": how}
    clients = {"down": "1 Mbps", "up": "0.2 Mbps", "availability": day}
    small = scenario("synchronous", {"rounds": 1, "cohort": 1}, clients, count=1)
    rows = simulate(small, 0, noting())
    ups = [(t.nbytes, t.start_s, t.finish_s, t.outcome) for t in transfers_of(rows, direction="up")]
    away = [(a.start_s, a.finish_s) for a in rows if isinstance(a, Absence)]
    (last,) = [row for row in rows if isinstance(row, Round)]
    if how == "resume":
        assert ups == [(5000, 0.8, 1.0, "used"), (15000, 3.0, pytest.approx(3.6), "used")]
        assert away == [(1.0, 3.0)]
        assert (last.used, last.finish_s) == (1, pytest.approx(3.6))
    else:
        assert ups == [(5000, 0.8, 1.0, "cut")]
        assert {t.outcome for t in transfers_of(rows)} == {"cut"}
        assert away == []
        assert (last.used, last.finish_s) == (0, 1.0)


def test_a_computation_waits_as_well(scenario, noting):
    day = {"kind": "diurnal", "start": "0 s", "length": "1 s", "period": "3 s"}
    clients = {"down": "1 Mbps", "up": "1.6 Mbps", "availability": day}
    small = scenario(
        "synchronous", {"rounds": 1, "cohort": 1}, clients, count=1,
        compute={"per_example": "25 ms"},
    )  # fmt: skip
    rows = simulate(small, 0, noting())
    parts = [(c.start_s, c.finish_s, c.examples) for c in rows if isinstance(c, Computation)]
    assert parts == [(0.8, 1.0, 8), (3.0, pytest.approx(3.6), 24)]


@pytest.mark.parametrize("how", ["resume", "lost"])
def test_work_that_can_never_be_done_is_given_up(scenario, noting, monkeypatch, how):
    monkeypatch.setattr(sys.modules["emulator.simulation.policies.buffered"], "PATIENCE", 1)
    brief = {"kind": "on_off", "on": "1 ms", "off": "1 s", "on_return": how}
    clients = {"down": "8 Mbps", "up": "8 Mbps", "rtt": "90 ms", "availability": brief}
    small = scenario({"kind": "asynchronous", "concurrency": 2}, clients=clients, count=10)
    with pytest.raises(EmulationError, match="in a row failed because clients left"):
        simulate(small, 0, noting())
