"""Over-selection: the first updates are used."""

import pytest

from emulator.simulation.records import Transfer
from emulator.simulation.simulate import simulate
from emulator.simulation.trainer import StubTrainer
from flasc.common.messages import MessageInfo


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


def test_all_that_arrive_at_once_count_at_once_where_late_ones_do(played, transfers_of, rounds_of):
    policy = {"kind": "overselection", "select": 8, "first": 5, "late": "accept"}
    rows, _ = played(policy)  # over equal links
    assert {r.used for r in rounds_of(rows)} == {8}
    assert {(t.outcome, t.staleness) for t in transfers_of(rows)} == {("used", 0)}
