"""The measuring process: namespaces, relay, traffic. `linux.run` starts it.

    python -m emulator.testbed.linux.process FD

reads {"star", "messages", "congestion", "flower"} from standard input and prints {"rounds",
"relay"}, {"refused": reason} if the machine refuses, or {"failed": reason}. A round has the "times"
of each message. With "flower", a deployment, Flower sends the messages, and a round has "waiting_s"
as well. Its process group ends at once when FD, a
pipe of its parent, closes, so also when the parent is killed, and then all namespaces.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from emulator.testbed.linux import delay_relay, flower, netns, topology, traffic
from emulator.testbed.schedule import Deployment, Message, Star


def measure(
    star: Star, messages: list[Message], congestion: str, by_flower: Deployment | None
) -> dict[str, Any]:
    """Sends `messages` over a real `star`. Raises RefusedError, OSError."""
    laid_out = topology.build(star)
    relay = _relay(laid_out, [delay_relay.CAPTURE] if by_flower else [])
    try:
        if by_flower:
            found = flower.carry(laid_out, messages, congestion, by_flower)
        else:
            times = traffic.carry(laid_out, messages, congestion)
    except BaseException:
        relay.kill()
        raise
    said = json.loads(relay.communicate("end")[0])
    if by_flower:
        seen = said.pop("seen")
        rounds = [flower.timed(messages, seen, one) for one in found]
    else:
        rounds = [{"times": times}]
    return {"rounds": rounds, "relay": said}


def _relay(laid_out: topology.Topology, options: list[str]) -> "subprocess.Popen[str]":
    devices = [fd for cable in laid_out.cables for fd in (cable.near, cable.far)]
    cables = [f"{cable.near}:{cable.far}:{cable.delay_s!r}" for cable in laid_out.cables]
    relay = subprocess.Popen(
        [sys.executable, "-m", "emulator.testbed.linux.delay_relay", *options, *cables],
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


def _end_with(pipe: int, home: str | None) -> None:
    os.read(pipe, 1)
    if home:
        flower.end(Path(home))
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    """Reads the request and prints the result."""
    found: dict[str, Any]
    try:
        # Priority over other processes, which must not delay packets; this needs root.
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
        netns.become_root()
        asked = json.load(sys.stdin)
        by_flower = Deployment(**asked["flower"]) if asked["flower"] else None
        watched = int(sys.argv[1]), by_flower and by_flower.home
        threading.Thread(target=_end_with, args=watched, daemon=True).start()
        messages = [Message(**message) for message in asked["messages"]]
        star = Star(**asked["star"])
        found = measure(star, messages, asked["congestion"], by_flower)
    except netns.RefusedError as error:
        found = {"refused": str(error)}
    except OSError as error:
        found = {"failed": str(error)}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
