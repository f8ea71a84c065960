"""One simulation as a trace for Perfetto (ui.perfetto.dev) or chrome://tracing.

Format: Trace Event Format (Google, "Trace Event Format", the JSON object form), in which times are
microseconds. The server and each client have a track; simulated time begins at 0.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from emulator.reports.export.scalars import scores
from emulator.reports.run_report import printable
from emulator.reports.timeline import phase
from emulator.results.metadata import ACCURACY
from emulator.simulation.records import Computation, Emulation, Evaluation, Round, Row, Transfer

PROCESS = 1
SERVER = 0  # the server's track; a client's is 1 plus its number

Event = dict[str, Any]


def to_json(emulation: Emulation, rows: Iterable[Row], metric: str = ACCURACY) -> str:
    """Return rounds, transfers and computations as slices, `metric` and loss as counters."""
    rows = list(rows)
    clients = {row.client for row in rows if isinstance(row, Transfer | Computation)}
    events = [
        _named("process_name", SERVER, printable(emulation.title)),
        *_track(SERVER, "server"),
        *(event for client in sorted(clients) for event in _track(1 + client, f"client {client}")),
        *(event for row in rows for event in _events(row, metric)),
    ]
    trace = {"displayTimeUnit": "ms", "traceEvents": events}
    return json.dumps(trace, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _track(number: int, name: str) -> tuple[Event, Event]:
    order = {"ph": "M", "pid": PROCESS, "tid": number, "args": {"sort_index": number}}
    return _named("thread_name", number, name), order | {"name": "thread_sort_index"}


def _named(what: str, number: int, name: str) -> Event:
    return {"ph": "M", "name": what, "pid": PROCESS, "tid": number, "args": {"name": name}}


def _events(row: Row, metric: str) -> Iterator[Event]:
    if isinstance(row, Transfer):
        yield _slice(phase(row), 1 + row.client, round=row.round, bytes=row.nbytes)
    elif isinstance(row, Computation):
        told = {"round": row.round, "examples": row.examples, "steps": row.steps}
        yield _slice(phase(row), 1 + row.client, **told)
    elif isinstance(row, Round):
        yield _slice((f"round {row.round}", row.start_s, row.finish_s), SERVER, cohort=row.cohort)
    elif isinstance(row, Evaluation):
        for name, value in scores(row, metric):
            counter = {"ph": "C", "name": f"{row.split} {name}", "pid": PROCESS, "tid": SERVER}
            yield counter | {"ts": _microseconds(row.time_s), "args": {name: value}}


def _slice(named: tuple[str, float, float], track: int, **told: int) -> Event:
    """Return a complete event. Both ends are rounded, so that one ends where the next starts."""
    name, start_s, finish_s = named
    start = _microseconds(start_s)
    lasts = round(_microseconds(finish_s) - start, 3)
    slice_ = {"ph": "X", "name": name, "cat": "emulation", "ts": start, "dur": lasts}
    return slice_ | {"pid": PROCESS, "tid": track, "args": told}


def _microseconds(seconds: float) -> float:
    """Return microseconds to the nanosecond, Perfetto's resolution."""
    return round(seconds * 1e6, 3)
