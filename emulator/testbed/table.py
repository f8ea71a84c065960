"""Timed transfers as JSON lines and as a table."""

import json
import statistics
from collections.abc import Iterator, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from emulator.common.text import printable
from emulator.common.units import format_rate, format_size
from emulator.network.network import Delivery
from emulator.testbed.schedule import Id, Schedule

MAX_ROWS = 40

Timed = tuple[Schedule, Sequence[Delivery]]


def json_lines(timed: Sequence[Timed]) -> Iterator[str]:
    """One object per flow: scenario, flow, start_s, finish_s."""
    for schedule, deliveries in timed:
        for id_, delivery in zip(schedule.ids, deliveries, strict=True):
            times = {"start_s": float(delivery.start_s), "finish_s": float(delivery.finish_s)}
            yield json.dumps({"scenario": schedule.id, "flow": id_, **times})


def table(timed: Sequence[Timed]) -> Table:
    """One row per flow; with many flows, one row per scenario."""
    if sum(len(deliveries) for _, deliveries in timed) <= MAX_ROWS:
        return _by_flow(timed)
    return _by_scenario(timed)


def grid_of(*columns: str, texts: Sequence[str] = ()) -> Table:
    """A table without rows: columns of texts, aligned left, then of numbers."""
    grid = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for text in texts:
        grid.add_column(text, overflow="fold")
    for column in columns:
        grid.add_column(column, justify="right")
    return grid


def _by_flow(timed: Sequence[Timed]) -> Table:
    several = len(timed) > 1
    times = ("start, s", "finish, s", "took, s")
    grid = grid_of(*["scenario"] * several, "flow", "client", "", "size", *times, "mean rate")
    for schedule, deliveries in timed:
        for id_, message, delivery in zip(schedule.ids, schedule.messages, deliveries, strict=True):
            took_s = delivery.finish_s - delivery.start_s
            grid.add_row(
                *[_name(schedule.id)] * several,
                _name(id_),
                _name(schedule.clients[message.client]),
                message.direction,
                format_size(message.nbytes),
                *map(_seconds, (delivery.start_s, delivery.finish_s, took_s)),
                format_rate(8 * message.nbytes / took_s) if took_s else "",
            )
    return grid


def _by_scenario(timed: Sequence[Timed]) -> Table:
    times = ("first start, s", "last finish, s", "mean, s", "longest, s")
    grid = grid_of("scenario", "flows", "bytes", *times)
    for schedule, deliveries in timed[:MAX_ROWS]:
        took_s = [d.finish_s - d.start_s for d in deliveries] or [0.0]
        grid.add_row(
            _name(schedule.id),
            f"{len(deliveries):,}",
            format_size(sum(message.nbytes for message in schedule.messages)),
            _seconds(min((d.start_s for d in deliveries), default=0.0)),
            _seconds(max((d.finish_s for d in deliveries), default=0.0)),
            _seconds(statistics.fmean(took_s)),
            _seconds(max(took_s)),
        )
    more = len(timed) - MAX_ROWS
    rest = f"… and {more} more scenarios. " if more > 0 else ""
    grid.caption = f"{rest}--json prints every flow."
    return grid


def _name(id_: Id) -> Text:
    return Text(printable(str(id_)))


def _seconds(value: float) -> str:
    return f"{value:.4f}" if value < 1000 else f"{value:,.1f}"
