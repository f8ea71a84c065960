"""Traces by the Trace Event Format: fields, types, nesting; and time is conserved.

"Trace Event Format" (Google): complete events 'X' take ts, dur, pid, tid and name, in microseconds;
counters 'C' take numbers as args; metadata 'M' name processes and threads. Slices of one thread
nest or lie apart, else Perfetto drops them.
"""

import itertools
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from emulator.reports.export import perfetto
from emulator.results.ledger import Ledger
from emulator.results.time_spent import time_spent
from emulator.simulation.records import (
    UNKNOWN,
    Computation,
    Emulation,
    Evaluation,
    Round,
    Row,
    Transfer,
)

Event = dict[str, Any]
LORA = Emulation("LoRA", "1x", 0)


def checked(text: str) -> list[Event]:
    """The events of a trace, each held against the format."""
    found = json.loads(text, parse_constant=pytest.fail)
    assert found["displayTimeUnit"] in ("ms", "ns")
    for event in found["traceEvents"]:
        assert isinstance(event["pid"], int)
        assert isinstance(event["tid"], int)
        assert isinstance(event["name"], str)
        if event["ph"] == "X":
            assert event["ts"] >= 0
            assert event["dur"] >= 0
            assert isinstance(event["cat"], str)
        elif event["ph"] == "C":
            assert all(isinstance(value, int | float) for value in event["args"].values())
            assert event["ts"] >= 0
        else:
            assert event["ph"] == "M"
            known = {"process_name": str, "thread_name": str, "thread_sort_index": int}
            ((_, value),) = event["args"].items()
            assert isinstance(value, known[event["name"]])
    return list(found["traceEvents"])


def tracks(events: list[Event]) -> dict[int, list[tuple[int, int, str]]]:
    """Slices as (start, end, name) in whole nanoseconds, by track, in order; none overlaps."""
    found: dict[int, list[tuple[int, int, str]]] = {}
    for event in events:
        if event["ph"] == "X":
            start = round(event["ts"] * 1000)
            end = start + round(event["dur"] * 1000)
            found.setdefault(event["tid"], []).append((start, end, event["name"]))
    for slices in found.values():
        slices.sort()
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(slices))
    return found


def test_a_run_is_on_the_tracks(write_run: Callable[..., Path]) -> None:
    with Ledger.open(write_run({"LoRA": 0.1}, {"1x": 1})) as ledger:
        rows = ledger.rows(LORA)
    events = checked(perfetto.to_json(LORA, rows))
    names = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    assert names == {0: "server", 6: "client 5"}
    assert events[0]["args"]["name"] == "LoRA, 1x, seed 0"
    found = tracks(events)
    assert found[6][:3] == [
        (0, 2 * 10**9, "download"),
        (2 * 10**9, 3 * 10**9, "compute"),
        (3 * 10**9, 4 * 10**9, "upload"),
    ]
    assert [name for *_, name in found[0]] == [f"round {k}" for k in range(1, 11)]
    download = next(e for e in events if e["name"] == "download")
    assert download["args"] == {"round": 1, "bytes": 4000}
    scores = [e for e in events if e["name"] == "validation accuracy"]
    assert [(e["ts"], e["args"]["accuracy"]) for e in scores[:2]] == [(0, 0), (4e6, 0.1)]
    assert [e["args"]["accuracy"] for e in events if e["name"] == "test accuracy"] == [0.99]


@given(st.lists(st.tuples(*[st.floats(0, 1e5)] * 3), min_size=1, max_size=30))
def test_slices_never_overlap_and_add_up(plan: list[tuple[float, float, float]]) -> None:
    rows: list[Row] = []
    now = 0.0
    for r, parts in enumerate(plan, 1):
        a, b, c, d = itertools.accumulate(parts, initial=now)
        rows += [Transfer(r, 3, "down", 8, a, b), Computation(r, 3, 1, 1, b, c)]
        rows += [Transfer(r, 3, "up", 2, c, d), Round(r, 1, a, d)]
        now = d
    found = tracks(checked(perfetto.to_json(LORA, rows)))
    assert found[0][-1][1] == pytest.approx(1e9 * now, abs=1)
    whole = sum(end - start for start, end, _ in found[4])
    assert whole == pytest.approx(1e9 * math.fsum(time_spent(rows)), rel=1e-9, abs=1e3)


def test_names_hold_no_control_characters() -> None:
    events = checked(perfetto.to_json(Emulation("\x1b[31m</script>", "\0", 0), []))
    assert events[0]["args"]["name"].isprintable()


def test_a_loss_that_a_message_log_lacks_is_no_counter() -> None:
    rows = [Evaluation(1, 2.0, "validation", 10, 0.5, float(UNKNOWN))]
    events = json.loads(perfetto.to_json(Emulation("FedAvg", "4g", 0), rows))["traceEvents"]
    assert [event["args"] for event in events if event["ph"] == "C"] == [{"accuracy": 0.5}]
