"""Measures messages over the TCP of this machine, in a subprocess that leaves nothing behind."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from emulator.common.errors import EmulationError, SupportError
from emulator.testbed.linux import flower
from emulator.testbed.schedule import Deployment, Message, Star

SETUP_TIMEOUT_S = 15.0  # setup takes one second, on a busy machine a few
# Late packets lengthen round trips: above this lateness, a measurement is unreliable.
LATE_S = 1e-3


@dataclass(frozen=True, slots=True)
class Enacted:
    """One measurement: (start, finish) per message, seconds; statistics of the relay."""

    times: Sequence[tuple[float, float]]
    relay: dict[str, float]
    waiting_s: float | None = None  # what Flower waits, in addition to the messages of a client

    @property
    def late_s(self) -> float:
        """99th percentile of the lateness of packets, seconds."""
        return self.relay["late_99_s"]


def enact(star: Star, messages: Sequence[Message], congestion: str, expected_s: float) -> Enacted:
    """Sends `messages` over real TCP with `congestion` control; expects it to take `expected_s`.

    Raises SupportError if this machine cannot do it, EmulationError if a connection fails or the
    measurement takes more than twice as long as expected.
    """
    return _enacted(star, messages, congestion, None, 2 * expected_s + SETUP_TIMEOUT_S)[0]


def enact_by_flower(
    star: Star,
    messages: Sequence[Message],
    congestion: str,
    arrays: int,
    repeats: int,
    gap_s: float,
    limit_s: float,
) -> list[Enacted]:
    """Sends `messages` by Flower, `repeats` times: see `Deployment`.

    Raises SupportError if this machine or environment cannot do it, EmulationError if Flower fails
    or takes more than `limit_s`.
    """
    flower.require()
    with TemporaryDirectory() as home:
        asked = Deployment(arrays, repeats, gap_s, limit_s, home)
        try:
            return _enacted(star, messages, congestion, asked, limit_s + SETUP_TIMEOUT_S)
        finally:
            flower.end(Path(home))


def _enacted(
    star: Star,
    messages: Sequence[Message],
    congestion: str,
    by_flower: Deployment | None,
    timeout_s: float,
) -> list[Enacted]:
    sent = [asdict(message) for message in messages]
    asked = {"star": asdict(star), "messages": sent, "congestion": congestion}
    found = _measured({**asked, "flower": by_flower and asdict(by_flower)}, timeout_s)
    if "refused" in found:
        raise SupportError(
            f"this machine cannot build a test network: {found['refused']}",
            "run it as root on a Linux machine that has network namespaces, TUN and tc-tbf",
        )
    if "failed" in found:
        raise EmulationError(f"the measurement failed: {found['failed']}", "run it again")
    return [
        Enacted(
            [(start, finish) for start, finish in one["times"]],
            found["relay"],
            one.get("waiting_s"),
        )
        for one in found["rounds"]
    ]


def repeat(repeats: int, most: int, once: Callable[[], Enacted]) -> tuple[list[Enacted], int]:
    """The `repeats` measurements with the least late packets, and the number of discarded ones.

    It repeats more often, `most` times at most, while packets are late. The durations of messages
    do not influence the selection.
    """
    runs: list[Enacted] = []
    while len(runs) < most:
        runs.append(once())
        if sum(one.late_s <= LATE_S for one in runs) == repeats:
            break
    return sorted(runs, key=lambda one: one.late_s)[:repeats], len(runs) - repeats


def ceiling() -> float:
    """Largest rate that the relay forwards on this machine, bytes/s, measured.

    Raises SupportError if this machine cannot build a test network.
    """
    clients, nbytes, rate_Bps = 4, 1_000_000, 1e9
    rates, nothing = [rate_Bps] * clients, [0.0] * clients
    star = Star(rates, rates, nothing, nothing, rate_Bps, rate_Bps)
    messages = [Message(client, "down", nbytes) for client in range(clients)]
    enacted = enact(star, messages, "cubic", 1.0)
    return clients * nbytes / max(finish_s for _, finish_s in enacted.times)


def _measured(asked: dict[str, Any], timeout_s: float) -> dict[str, Any]:
    if sys.platform != "linux":
        return {"refused": f"found {sys.platform}; allowed: Linux"}
    # The subprocess ends when `ours` closes, also if this process is killed.
    theirs, ours = os.pipe()
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "emulator.testbed.linux.process", str(theirs)],
            pass_fds=[theirs],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # a process group of its own; only we handle Ctrl-C
        )
        with process:
            try:
                out, err = process.communicate(json.dumps(asked), timeout=timeout_s)
            except subprocess.TimeoutExpired:
                return {"failed": f"not finished after {timeout_s:.0f} s"}
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
    finally:
        os.close(theirs)
        os.close(ours)
    if not out:
        return {"failed": (err.strip().splitlines() or ["its process died"])[-1]}
    found: dict[str, Any] = json.loads(out)
    return found
