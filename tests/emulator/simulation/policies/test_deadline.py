"""Deadlines: which updates are in time, and what becomes of the others."""

import pytest


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
