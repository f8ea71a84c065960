"""Errors of simulated messages against real programs over real TCP: a Markdown table.

    python bench/applications.py tests/data/tcp_measured_applications.json

The file holds {"meta", "cases": [...]}; `meta` explains the fields. A row is one message of a
connection. `without` is the error of the default, which adds nothing for an application.
"""

import json
import statistics
import sys
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import simpy

from emulator.common.units import format_size
from emulator.network.application import Application
from emulator.network.network import Network
from emulator.network.tcp import Direction, Tcp

MBIT_BPS = 1e6 / 8  # one Mbit/s in bytes/s
FAST_BPS = 1e10  # rate of the server's link, which was not shaped
WAYS: dict[str, Direction] = {"D": "down", "R": "down", "U": "up", "Q": "up"}
GRPC_PAUSES_S = (0.0, 0.0, 0.0, 2.0)  # before the messages of a gRPC case
CLASSES = ("framing", "grpc")
FAMILIES = {"requests": 0.02, "TLS": 0.02, "kept open": 0.02, "gRPC": 0.03}  # limits of medians

Step = tuple[float, Direction, int]  # pause before it, seconds; direction; payload bytes


class Row(NamedTuple):
    """One message: measured seconds, and simulated ones with and without its application."""

    family: str
    name: str
    measured_s: float
    with_s: float
    without_s: float

    @property
    def error(self) -> float:
        """Relative error with the application."""
        return self.with_s / self.measured_s - 1

    @property
    def error_without(self) -> float:
        """Relative error of the default."""
        return self.without_s / self.measured_s - 1


def simulated_s(
    link: dict[str, Any], steps: Sequence[Step], tcp: Tcp, application: Application | None
) -> list[float]:
    """Simulated seconds of the messages of one client, one after the other."""
    env = simpy.Environment()
    up_Bps, down_Bps = link["up_mbit_s"] * MBIT_BPS, link["down_mbit_s"] * MBIT_BPS
    delay_s = link["rtt_ms"] / 2000
    network = Network(
        env, [up_Bps], [down_Bps], [delay_s], FAST_BPS, FAST_BPS, tcp, application=application
    )
    took_s = []

    def client() -> Generator[simpy.Event, Any, None]:
        for pause_s, direction, nbytes in steps:
            yield env.timeout(pause_s)
            send = network.download if direction == "down" else network.upload
            delivery = yield send(0, nbytes)
            took_s.append(delivery.finish_s - delivery.start_s)

    env.run(env.process(client()))
    return took_s


def messages(case: dict[str, Any]) -> tuple[list[Step], Application]:
    """The messages of a case and the application that sent them."""
    if case["class"] == "grpc":
        way, nbytes = case["direction"], case["payload_bytes"]
        steps = [(pause_s, way, nbytes) for pause_s in GRPC_PAUSES_S]
        return steps, Application(grpc=True, keeps_connection=True)
    (flow,) = case["flows"]
    steps, pause_s, requests = [], 0.0, 1
    for name, *numbers in flow["operations"]:
        if name == "idle":
            (pause_s,) = numbers
        elif name != "new":
            steps.append((pause_s, WAYS[name], numbers[0]))
            requests, pause_s = numbers[1] if len(numbers) > 1 else 1, 0.0
    kept = len(steps) > 1 and ["new"] not in flow["operations"]
    return steps, Application(requests=requests, tls=flow["tls"], keeps_connection=kept)


def measured_s(case: dict[str, Any]) -> list[float]:
    """Median seconds of each message of a case."""
    runs = case["measured_s"]
    runs = runs if case["class"] == "grpc" else [flows[0] for flows in runs]
    return [statistics.median(each) for each in zip(*runs, strict=True)]


def rows(cases: Sequence[dict[str, Any]]) -> Iterator[Row]:
    """All messages of the cases that are about applications; bbr is not simulated.

    The first message of a kept connection is left out where nothing is added to it.
    """
    for case in cases:
        senders = case.get("flows", [case])
        if case["class"] not in CLASSES or any(s["congestion_control"] == "bbr" for s in senders):
            continue
        (link,) = case["clients"]
        steps, application = messages(case)
        with_s = simulated_s(link, steps, Tcp(), application)
        # Today's nearest for a kept connection: each later message is pushed.
        fresh_s = simulated_s(link, steps[:1], Tcp(), None)
        without_s = [*fresh_s, *simulated_s(link, steps[1:], Tcp(handshake=False), None)]
        family = _family(case, application)
        for number, times in enumerate(zip(measured_s(case), with_s, without_s, strict=True)):
            if family != "kept open" or number:
                yield Row(family, _name(case, steps, number), *times)


def _family(case: dict[str, Any], application: Application) -> str:
    if case["class"] == "grpc":
        return "gRPC"
    if application.tls:
        return "TLS"
    return "requests" if application.requests > 1 else "kept open"


def _name(case: dict[str, Any], steps: Sequence[Step], number: int) -> str:
    (link,) = case["clients"]
    pause_s, direction, nbytes = steps[number]
    path = f"{link[f'{direction}_mbit_s']:g} Mbps, {link['rtt_ms']:g} ms"
    text = f"{direction}, {format_size(nbytes)}, {path}"
    if number:
        return f"{text}, {f'after {pause_s:g} s' if pause_s else 'at once'} again"
    return text


def table(found: Sequence[Row]) -> str:
    """One row per message."""
    lines = [
        "| application | message | measured | without | with it |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in found:
        errors = f"{percent(row.error_without)} | {percent(row.error)}"
        lines.append(f"| {row.family} | {row.name} | {row.measured_s:.4f} s | {errors} |")
    return "\n".join(lines)


def summary(found: Sequence[Row]) -> str:
    """One row per application: the median of the absolute error, and the worst ones."""
    lines = [
        "| application | messages | median of absolute errors | errors | errors without it |",
        "| --- | --- | --- | --- | --- |",
    ]
    for family in FAMILIES:
        of = [row for row in found if row.family == family]
        spans = [
            f"{percent(min(errors))} to {percent(max(errors))}"
            for errors in ([row.error for row in of], [row.error_without for row in of])
        ]
        median = f"{100 * median_error(of):.1f} %"
        lines.append(f"| {family} | {len(of)} | {median} | {' | '.join(spans)} |")
    return "\n".join(lines)


def median_error(found: Sequence[Row]) -> float:
    """Median of the absolute errors."""
    return statistics.median(abs(row.error) for row in found)


def percent(error: float) -> str:
    return f"{100 * error:+.1f} %"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python bench/applications.py MEASURED.json")
    measured = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    found = list(rows(measured["cases"]))
    print(f"{summary(found)}\n\n{table(found)}")
