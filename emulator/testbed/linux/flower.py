"""Sends messages by a real Flower deployment inside of a test network.

A SuperLink runs in the server's namespace and a SuperNode in each client's. Flower decides when it
asks, in how many requests, and over which connections. What crosses each client's link is noted by
the relay: a message lasts from its first to its last segment with data there.
"""

import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from emulator.common.errors import SupportError
from emulator.testbed.linux import netns
from emulator.testbed.linux.topology import SERVER, Topology
from emulator.testbed.schedule import Deployment, Message

Round = Mapping[str, Any]  # as `flower_app.serve` writes it
Span = tuple[float, float]  # first and last segment, seconds
Seen = tuple[int, str, float, int]  # as `delay_relay.Capture` notes it

VERSION = "1.42"  # commands, and what is sent how, differ between versions
PORT = 9100
SCAN_S = 0.05  # between two looks at the processes
PAUSE_S = 0.5  # longest gap inside of a burst; Flower asks for messages every few seconds
# Bursts with less data are questions: bytes, and the share of the message.
LEAST_B, LEAST = 3000, 0.05
APP = "sizes"
PROJECT = f"""\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "{APP}"
version = "1.0.0"
description = "Messages of given sizes"
license = "Apache-2.0"
dependencies = []

[tool.hatch.build.targets.wheel]
packages = ["."]

[tool.flwr.app]
publisher = "flasc-emu"

[tool.flwr.app.components]
serverapp = "flower_app:server"
clientapp = "flower_app:client"

[tool.flwr.app.config]
plan = ""
"""
SUPERLINK = f"""\
[superlink]
default = "link"

[superlink.link]
address = "{SERVER}:{PORT}"
insecure = true
"""


def require() -> None:
    """Raises SupportError if this environment has no Flower, or one with other commands."""
    if find_spec("flwr") is None:
        raise SupportError("found no flwr, which --flower needs", "pip install 'flasc-emu[flower]'")
    if not (found := metadata.version("flwr")).startswith(f"{VERSION}."):
        raise SupportError(
            f"found flwr {found}; allowed with --flower: {VERSION}",
            f"pip install 'flwr=={VERSION}.*'",
        )


def carry(
    topology: Topology, messages: Sequence[Message], congestion: str, deployment: Deployment
) -> list[Round]:
    """Sends `messages` in each round. The caller ends the processes (`end`).

    Returns what the app noted of each round. Raises OSError if a process ends or if it takes longer
    than allowed.
    """
    out = _prepare(messages, len(topology.clients), deployment)
    fleet = _Processes(Path(deployment.home))
    # Not all kernels let a namespace choose its default; a route may name any.
    for namespace in (topology.server, *topology.clients):
        with netns.inside(namespace):
            way = "via 10.0.0.1" if namespace == topology.server else "dev access"
            route = f"route change default {way} congctl {congestion}"
            netns.run("ip", "link set lo up", route)
    at = f"{SERVER}:{PORT}"
    fleet.start(
        topology.server, "flower-superlink", "--insecure", "--host", SERVER,
        "--port", str(PORT), "--disable-runtime-dependency-installation",
    )  # fmt: skip
    for number, namespace in enumerate(topology.clients):
        fleet.start(
            namespace, "flower-supernode", "--insecure", "--superlink", at,
            "--node-config", f"partition-id={number}",
        )  # fmt: skip
    fleet.submit(topology.server)
    return fleet.wait_for(out, deployment.limit_s)


def _prepare(messages: Sequence[Message], clients: int, deployment: Deployment) -> Path:
    """Writes app, configuration and plan; returns the path that the app writes to."""
    home = Path(deployment.home)
    (home / "app").mkdir()
    (home / "app" / "pyproject.toml").write_text(PROJECT)
    shutil.copy(Path(__file__).with_name("flower_app.py"), home / "app")
    (home / "config.toml").write_text(SUPERLINK)
    sizes = {way: [0] * clients for way in ("down", "up")}
    for message in messages:
        sizes[message.direction][message.client] += message.nbytes
    out = home / "out.json"
    plan = {**sizes, **asdict(deployment), "out": str(out)}
    (home / "plan.json").write_text(json.dumps(plan))
    return out


class _Processes:
    """The processes that are started; `end` ends them and theirs."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._running: list[subprocess.Popen[bytes]] = []
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        flower = {"FLWR_HOME": str(home), "FLWR_TELEMETRY_ENABLED": "0"}
        self._environment = {**os.environ, **flower, "PATH": path}

    def start(self, namespace: int, command: str, *arguments: str) -> "subprocess.Popen[bytes]":
        """Starts `command` in the namespace."""
        with netns.inside(namespace), self._log(command).open("ab") as log:
            process = subprocess.Popen(
                [shutil.which(command, path=self._environment["PATH"]) or command, *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment,
                cwd=self._home,
            )  # fmt: skip
        self._running.append(process)
        return process

    def submit(self, namespace: int) -> None:
        """Submits the app, again until the SuperLink is there."""
        plan = json.dumps(str(self._home / "plan.json"))
        while True:
            run = self.start(namespace, "flwr", "run", "app", "link", "-c", f"plan={plan}")
            self._running.remove(run)
            if run.wait() == 0:
                return
            self._require_alive()

    def wait_for(self, out: Path, limit_s: float) -> list[Round]:
        """What the app wrote. Raises OSError."""
        until_s = time.monotonic() + limit_s
        while not out.exists():
            self._require_alive()
            self._prefer()
            if time.monotonic() > until_s:
                raise OSError(f"Flower had not finished after {limit_s:.0f} s{self._last()}")
            time.sleep(SCAN_S)
        rounds: list[Round] = json.loads(out.read_text())
        return rounds

    def _prefer(self) -> None:
        """Gives SuperLink and SuperNodes priority over what they start. This needs root.

        A client would have a machine of its own. Where all share one, the start of the app of one
        client must not delay the messages of another.
        """
        main = {process.pid for process in self._running}
        for process in processes(self._home):
            policy = os.SCHED_RR if process in main else os.SCHED_OTHER
            for thread in Path(f"/proc/{process}/task").glob("*"):
                with suppress(OSError):
                    least = os.sched_get_priority_min(policy)
                    os.sched_setscheduler(int(thread.name), policy, os.sched_param(least))

    def _require_alive(self) -> None:
        if any(process.poll() is not None for process in self._running):
            raise OSError(f"a process of Flower ended{self._last()}")

    def _last(self) -> str:
        """The last line of each log."""
        logs = sorted(self._home.glob("*.log"))
        lines = [(log.stem, log.read_text(errors="replace").strip().splitlines()) for log in logs]
        return "".join(f"; {name}: {found[-1]}" for name, found in lines if found)

    def _log(self, command: str) -> Path:
        return self._home / f"{command}.log"


def processes(home: Path) -> list[int]:
    """Flower's processes, by the folder in their environment: some leave their process group."""
    mark, found = f"FLWR_HOME={home}".encode(), []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if mark in environment.read_bytes().split(b"\0"):
                found.append(int(environment.parent.name))
    return found


def end(home: Path) -> None:
    """Kills Flower's processes, also those that others started meanwhile."""
    while left := processes(home):
        for process in left:
            with suppress(OSError):
                os.kill(process, signal.SIGKILL)
        time.sleep(SCAN_S)


def timed(messages: Sequence[Message], seen: Sequence[Seen], one: Round) -> dict[str, Any]:
    """{"times": first and last segment of each message in a round, "waiting_s": see below}.

    Times are seconds on the monotonic clock. `waiting_s` is what Flower waits in addition to the
    messages of a client, median: until it asks for its message, until its app has it, and until it
    sends the answer. Raises OSError for a message that was not seen.
    """
    times = [_span(message, seen, one) for message in messages]
    waits_s: dict[int, float] = {}
    for message, (first_s, last_s) in zip(messages, times, strict=True):
        noted = one["clients"][str(message.client)]
        if message.direction == "down":
            waited_s = first_s - noted["given_s"] + noted["got_s"] - last_s
        else:
            waited_s = first_s - noted["answered_s"]
        waits_s[message.client] = waits_s.get(message.client, 0.0) + waited_s
    return {"times": times, "waiting_s": statistics.median(waits_s.values())}


def _span(message: Message, seen: Sequence[Seen], one: Round) -> Span:
    """From the first to the last burst of segments with data of the message.

    A download is between the time when the server has the message and that when the client's app
    has it; an upload begins after the app answered.
    """
    noted = one["clients"][str(message.client)]
    if message.direction == "down":
        start_s, end_s = noted["given_s"], noted["got_s"]
    else:
        start_s, end_s = noted["answered_s"], one["finish_s"]
    bursts: list[list[Seen]] = []
    for segment in seen:
        if segment[0] == message.client and start_s <= segment[2] <= end_s:
            if not bursts or segment[2] - bursts[-1][-1][2] > PAUSE_S:
                bursts.append([])
            bursts[-1].append(segment)
    least_B = max(LEAST_B, LEAST * message.nbytes)
    whole = [burst for burst in bursts if _size(message.direction, burst) >= least_B]
    if not whole:
        raise OSError(f"no data of client {message.client} crossed its link in a round")
    return whole[0][0][2], whole[-1][-1][2]


def _size(direction: str, burst: Sequence[Seen]) -> int:
    return sum(size for _, way, _, size in burst if way == direction)
