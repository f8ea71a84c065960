"""FedBuff and FedAsync: staleness, concurrency, and which clients are selected."""

import pytest


def test_a_fresh_update_weighs_what_fedavg_gives_it(played):
    _, trainer = played({"kind": "buffered", "concurrency": 10, "buffer": 10})
    assert [weights for _, weights in trainer.merges] == [[1 / 10] * 10] * 6


def test_fully_asynchronous_is_a_buffer_of_one(played, spread):
    one, _ = played({"kind": "asynchronous", "concurrency": 7}, clients=spread)
    same, _ = played({"kind": "buffered", "concurrency": 7, "buffer": 1}, clients=spread)
    assert one == same


def test_equal_clients_one_by_one_take_turns(played, transfers_of, rounds_of):
    # One client at work: nobody overtakes it, and a round is as long as its task.
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
