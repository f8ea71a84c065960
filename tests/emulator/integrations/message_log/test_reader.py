"""Logs that are valid, and what is said of those that are not: file, line, field."""

import json
import os

import pytest
from hypothesis import given, settings, strategies as st

from emulator.common.errors import MessageLogError
from emulator.integrations.message_log import is_log, read

from .toy_log import HEADER, visit


def refusal(path):
    with pytest.raises(MessageLogError) as caught:
        read(path)
    assert caught.value.hint
    return caught.value.message.replace(str(path), "LOG")


def test_a_log_of_each_kind_of_record(write):
    log = read(
        write(
            {"kind": "client", "client": 7, "group": "phones", "examples": 12},
            visit(1, 7, seconds=2, examples=32),
            visit(1, "b", failed=True, bytes_up=0),
            {"kind": "score", "round": 1, "value": 0.5, "loss": 1.5},
            visit(2, 7, merged=False),
            visit(2, "b"),
            header={"clients": 5, "target": 0.4},
        )
    )
    assert (log.header.clients, log.header.target, log.header.metric) == (5, 0.4, "accuracy")
    assert log.ids == ("7", "b")
    assert [(v.round, v.client, v.seconds) for v in log.visits[:2]] == [
        (1, "7", 2.0),
        (1, "b", None),
    ]
    assert log.visits[1].failed
    assert (log.scores[0].value, log.scores[0].loss) == (0.5, 1.5)
    assert log.clients[0].group == "phones"
    assert log.rounds == 2


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (visit("1", 7), "LOG:2: round: found '1'; allowed: a whole number"),
        (visit(0, 7), "LOG:2: round: found 0; allowed: 1 or more"),
        (visit(1.5, 7), "LOG:2: round: found 1.5; allowed: a whole number"),
        (visit(True, 7), "LOG:2: round: found true; allowed: a whole number"),
        (visit(1, None), "LOG:2: client: found null; allowed: text"),
        (visit(1, 1.5), "LOG:2: client: found 1.5; allowed: text"),
        (visit(1, "a\u0007"), "LOG:2: client: found 'a\\x07'; allowed: printable text"),
        (visit(1, "\ud800"), "LOG:2: client: found '\\ud800'; allowed: text in Unicode"),
        (visit(1, 7, bytes_down=-1), "LOG:2: bytes_down: found -1; allowed: 0 or more"),
        (visit(1, 7, bytes_up="1"), "LOG:2: bytes_up: found '1'; allowed: a whole number"),
        (visit(1, 7, bytes_up=10**14), "LOG:2: bytes_up: found 100000000000000; allowed: 10000"),
        (visit(1, 7, seconds=-1), "LOG:2: seconds: found -1; allowed: 0 or more"),
        (visit(1, 7, seconds="1 s"), "LOG:2: seconds: found '1 s'; allowed: a number"),
        (visit(1, 7, examples=1.5), "LOG:2: examples: found 1.5; allowed: a whole number"),
        (visit(1, 7, failed=1), "LOG:2: failed: found 1; allowed: true or false"),
        (visit(1, 7, merged="no"), "LOG:2: merged: found 'no'; allowed: true or false"),
        (visit(1, 7, byte_up=1), "LOG:2: byte_up: unknown field; did you mean 'bytes_up'?"),
        ({"kind": "visit", "round": 1, "client": 7, "bytes_down": 1}, "LOG:2: bytes_up: missing"),
        ({"kind": "visit", "round": 1, "client": 7, "bytes_up": 1}, "LOG:2: bytes_down: missing"),
        ({"kind": "visits"}, "LOG:2: kind: found 'visits'; did you mean 'visit'? allowed: visit,"),
        ({"round": 1}, "LOG:2: kind: missing; allowed: visit, untimed, score, client"),
        ({"kind": "score", "round": 1, "value": 41}, "LOG:2: value: found 41; allowed: a num"),
        ({"kind": "score", "round": 1, "value": "x"}, "LOG:2: value: found 'x'; allowed: a number"),
        ({"kind": "score", "round": 1, "value": 0.5, "loss": -1}, "LOG:2: loss: found -1; al"),
        ({"kind": "score", "round": 1, "value": 1, "split": "dev"}, "LOG:2: split: found 'dev'"),
        ({"kind": "client", "client": 1, "partition": -1}, "LOG:2: partition: found -1; allo"),
        ({"kind": "client", "client": 1, "group": 3}, "LOG:2: group: found 3; allowed: text"),
        ([1], "LOG:2: found [1]; allowed: a JSON object"),
        (HEADER, "LOG:2: found a second header"),
        ('{"kind": "visit", "kind": "visit"}', "LOG:2: found no JSON: a key that occurs twice"),
        ('{"kind": NaN}', "LOG:2: found no JSON: the number NaN"),
        (
            '{"kind": "program", "arrays": 2}\n{"kind": "program"}',
            "LOG:3: found a second program; allowed: one (the first is in line 2)",
        ),
        ('{"kind": visit}', "LOG:2: column 10: found no JSON"),
        ("[" * 100_000, "LOG:2: found no JSON"),
        ('{"kind": "score", "round": 1, "value": 1e999}', "LOG:2: value: found inf; allow"),
        ('{"kind": "visit", "round": ' + "9" * 5000 + "}", "LOG:2: found no JSON"),
    ],
)  # fmt: skip
def test_a_record_that_is_wrong(write, record, said):
    assert refusal(write(record, visit(1, 8))).startswith(said)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ({"flasc_emu_message_log": 2}, "LOG:1: flasc_emu_message_log: found version 2; allowed: 1"),
        ({"flasc_emu_message_log": True}, "LOG:1: flasc_emu_message_log: found version true"),
        ({"run": ""}, "LOG:1: run: found ''; allowed: text of 1 or more characters"),
        ({"run": None}, "LOG:1: run: found null; allowed: text"),
        ({"method": 5}, "LOG:1: method: found 5; allowed: text"),
        ({"clients": 0}, "LOG:1: clients: found 0; allowed: 1 or more"),
        ({"direction": "up"}, "LOG:1: direction: found 'up'; allowed: 'higher' or 'lower'"),
        ({"target": 70}, "LOG:1: target: found 70; allowed: a number from 0 to 1; divide percents"),
        ({"target": 12, "direction": "higher"}, "LOG:1: target: found 12; allowed: a number from"),
        ({"target": -1, "direction": "lower"}, "LOG:1: target: found -1; allowed: 0 or more"),
        ({"targets": 0.7}, "LOG:1: targets: unknown field; did you mean 'target'?"),
        ({"clients": 1}, "LOG:1: clients: found 1, and the records name 2; allowed: at least"),
    ],
)
def test_a_header_that_is_wrong(write, header, said):
    assert refusal(write(visit(1, 1), visit(1, 2), header=header)).startswith(said)


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([], "LOG: found no visit; allowed: one or more"),
        ([visit(1, 7), visit(1, "7")], "LOG:3: found client '7' in round 1 again"),
        ([visit(1, 7), visit(3, 7)], "LOG: found rounds up to 3 and no visit in round 2"),
        ([visit(1, 7, merged=False)], "LOG: round 1: found 1 update, none of them merged"),
        (
            [visit(1, 7, merged=False), visit(1, 8, failed=True)],
            "LOG: round 1: found 1 update, none of them merged",
        ),
        (
            [visit(1, 7), {"kind": "score", "round": 2, "value": 0.5}],
            "LOG:3: round: found 2; allowed: 0 to 1",
        ),
        (
            [visit(1, 7), *[{"kind": "score", "round": 1, "value": 0.5}] * 2],
            "LOG:4: found a second validation score of round 1",
        ),
        ([visit(1, 7), *[{"kind": "client", "client": 7}] * 2], "LOG:4: found client '7' again"),
        (
            [visit(1, 7), *({"kind": "client", "client": c, "partition": 0} for c in (7, 8))],
            "LOG:4: partition: found 0 again",
        ),
        ([visit(1, 7), {"kind": "untimed", "round": 1, "client": 7}], "LOG:3: bytes_down: missing"),
    ],
)
def test_records_that_do_not_fit_together(write, records, said):
    assert refusal(write(*records)).startswith(said)


def test_files_that_are_no_log(tmp_path):
    path = tmp_path / "a.jsonl"
    assert refusal(path) == "LOG: no such file; allowed: a file"
    path.write_text("")
    assert refusal(path) == "LOG: found an empty file; allowed: a message log"
    path.write_bytes(b'{"run": "\xff"}')
    assert refusal(path) == "LOG:1: found byte 0xff; allowed: UTF-8 text"
    path.write_text('{"run": "x"}\n')
    assert refusal(path) == "LOG:1: found no flasc_emu_message_log in the first line"


def test_a_last_line_that_is_cut_off_is_left_out_and_told(write):
    path = write(visit(1, 7), visit(2, 7))
    whole = path.read_bytes()
    cut = whole[: whole.rindex(b"bytes_up")]
    path.write_bytes(cut)
    log = read(path)
    assert log.rounds == 1
    assert log.remarks == (f"{path}:3: the last line is cut off: it is left out",)
    path.write_bytes(whole[:-1])  # only the line end is missing: the record is whole
    assert (read(path).rounds, read(path).remarks) == (2, ())
    path.write_bytes(cut + b"\n")  # not cut off: wrong
    assert refusal(path).startswith("LOG:3: column")


@given(st.integers(min_value=0, max_value=400))
@settings(max_examples=60, deadline=None)
def test_a_log_that_is_cut_off_anywhere_is_read_up_to_there(tmp_path_factory, kept):
    path = tmp_path_factory.mktemp("cut") / "log.jsonl"
    lines = [json.dumps(each) for each in (HEADER, *(visit(n, 7) for n in range(1, 5)))]
    whole = ("\n".join(lines) + "\n").encode()
    path.write_bytes(whole[: min(kept, len(whole))])
    complete = sum(kept >= len("\n".join(lines[: n + 1]).encode()) for n in range(len(lines)))
    if complete < 2:
        assert refusal(path)
    else:
        assert read(path).rounds == complete - 1


def test_a_log_is_known_by_its_name_or_its_first_line(tmp_path):
    for name, text, known in (
        ("a.jsonl", "", True),
        ("a.CSV", "", True),
        ("a.txt", json.dumps(HEADER), True),
        ("a.yaml", "name: x", False),
    ):
        (tmp_path / name).write_text(text)
        assert is_log(tmp_path / name) is known
    os.mkfifo(tmp_path / "pipe.csv")  # reading it would wait for ever
    assert not is_log(tmp_path / "pipe.csv")
    assert not is_log(tmp_path)


def test_clients_without_a_partition_get_the_lowest_free_numbers(write):
    """A client that never answered could not say which partition it has."""
    partitions = [{"kind": "client", "client": c, "partition": n} for c, n in (("a", 0), ("b", 2))]
    log = read(write(visit(1, "x"), visit(1, "a"), visit(1, "b"), visit(1, "y"), *partitions))
    assert log.partitions == {"a": 0, "b": 2, "x": 1, "y": 3}
    assert log.fewest_clients == 4
    (remark,) = log.remarks
    assert "2 visited clients without a partition" in remark


def test_requests_without_training_are_apart_from_the_visits(write):
    asked = {"kind": "untimed", "round": 1, "client": 8, "bytes_down": 900, "bytes_up": 20}
    path = write(visit(1, 7), asked, asked | {"client": 9, "purpose": "query", "bytes_up": 0})
    log = read(path)
    assert [visit.client for visit in log.visits] == ["7"]
    assert [(each.client, each.purpose) for each in log.untimed] == [
        ("8", "evaluate"),
        ("9", "query"),
    ]
    assert log.ids == ("7", "8", "9")
    again = path.with_name("again.jsonl")
    again.write_text(log.text)
    assert read(again).digest == log.digest
