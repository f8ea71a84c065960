"""Requests and answers as they come make a log whose rounds are right."""

import pytest

from emulator.integrations.message_log import Writer, read
from emulator.integrations.message_log.rounds import RoundWriter


@pytest.fixture
def log(tmp_path):
    with Writer(tmp_path / "log.jsonl", run="r", method="m") as writer:
        yield RoundWriter(writer)


def visits(tmp_path):
    return [(v.round, v.client, v.failed) for v in read(tmp_path / "log.jsonl").visits]


def ask(log, clients, label=None):
    return [log.request(each, 1000, label=label) for each in clients]


def test_a_label_names_a_round_and_rounds_count_from_one(log, tmp_path):
    """A training that resumes at round 11 has rounds 11 and 12."""
    for label in ("11", "12"):
        for request in [*ask(log, [7], label), *ask(log, [8], label)]:
            log.answer(request, 500)
    assert visits(tmp_path) == [(1, "7", False), (1, "8", False), (2, "7", False), (2, "8", False)]


def test_how_messages_are_sent_is_written_once(log, tmp_path):
    for request in ask(log, [7]):
        log.answer(request, 500)
    log.program("flower", 25)
    log.program("flower", 1)
    program = read(tmp_path / "log.jsonl").program
    assert program is not None
    assert (program.preset, program.arrays, program.requests) == ("flower", 25, None)
    assert (
        '"kind": "program", "preset": "flower", "arrays": 25' in read(tmp_path / "log.jsonl").text
    )


def test_without_labels_a_round_ends_with_its_answers(log, tmp_path):
    first = [*ask(log, [7]), *ask(log, [8, 9])]  # pushed in two calls
    log.failure(first[0])
    for request in [*first[1:], *ask(log, [7, 8])]:
        log.answer(request, 500)
    assert [number for number, *_ in visits(tmp_path)] == [1, 1, 1, 2, 2]


def test_a_client_that_is_asked_again_begins_a_round(log, tmp_path):
    for request in ask(log, [7, 8, 7], label="1"):
        log.answer(request, 500)
    assert visits(tmp_path) == [(1, "7", False), (1, "8", False), (2, "7", False)]


def test_a_late_answer_is_in_the_round_of_its_request(log, tmp_path):
    late, quick = ask(log, [7, 8], label="1")
    log.answer(quick, 500)
    (second,) = ask(log, [8], label="2")
    log.answer(late, 500)
    log.answer(second, 500)
    assert visits(tmp_path) == [(1, "8", False), (1, "7", False), (2, "8", False)]


def test_an_answer_to_a_failed_request_changes_nothing(log, tmp_path):
    (request,) = ask(log, [7])
    log.failure(request)
    log.answer(request, 500)
    assert visits(tmp_path) == [(1, "7", True)]


def test_open_requests_are_failures_when_the_log_is_closed(log, tmp_path):
    log.answer(ask(log, [7, 8])[0], 500)
    assert visits(tmp_path) == [(1, "7", False)]  # what a killed program leaves
    log.close()
    assert visits(tmp_path) == [(1, "7", False), (1, "8", True)]


def test_a_round_without_any_answer_has_failed_when_the_next_one_begins(log, tmp_path):
    """Otherwise the log of a program that is killed later would lack this round."""
    query = log.request(7, 10, purpose="query")
    (silent,) = ask(log, [7], label="1")
    log.answer(query, 3)
    log.answer(ask(log, [8], label="2")[0], 500)
    log.answer(silent, 500)
    assert visits(tmp_path) == [(1, "7", True), (2, "8", False)]
    assert [u.bytes_up for u in read(tmp_path / "log.jsonl").untimed] == [3]


def test_other_requests_are_apart_and_begin_no_round(log, tmp_path):
    log.answer(log.request(7, 10, purpose="query"), 3)
    log.answer(ask(log, [7])[0], 500)
    log.answer(log.request(7, 1000, purpose="evaluate"), 20)
    log.failure(log.request(8, 1000, purpose="evaluate"))
    found = read(tmp_path / "log.jsonl")
    assert len(found.visits) == 1
    assert [(u.round, u.purpose, u.bytes_down, u.bytes_up) for u in found.untimed] == [
        (0, "query", 10, 3),
        (1, "evaluate", 1000, 20),
        (1, "evaluate", 1000, 0),
    ]


def test_a_score_is_that_of_the_last_round_and_the_first_one_counts(log, tmp_path):
    log.score(0.1, loss=float("nan"))
    log.answer(ask(log, [7])[0], 500)
    log.score(0.2, loss=1.5)
    log.score(0.3)
    found = read(tmp_path / "log.jsonl").scores
    assert [(s.round, s.value, s.loss) for s in found] == [(0, 0.1, None), (1, 0.2, 1.5)]


def test_a_score_that_is_not_finite_is_left_out(log, tmp_path):
    """A perplexity after a divergence does not end the training that is recorded."""
    for value in (float("inf"), float("nan"), 1e200):
        log.score(value)
    log.score(0.5)
    log.answer(ask(log, [7])[0], 500)
    assert [score.value for score in read(tmp_path / "log.jsonl").scores] == [0.5]


def test_what_an_answer_tells_is_written(log, tmp_path):
    for label in ("1", "2"):
        (request,) = ask(log, [7], label)
        log.answer(request, 500, seconds=1.5, examples=30, partition=4)
    found = read(tmp_path / "log.jsonl")
    assert found.partitions == {"7": 4}
    assert [(v.seconds, v.examples) for v in found.visits] == [(1.5, 30)] * 2
