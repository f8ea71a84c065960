"""Trainings spread over a Ray cluster, or over a Ray of our own on this machine.

Each worker is an actor (`emulator.runner.executors.ray_worker`); the crew is the one of the local
engine, so that
idle workers help in the same manner. Ray is asked to be silent, to send nothing and to serve no
dashboard.
"""

import contextlib
import logging
import math
import os
import secrets
import shutil
import signal
import socket
import tempfile
import threading
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any, NoReturn

from emulator.common.errors import EmulationError
from emulator.runner.executors import ray_worker
from emulator.runner.executors.base import Notify, Results
from emulator.runner.executors.pool import WorkerPool
from emulator.runner.training_job import Options, Progress
from emulator.scenario.study import TrainingJob

TRIES = 4  # of a training: nodes and workers that die are replaced
CALL_WALL_S = 10.0
PATIENCE_WALL_S = 30.0  # before we say that nobody has begun
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
    "RAY_DEDUP_LOGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


@dataclass(frozen=True)
class OnRay:
    """The engine of a cluster that we are connected to: see `connected`.

    `needs` is what a worker takes of a node, by Ray's names: {"CPU": 1.0}.
    """

    ray: Any
    workers: int
    needs: Mapping[str, float]

    def run_all(
        self, trainings: Sequence[TrainingJob], options: Options, notify: Notify
    ) -> Results:
        """Yield (index, result) of each training as it ends; see `Engine`."""
        # What is trained on a GPU here and on a CPU there would not be the same to the bit.
        device = "cuda" if self.needs.get("GPU") else "cpu"
        options = replace(options, recordings=options.recordings.absolute(), device=device)
        rest = {name: amount for name, amount in self.needs.items() if name not in ("CPU", "GPU")}
        actor = self.ray.remote(
            num_cpus=self.needs.get("CPU", 0),
            num_gpus=self.needs.get("GPU", 0),
            resources=rest,
            max_restarts=0,
            concurrency_groups={"told": 1, "said": 1},
        )(_grouped(self.ray))

        def start() -> ray_worker.RayWorker:
            return ray_worker.RayWorker(
                self.ray, actor.remote(ray_worker.work, options), options.recordings
            )

        def ready(members: Sequence[ray_worker.RayWorker]) -> Iterable[ray_worker.RayWorker]:
            by_ref = {member.heard: member for member in members}
            with _signals_told_apart():
                found, _ = self.ray.wait(list(by_ref), num_returns=1, timeout=PATIENCE_WALL_S)
            if not found and not any(member.up for member in members):
                notify(0, Progress(note="waiting for room on the cluster"))
            return [by_ref[ref] for ref in found]

        yield from WorkerPool(trainings, self.workers, start, ready, TRIES).results(notify)


def _grouped(ray: Any) -> type[ray_worker.RayActor]:
    """`RayActor`, its ends in threads of their own: waiting to hear must not keep us from
    telling."""

    class Grouped(ray_worker.RayActor):
        tell = ray.method(concurrency_group="told")(ray_worker.RayActor.tell)
        hear = ray.method(concurrency_group="said")(ray_worker.RayActor.hear)

    return Grouped


@contextlib.contextmanager
def _signals_told_apart() -> Iterator[None]:
    """Ray takes whatever a signal's handler raises for Ctrl-C: afterwards it is told again."""
    came: list[int] = []

    def note(number: int, _: FrameType | None) -> NoReturn:
        came.append(number)
        raise KeyboardInterrupt

    asked = [n for n in (signal.SIGTERM, signal.SIGHUP) if callable(signal.getsignal(n))]
    if threading.current_thread() is not threading.main_thread():
        asked = []
    before = {number: signal.signal(number, note) for number in asked}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


@contextlib.contextmanager
def connected(
    address: str | None, workers: int | None, needs: Mapping[str, float], device: str
) -> Iterator[OnRay]:
    """An engine on the cluster at `address`, or on a Ray of our own (None), ended afterwards.

    None `workers` are as many as find room at once. What `needs` does not say of CPU is 1, and of
    GPU 1 for device 'cuda', or for 'auto' where the cluster has any.

    Raises EmulationError where ray is not installed, there is no cluster at `address`, or no node
    has what a worker needs.
    """
    needs = {"CPU": 1.0, **needs}
    if address is not None:
        _call_at(address)
    ray = _imported(address)
    with contextlib.ExitStack() as stack:
        stack.callback(ray.shutdown)
        if address is None:
            folder = tempfile.mkdtemp(prefix="flasc-emu-")
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            stack.callback(ray.shutdown)  # before its folder goes
            cpus = math.ceil(max(os.cpu_count() or 1, (workers or 1) * needs["CPU"]))
            # Without a dashboard Ray still starts its process, which asks clouds for their name.
            # It does without where the port that it is to have is taken.
            taken = stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
            how = {"num_cpus": cpus, "include_dashboard": False, "dashboard_port": taken}
            _init(ray, address="local", _temp_dir=folder, **how)
        else:
            _init(ray, address=address)
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        has_gpu = any(node.get("GPU") for node in nodes)
        if device == "cuda" or (device == "auto" and has_gpu):
            needs = {"GPU": 1.0, **needs}
        if not (room := sum(room_for(needs, node) for node in nodes)):
            raise EmulationError(
                f"found no node with {_words(needs)}; there are: "
                + "; ".join(_words(node) or "nothing" for node in nodes),
                "lower --needs, or start a node that has it",
            )
        yield OnRay(ray, workers or room, needs)


def parse_needs(texts: Sequence[str]) -> dict[str, float]:
    """What was written as NAME=AMOUNT. Raises EmulationError."""
    needs = {}
    for text in texts:
        name, _, amount = text.partition("=")
        try:
            needs[name] = float(amount)
        except ValueError:
            needs[name] = math.nan
        # Ray takes no other amounts, and memory by options of its own.
        known = 0 <= needs[name] < math.inf and round(needs[name], 4) == needs[name]
        if not (name and known) or (needs[name] > 1 and needs[name] % 1) or "memory" in name:
            raise EmulationError(
                f"--needs: found {text!r}; allowed: CPU, GPU or a name of the cluster's own = "
                "a whole number, or a part of 1 by steps of 0.0001",
                "such as --needs GPU=0.25",
            )
    return needs


def _imported(address: str | None) -> Any:
    told = dict(QUIET)
    if address is None and "RAY_AUTH_MODE" not in os.environ:
        # A Ray of our own obeys us alone, by a secret that is written nowhere.
        told |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(16)}
    os.environ.update({name: os.environ.get(name, value) for name, value in told.items()})
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import ray
    except ImportError as error:
        raise EmulationError(
            f"--engine ray: cannot import ray ({error})", "pip install 'flasc-emu[ray]'"
        ) from error
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    return ray


def _nobody(address: str, why: object) -> EmulationError:
    return EmulationError(
        f"--engine ray: no Ray at {address}: {why}",
        "give HOST:PORT of `ray start --head`, or 'auto' on a node of the cluster: "
        "docs/howto/run_on_a_cluster.md",
    )


def _call_at(address: str) -> None:
    """Ask whether there is anybody: Ray would go on asking for half a minute."""
    host, _, port = address.rpartition(":")
    if address == "auto":
        return
    if not host or not port.isdecimal() or "/" in host:
        raise _nobody(address, "that is no HOST:PORT")
    try:
        socket.create_connection((host, int(port)), timeout=CALL_WALL_S).close()
    except (OSError, OverflowError, UnicodeError) as error:  # of a host: "a..b" is no name
        raise _nobody(address, error) from None


def _init(ray: Any, **how: Any) -> None:
    """Start or join, silently. Raises EmulationError where there is nobody to join."""
    handler = signal.getsignal(signal.SIGTERM)
    ours = threading.current_thread() is threading.main_thread()  # nobody else may set it
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ray.init(
                **how, log_to_driver=False, configure_logging=False, logging_level=logging.CRITICAL
            )
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        first = str(error).strip().splitlines()[0]
        if how["address"] != "local":
            raise _nobody(how["address"], first) from error
        raise EmulationError(
            f"--engine ray: a Ray of our own did not start: {first}",
            "run the same command again where the machine was busy; --engine local needs no Ray",
        ) from error
    finally:
        if ours:
            signal.signal(signal.SIGTERM, handler)  # Ray's own would leave without a word


def room_for(needs: Mapping[str, float], node: Mapping[str, float]) -> int:
    """How many workers find room on a node. Raises EmulationError where they need nothing."""
    taken = {name: amount for name, amount in needs.items() if amount}
    if not taken:
        raise EmulationError(
            "--needs: found workers that take nothing; allowed: something of a node",
            "such as --needs CPU=0.5: it says how many find room",
        )
    return min(int(node.get(name, 0) / amount) for name, amount in taken.items())


def _words(resources: Mapping[str, float]) -> str:
    """Resources that people speak of: 'CPU=2, GPU=1'."""
    hidden = ("node:", "memory", "object_store_memory", "accelerator_type:")
    return ", ".join(f"{k}={v:g}" for k, v in sorted(resources.items()) if not k.startswith(hidden))
