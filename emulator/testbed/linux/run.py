"""Messages over this machine's TCP, in a process that leaves nothing behind."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from emulator.common.errors import EmulationError, SupportError
from emulator.testbed.schedule import Message, Star

SETUP_S = 15.0  # a stage is built in one second, on a busy machine in a few
# Lateness of packets adds to round trips: past this, what was measured is not this network.
LATE_S = 1e-3
_PROBE = (4, 1_000_000, 1e9)  # clients, bytes each, bytes/s


@dataclass(frozen=True, slots=True)
class Enacted:
    """What was measured: (start, finish) a message, seconds; how the relay did (`relay.relay`)."""

    times: Sequence[tuple[float, float]]
    relay: dict[str, float]

    @property
    def late_s(self) -> float:
        """How late 99 % of packets were at most."""
        return self.relay["late_99_s"]


def enact(star: Star, messages: Sequence[Message], congestion: str, expected_s: float) -> Enacted:
    """Carry `messages` over real TCP with `congestion` control, which should take `expected_s`.

    Raises SupportError where this machine does not let us, EmulationError where a connection
    fails, or all of it takes more than twice as long as it should.
    """
    asked = {
        "star": asdict(star),
        "messages": [asdict(message) for message in messages],
        "congestion": congestion,
    }
    found = _staged(asked, 2 * expected_s + SETUP_S)
    if "refused" in found:
        raise SupportError(
            f"this machine cannot re-enact a network: {found['refused']}",
            "run it as root on a Linux machine that has network namespaces, TUN and tc-tbf",
        )
    if "failed" in found:
        raise EmulationError(f"the re-enactment failed: {found['failed']}", "run it once more")
    return Enacted([(start, finish) for start, finish in found["times"]], found["relay"])


def repeat(repeats: int, most: int, once: Callable[[], Enacted]) -> tuple[list[Enacted], int]:
    """`repeats` re-enactments and how many more there were: those with the later packets.

    There are more, and `most` in all, only while packets are late. How long messages took has no
    say in it.
    """
    runs: list[Enacted] = []
    while len(runs) < most:
        runs.append(once())
        if sum(one.late_s <= LATE_S for one in runs) == repeats:
            break
    return sorted(runs, key=lambda one: one.late_s)[:repeats], len(runs) - repeats


def ceiling() -> float:
    """Bytes/s that this machine's relay passes on at most, found by trying.

    Raises SupportError where this machine cannot re-enact a network at all.
    """
    clients, nbytes, rate_Bps = _PROBE
    rates, nothing = [rate_Bps] * clients, [0.0] * clients
    star = Star(rates, rates, nothing, nothing, rate_Bps, rate_Bps)
    messages = [Message(client, "down", nbytes) for client in range(clients)]
    enacted = enact(star, messages, "cubic", 1.0)
    return clients * nbytes / max(finish_s for _, finish_s in enacted.times)


def _staged(asked: dict[str, Any], timeout_s: float) -> dict[str, Any]:
    if sys.platform != "linux":
        return {"refused": f"found {sys.platform}; it takes Linux"}
    # The stage ends when `ours` closes, which a kill of this process does as well.
    theirs, ours = os.pipe()
    try:
        stage = subprocess.Popen(
            [sys.executable, "-m", "emulator.testbed.linux.process", str(theirs)],
            pass_fds=[theirs],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for us: the stage cannot say anything about it
        )
        with stage:
            try:
                out, err = stage.communicate(json.dumps(asked), timeout=timeout_s)
            except subprocess.TimeoutExpired:
                return {"failed": f"not over after {timeout_s:.0f} s"}
            finally:
                stage.kill()
    finally:
        os.close(theirs)
        os.close(ours)
    if not out:
        return {"failed": (err.strip().splitlines() or ["its process died"])[-1]}
    found: dict[str, Any] = json.loads(out)
    return found
