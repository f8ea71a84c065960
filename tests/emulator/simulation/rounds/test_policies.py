"""Every policy where theory says what must come out, and what all of them have in common."""

import itertools

import pytest

from emulator.simulation.records import Round, Transfer
from emulator.simulation.rounds.staleness import Polynomial
from emulator.simulation.simulate import simulate
from emulator.simulation.trainer import StubTrainer
from flasc.common.messages import MessageInfo

DEADLINE = {"kind": "deadline", "deadline": "1000 h"}
# What each comes to where nobody is late and all are alike.
LIKE_SYNCHRONOUS = [
    DEADLINE,
    {**DEADLINE, "late": "accept", "staleness": "polynomial"},
    {**DEADLINE, "select": 10, "first": 10},
    {"kind": "overselection", "select": 10},
    {"kind": "buffered", "concurrency": 10, "buffer": 10},
    {"kind": "buffered", "concurrency": 10, "buffer": 10, "staleness": "constant"},
]
POLICIES = {
    "synchronous": "synchronous",
    "overselection": {"kind": "overselection", "select": 13},
    "late ones count": {"kind": "overselection", "select": 13, "late": "accept"},
    "deadline": {"kind": "deadline", "deadline": "600 ms"},
    "both": {"kind": "deadline", "deadline": "1 s", "select": 13, "first": 10},
    "deadline, late ones count": {"kind": "deadline", "deadline": "400 ms", "late": "accept"},
    "buffered": {"kind": "buffered", "concurrency": 12, "buffer": 5},
    "asynchronous": {"kind": "asynchronous", "concurrency": 12},
}
every_policy = pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
every_selection = pytest.mark.parametrize("selection", ["uniform", "oort"])


@pytest.mark.parametrize("policy", LIKE_SYNCHRONOUS)
@pytest.mark.parametrize("compute", [None, {"per_example": "10 ms"}])
def test_with_nobody_late_it_is_the_synchronous_ledger(played, policy, compute):
    rows, trainer = played(policy, compute=compute)
    expected, synchronous = played("synchronous", compute=compute)
    assert rows == expected
    assert trainer.merges == synchronous.merges
    assert trainer.batches == synchronous.batches


@pytest.mark.parametrize("policy", LIKE_SYNCHRONOUS[:4])
def test_whoever_waits_for_all_is_synchronous_over_any_links(played, spread, policy):
    assert played(policy, clients=spread)[0] == played("synchronous", clients=spread)[0]


def test_a_fresh_update_weighs_what_fedavg_gives_it(played):
    _, trainer = played({"kind": "buffered", "concurrency": 10, "buffer": 10})
    assert [weights for _, weights in trainer.merges] == [[1 / 10] * 10] * 6


@pytest.mark.parametrize(
    ("a", "weights"), [(0.5, [1, 2**-0.5, 0.5]), (0, [1, 1, 1]), (2, [1, 1 / 4, 1 / 16])]
)
def test_the_polynomial(a, weights):
    law = Polynomial(kind="polynomial", a=a)
    assert [law.weight(s) for s in (0, 1, 3)] == pytest.approx(weights, rel=1e-15)


@every_selection
@every_policy
def test_all_ends_and_adds_up(played, transfers_of, rounds_of, spread, policy, selection):
    training = {"rounds": 12}
    rows, trainer = played(policy, clients=spread, training=training, selection=selection)
    rounds = rounds_of(rows)
    assert [r.round for r in rounds] == list(range(1, 13))
    assert all(r.start_s <= r.finish_s for r in rounds)
    assert [len(clients) for clients, _ in trainer.merges] == [r.used for r in rounds if r.used]
    used_up = transfers_of(rows, direction="up", outcome="used")
    assert len(used_up) == sum(r.used for r in rounds)
    # Whoever's update was used got a whole download before it, and no client does two things.
    assert len(transfers_of(rows, direction="down", outcome="used")) == len(used_up)
    for client in {t.client for t in transfers_of(rows)}:
        own = sorted((t.start_s, t.finish_s) for t in transfers_of(rows, client=client))
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(own))
    # No message outlives its use, and nothing happens after the end.
    assert not any(trainer.held.values())
    assert max(t.finish_s for t in transfers_of(rows)) <= rounds[-1].finish_s


@every_selection
@every_policy
def test_twice_is_the_same(played, spread, policy, selection):
    keys = {"clients": spread, "selection": selection}
    assert played(policy, **keys)[0] == played(policy, **keys)[0]
    assert played(policy, **keys)[0] != played(policy, seed=1, **keys)[0]


@every_policy
def test_every_policy_stops_past_the_target(scenario, noting, policy):
    target = {"rounds": 90, "target": {"accuracy": 0.5, "stop_after": 2}}
    rows = simulate(scenario(policy, training=target), 0, noting(tau=2.0))
    last = max(row.round for row in rows if isinstance(row, Round))
    steps = [row for row in rows if isinstance(row, Round) and row.used]
    assert len(steps) == 4  # 0.8 (1 - e^(-k/2)) passes 0.5 in step 2
    assert last < 90


# -- over-selection and deadlines


def test_the_first_ones_count(played, transfers_of, rounds_of, spread):
    policy = {"kind": "overselection", "select": 13}
    rows, trainer = played(policy, clients=spread)
    everybody, _ = played("synchronous", clients=spread, training={"cohort": 13, "rounds": 1})
    first = sorted(transfers_of(everybody, direction="up"), key=lambda t: t.finish_s)[:10]
    assert sorted(trainer.merges[0][0]) == sorted(t.client for t in first)
    assert [r.used for r in rounds_of(rows)] == [10] * 6
    assert [r.cohort for r in rounds_of(rows)] == [13] * 6
    late = transfers_of(rows, outcome="late")
    assert len({(t.round, t.client) for t in late}) == 3 * 6
    for t in late:
        assert t.nbytes <= (100_000 if t.direction == "down" else 20_000)


def test_a_deadline_between_two_clients_drops_the_slower(played, transfers_of, rounds_of):
    # Alone at 1 MB/s and 0.1 MB/s: 0.05 + 0.1 s down, 0.05 + 0.2 s up. Half of them at a tenth up.
    up = {"kind": "choice", "values": ["0.8 Mbps", "0.08 Mbps"]}
    clients = {"down": "8 Mbps", "up": up, "rtt": "100 ms"}
    rows, trainer = played({"kind": "deadline", "deadline": "1 s", "select": 30}, clients=clients)
    for r in rounds_of(rows):
        assert r.finish_s - r.start_s == pytest.approx(1.0, rel=1e-12)
    late = transfers_of(rows, outcome="late", direction="up")
    assert {t.nbytes for t in late} == {8000}  # 0.8 s at 10 kB/s
    assert {t.nbytes for t in transfers_of(rows, outcome="late", direction="down")} == {100_000}
    assert {len(clients) + len(late) // 6 for clients, _ in trainer.merges} == {30}


# No delay, and times that floats hold exactly: 1/8 s down and 5/32 s up.
EXACT = {"down": "6.4 Mbps", "up": "1.024 Mbps"}


def test_what_arrives_at_the_very_deadline_is_in_time(played, rounds_of):
    rows, _ = played({"kind": "deadline", "deadline": "281.25 ms"}, clients=EXACT)
    assert [r.used for r in rounds_of(rows)] == [10] * 6
    rows, _ = played({"kind": "deadline", "deadline": "281 ms"}, clients=EXACT)
    assert [r.used for r in rounds_of(rows)] == [0] * 6


def test_a_round_without_updates_makes_no_step(played, rounds_of, transfers_of):
    rows, trainer = played({"kind": "deadline", "deadline": "10 ms"})
    assert trainer.merges == []
    assert trainer.batches == []
    assert [r.used for r in rounds_of(rows)] == [0] * 6
    assert {t.outcome for t in transfers_of(rows)} == {"late"}


@pytest.mark.parametrize(("late", "outcomes"), [("drop", "late"), ("accept", "used")])
def test_whoever_ends_at_the_instant_of_the_first_is_stopped_by_nobody(scenario, late, outcomes):
    """Client 1 computes until client 0's update arrives, and then sends nothing, in no time."""

    class Unlike(StubTrainer):
        def download(self, client):
            return MessageInfo(client, 250_000 * client, 0)

        def train(self, downloads):
            return [MessageInfo(d.client, 10**6 * (1 - d.client), 0, d.client) for d in downloads]

    rows = simulate(
        scenario(
            {"kind": "overselection", "select": 2, "first": 1, "late": late},
            {"rounds": 1, "cohort": 1},
            {"down": "8 Mbps", "up": "8 Mbps", "rtt": "0 ms"},
            count=2,
            compute={"per_example": "0.75 s"},
        ),
        0,
        Unlike(down_bytes=0, up_bytes=0),
    )
    ups = [r for r in rows if isinstance(r, Transfer) and r.direction == "up"]
    assert sorted((r.client, r.nbytes, r.finish_s) for r in ups) == [(0, 10**6, 1.0), (1, 0, 1.0)]
    assert [r.outcome for r in ups] == ["used", outcomes]  # of two at once, the one told of first


def test_late_updates_count_where_they_arrive(played, transfers_of, rounds_of):
    # A round of 0.3 s at most; the slow need 0.1 + 0.5 and arrive in a later one.
    up = {"kind": "choice", "values": ["1.6 Mbps", "0.32 Mbps"]}
    policy = {
        "kind": "deadline", "deadline": "300 ms", "late": "accept", "staleness": "polynomial",
    }  # fmt: skip
    rows, trainer = played(policy, clients={"down": "8 Mbps", "up": up})
    ups = transfers_of(rows, direction="up", outcome="used")
    assert {t.staleness for t in ups} > {0}
    weights = sorted(w * len(clients) for clients, ws in trainer.merges for w in ws)
    assert weights == pytest.approx(sorted((1 + t.staleness) ** -0.5 for t in ups), rel=1e-12)
    assert not transfers_of(rows, outcome="late")
    assert transfers_of(rows, outcome="unfinished")


def test_all_that_arrive_at_once_count_at_once_where_late_ones_do(played, transfers_of, rounds_of):
    policy = {"kind": "overselection", "select": 8, "first": 5, "late": "accept"}
    rows, _ = played(policy)  # over equal links
    assert {r.used for r in rounds_of(rows)} == {8}
    assert {(t.outcome, t.staleness) for t in transfers_of(rows)} == {("used", 0)}


# -- asynchronous


def test_fully_asynchronous_is_a_buffer_of_one(played, spread):
    one, _ = played({"kind": "asynchronous", "concurrency": 7}, clients=spread)
    same, _ = played({"kind": "buffered", "concurrency": 7, "buffer": 1}, clients=spread)
    assert one == same


def test_equal_clients_one_by_one_take_turns(played, transfers_of, rounds_of):
    # One client at work: nobody overtakes it, and a round is as long as its client's visit.
    rows, trainer = played({"kind": "asynchronous", "concurrency": 1})
    assert {t.staleness for t in transfers_of(rows)} == {0}
    assert [w for _, w in trainer.merges] == [[1.0]] * 6
    one_s = 0.05 + 0.1 + 0.05 + 0.2
    assert [r.finish_s for r in rounds_of(rows)] == pytest.approx([k * one_s for k in range(1, 7)])


def test_staleness_counts_the_steps_in_between(played, transfers_of, rounds_of, spread):
    rows, trainer = played(
        {"kind": "buffered", "concurrency": 12, "buffer": 3}, clients=spread,
        training={"rounds": 30},
    )  # fmt: skip
    ends = [r.finish_s for r in rounds_of(rows)]
    used = transfers_of(rows, direction="up", outcome="used")
    assert max(t.staleness for t in used) > 1
    for t in used:
        merged = t.round + t.staleness
        assert t.finish_s <= ends[merged - 1]
        assert merged == 1 or t.finish_s >= ends[merged - 2]
    by_step = [sorted(1 / (1 + t.staleness) ** 0.5 / 3 for t in used
                      if t.round + t.staleness == k) for k in range(1, 31)]  # fmt: skip
    assert [sorted(w) for _, w in trainer.merges] == [pytest.approx(w, rel=1e-12) for w in by_step]


def test_always_as_many_are_at_work(played, transfers_of, spread):
    rows, _ = played({"kind": "buffered", "concurrency": 12, "buffer": 5}, clients=spread)
    starts = sorted(t.start_s for t in transfers_of(rows, direction="down"))
    ends = sorted(t.finish_s for t in transfers_of(rows, direction="up"))
    last = max(ends)
    for time_s in [t for t in starts if t < last]:
        begun, over = sum(s <= time_s for s in starts), sum(e <= time_s for e in ends)
        assert begun - over == 12


def test_it_trains_late_and_many_at_once(played):
    # Twelve downloads begin together: the first to end trains all twelve.
    _, trainer = played({"kind": "buffered", "concurrency": 12, "buffer": 6}, count=60)
    assert len(trainer.batches[0]) == 12
    assert all(batch for batch in trainer.batches)


def test_nobody_gets_a_version_twice_while_others_wait(played, transfers_of, spread):
    rows, _ = played({"kind": "buffered", "concurrency": 5, "buffer": 5}, clients=spread)
    downs = [(t.round, t.client) for t in transfers_of(rows, direction="down")]
    assert len(set(downs)) == len(downs)


def test_a_fleet_smaller_than_the_buffer_goes_round(played, rounds_of, transfers_of, spread):
    rows, trainer = played(
        {"kind": "buffered", "concurrency": 3, "buffer": 7}, clients=spread, count=3,
        training={"cohort": 3, "rounds": 4},
    )  # fmt: skip
    assert [r.used for r in rounds_of(rows)] == [7] * 4
    assert {t.client for t in transfers_of(rows)} == {0, 1, 2}
    assert not any(trainer.held.values())


# -- selection


def test_oort_prefers_the_fast(played, transfers_of):
    up = {"kind": "choice", "values": ["8 Mbps", "0.08 Mbps"], "weights": [1, 1]}
    keys = {"clients": {"down": "8 Mbps", "up": up}, "training": {"rounds": 60, "cohort": 5}}
    oort, _ = played(selection="oort", **keys)
    uniform, _ = played("synchronous", **keys)

    def slow(rows):
        ups = [t for t in transfers_of(rows, direction="up") if t.round > 20]
        return sum(t.finish_s - t.start_s > 1 for t in ups) / len(ups)

    assert slow(oort) < 0.5 * slow(uniform)


# -- order of rows


def test_judging_leaves_the_order_alone(played, spread):
    rows, _ = played(POLICIES["overselection"], clients=spread)
    times = [row.finish_s for row in rows if hasattr(row, "finish_s")]
    assert times == sorted(times)
