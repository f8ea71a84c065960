"""The measuring process: namespaces, relay, traffic. `linux.run` starts it.

    python -m emulator.testbed.linux.process FD

reads {"star", "messages", "congestion"} from standard input and prints {"times", "relay"},
{"refused": reason} if the machine refuses, or {"failed": reason}. It ends at once when FD, a pipe
of its parent, closes, so also when the parent is killed. The relay ends with it, and then all
namespaces.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
from typing import Any

from emulator.testbed.linux import netns, topology, traffic
from emulator.testbed.schedule import Message, Star


def measure(star: Star, messages: list[Message], congestion: str) -> dict[str, Any]:
    """Sends `messages` over a real `star`. Raises RefusedError, OSError."""
    laid_out = topology.build(star)
    relay = _relay(laid_out)
    try:
        times = traffic.carry(laid_out, messages, congestion)
    except BaseException:
        relay.kill()
        raise
    said, _ = relay.communicate("end")
    return {"times": times, "relay": json.loads(said)}


def _relay(laid_out: topology.Topology) -> "subprocess.Popen[str]":
    devices = [fd for cable in laid_out.cables for fd in (cable.near, cable.far)]
    cables = [f"{cable.near}:{cable.far}:{cable.delay_s!r}" for cable in laid_out.cables]
    relay = subprocess.Popen(
        [sys.executable, "-m", "emulator.testbed.linux.delay_relay", *cables],
        pass_fds=devices,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    for device in devices:
        os.close(device)  # only the relay reads packets
    assert relay.stdout is not None
    relay.stdout.readline()  # "ready"
    return relay


def _end_with(pipe: int) -> None:
    os.read(pipe, 1)
    os._exit(1)


def main() -> None:
    """Reads the request and prints the result."""
    found: dict[str, Any]
    try:
        # Priority over other processes, which must not delay packets; this needs root.
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
        netns.become_root()
        threading.Thread(target=_end_with, args=(int(sys.argv[1]),), daemon=True).start()
        asked = json.load(sys.stdin)
        messages = [Message(**message) for message in asked["messages"]]
        found = measure(Star(**asked["star"]), messages, asked["congestion"])
    except netns.RefusedError as error:
        found = {"refused": str(error)}
    except OSError as error:
        found = {"failed": str(error)}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
