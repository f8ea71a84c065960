"""What all policies have in common, and policies that amount to synchronous rounds."""

import itertools
from typing import get_args

import pytest

from emulator.simulation import policies
from emulator.simulation.records import Round
from emulator.simulation.simulate import simulate

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


def test_every_policy_is_here():
    kinds = {p if isinstance(p, str) else p["kind"] for p in POLICIES.values()}
    assert kinds == {get_args(s.model_fields["kind"].annotation)[0] for s in policies.POLICIES}


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


def test_judging_leaves_the_order_alone(played, spread):
    rows, _ = played(POLICIES["overselection"], clients=spread)
    times = [row.finish_s for row in rows if hasattr(row, "finish_s")]
    assert times == sorted(times)
