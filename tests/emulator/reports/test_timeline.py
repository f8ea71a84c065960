"""Timelines: every second of a round is somebody's phase, and thinning keeps both ends."""

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given, strategies as st

from emulator.reports.run_report import MOST_CLIENTS, MOST_LINES, Study, _timeline
from emulator.reports.timeline import PHASES, Phase, lines, spaced
from emulator.simulation.records import Computation, Emulation, Round, Row, Transfer

# Client 4 waits before it computes, and 2 s for client 9, which is cut off in its upload.
ROWS: list[Row] = [
    Transfer(1, 9, "down", 100, 10.0, 12.0),
    Transfer(1, 4, "down", 100, 10.0, 11.0),
    Computation(1, 4, 32, 2, 11.5, 12.0),
    Computation(1, 9, 32, 2, 12.0, 12.0),
    Transfer(1, 4, "up", 10, 12.0, 14.0),
    Transfer(1, 9, "up", 12, 12.0, 16.0),
    Round(1, 2, 10.0, 16.0),
]


def test_a_round_by_hand() -> None:
    (line,), of_rounds = lines(ROWS, 5, 5)
    assert (line.round, line.start_s, line.finish_s, of_rounds) == (1, 10.0, 16.0, 1)
    assert list(line.clients) == [4, 9], "first done, first shown"
    assert line.clients[4] == [
        Phase("download", 10.0, 11.0),
        Phase("waiting", 11.0, 11.5),
        Phase("compute", 11.5, 12.0),
        Phase("upload", 12.0, 14.0),
        Phase("waiting", 14.0, 16.0),
    ]
    assert line.clients[9] == [Phase("download", 10.0, 12.0), Phase("upload", 12.0, 16.0)]


seconds = st.floats(0, 1e4)
cohorts = st.lists(st.tuples(seconds, seconds, seconds), min_size=1, max_size=15)


@given(st.lists(cohorts, min_size=1, max_size=12), st.integers(1, 10), st.integers(1, 10))
def test_phases_fill_the_round_without_a_gap(
    plan: list[list[tuple[float, float, float]]], rounds: int, clients: int
) -> None:
    rows: list[Row] = []
    now = 0.0
    for r, cohort in enumerate(plan, 1):
        ends = []
        for client, (down, compute, up) in enumerate(cohort):
            a, b, c = now + down, now + down + compute, now + down + compute + up
            rows += [Transfer(r, client, "up", 2, b, c), Computation(r, client, 1, 1, a, b)]
            rows += [Transfer(r, client, "down", 8, now, a)]
            ends.append(c)
        rows.append(Round(r, len(cohort), now, max(ends)))
        now = max(ends)
    kept, of_rounds = lines(rows, rounds, clients)
    assert of_rounds == len(plan)
    assert len(kept) == min(rounds, len(plan))
    assert kept[-1].round == len(plan)
    for line in kept:
        assert len(line.clients) == min(clients, len(plan[line.round - 1])) <= line.of_clients
        for phases in line.clients.values():
            ends_s = [line.start_s, *(phase.finish_s for phase in phases)]
            assert [phase.start_s for phase in phases] == ends_s[:-1]
            assert ends_s[-1] == line.finish_s
            assert all(phase.name in PHASES for phase in phases)
        *_, slowest = line.clients.values()
        assert not slowest or slowest[-1].name != "waiting"


@given(st.lists(st.integers(), unique=True), st.integers(1, 60))
def test_spaced_is_even_and_keeps_the_ends(items: list[int], n: int) -> None:
    found = spaced(items, n)
    assert len(found) == min(n, len(items))
    places = [items.index(item) for item in found]
    assert places == sorted(set(places))
    if items:
        assert found[-1] == items[-1]
    if len(found) > 1:
        assert found[0] == items[0]
        steps = [b - a for a, b in itertools.pairwise(places)]
        assert max(steps) - min(steps) <= 1


def test_a_study_keeps_as_many_rounds_as_there_is_room_for(study_of: Callable[..., Study]) -> None:
    study = study_of({"A": 0.1}, {"x": 1})
    timeline = study.timelines[Emulation("A", "x", 0)]
    assert len(timeline.rounds) == timeline.of_rounds == 10
    assert MOST_LINES / MOST_CLIENTS > 100


def test_where_there_is_less_room_there_are_fewer_rounds_then_fewer_clients() -> None:
    cohort: list[Row] = [Transfer(1, c, "down", 1, 0.0, c + 1.0) for c in range(100)]
    rows = [*cohort, Round(1, 100, 0.0, 100.0)]
    rows += [row._replace(round=2) for row in rows]
    shapes = []
    for room in (200, 60, 30, 20, 1):
        timeline = _timeline(rows, room)
        shapes.append((len(timeline.rounds), len(timeline.rounds[0].clients)))
        assert timeline.of_rounds == 2
        assert timeline.rounds[0].of_clients == 100
    assert shapes == [(2, 30), (2, 30), (1, 30), (1, 20), (1, 3)]


@pytest.mark.parametrize("n", [1, 2])
def test_a_run_without_rounds_has_no_timeline(n: int) -> None:
    assert lines([], n, n) == ((), 0)
