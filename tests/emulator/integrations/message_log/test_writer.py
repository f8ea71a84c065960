"""What is written is read as the same, also by a program that is killed."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from emulator.common.errors import MessageLogError
from emulator.integrations.message_log import Writer, read

TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp", "Zs"]),
    min_size=1,
    max_size=20,
)
COUNT = st.none() | st.integers(0, 2**31 - 1)
SIZE = st.integers(0, 10**13)
VISITS = st.dictionaries(
    TEXT | st.integers(-(2**70), 2**70).map(str),
    st.fixed_dictionaries(
        {
            "bytes_down": SIZE,
            "bytes_up": SIZE,
            "seconds": st.none() | st.floats(0, 10**9),
            "examples": COUNT,
            "steps": COUNT,
            "failed": st.booleans(),
            "merged": st.booleans(),
        }
    ),
    min_size=1,
    max_size=4,
)
SCORE = st.none() | st.fixed_dictionaries(
    {
        "value": st.floats(0, 1),
        "loss": st.none() | st.floats(0, allow_infinity=False),
        "examples": COUNT,
    }
)


@given(
    st.fixed_dictionaries(
        {"run": TEXT, "method": TEXT, "metric": TEXT, "target": st.none() | st.floats(0, 1)}
    ),
    st.lists(st.tuples(VISITS, SCORE), min_size=1, max_size=4),
    st.none() | TEXT,
)
@settings(max_examples=150, deadline=None)
def test_what_is_written_is_read_as_the_same(tmp_path_factory, header, rounds, group):
    path = tmp_path_factory.mktemp("round-trip") / "log.jsonl"
    first = next(iter(rounds[0][0]))
    with Writer(path, **header) as log:
        log.client(first, group=group)
        for number, (visits, score) in enumerate(rounds, 1):
            for client, values in visits.items():
                log.visit(number, client, **values)
            log.visit(number, "one that merges", bytes_down=1, bytes_up=1)
            if score:
                log.score(number, **score)
    found = read(path)
    assert {name: getattr(found.header, name) for name in header} == header
    wanted = [
        {"round": n, "client": client, **values}
        for n, (visits, _) in enumerate(rounds, 1)
        for client, values in visits.items()
    ]
    kept = [each for each in found.visits if each.client != "one that merges"]
    assert [each.model_dump(exclude={"kind"}) for each in kept] == wanted
    scored = [(n, s["value"], s["loss"]) for n, (_, s) in enumerate(rounds, 1) if s]
    assert [(s.round, s.value, s.loss) for s in found.scores] == scored
    assert (found.clients[0].client, found.clients[0].group) == (first, group)
    again = path.with_name("again.jsonl")
    again.write_text(found.text)
    assert read(again).digest == found.digest


def test_numbers_of_numpy_are_those_of_python(tmp_path):
    with Writer(tmp_path / "log.jsonl", run="r", method="m") as log:
        log.visit(np.int64(1), np.int32(7), bytes_down=np.int64(10), bytes_up=np.uint8(5))
        log.score(1, np.float32(0.5))
    found = read(tmp_path / "log.jsonl")
    assert (found.visits[0].client, found.visits[0].bytes_up, found.scores[0].value) == (
        "7",
        5,
        0.5,
    )


def test_a_value_that_the_format_does_not_allow_is_refused_when_it_is_written(tmp_path):
    with Writer(tmp_path / "log.jsonl", run="r", method="m") as log:
        with pytest.raises(MessageLogError, match="value: found 70"):
            log.score(1, 70)
        with pytest.raises(MessageLogError, match="bytes_up: missing"):
            log.visit(1, 7, bytes_down=10)
        log.visit(1, 7, bytes_down=10, bytes_up=5)
    assert len(read(tmp_path / "log.jsonl").visits) == 1


def test_a_log_is_never_overwritten(tmp_path):
    Writer(tmp_path / "log.jsonl", run="r", method="m").close()
    with pytest.raises(MessageLogError, match="found a file; allowed: a new name"):
        Writer(tmp_path / "log.jsonl", run="r", method="m")


WRITING = """
import itertools, sys
from emulator.integrations.message_log import Writer
log = Writer(sys.argv[1], run="r", method="m")
for number in itertools.count(1):
    log.visit(number, 7, bytes_down=1000, bytes_up=500)
"""


def test_the_log_of_a_program_that_is_killed_is_read(tmp_path):
    path = tmp_path / "log.jsonl"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", WRITING, path], env=environment) as program:
        while not (path.exists() and path.stat().st_size > 10_000):
            time.sleep(0.01)
        program.send_signal(signal.SIGKILL)
    assert read(path).rounds > 100


def test_another_framework_needs_neither_numpy_nor_the_simulator():
    code = "from emulator.integrations.message_log import Writer; import sys; print(*sys.modules)"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    said = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert not {"torch", "simpy", "numpy", "emulator.simulation"} & set(said.split())
