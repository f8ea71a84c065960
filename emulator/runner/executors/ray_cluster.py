"""Trainings on a Ray cluster, or on a local Ray instance of this run.

Each worker is an actor (`emulator.runner.executors.ray_worker`). The pool is that of the local
engine, so that idle workers help in the same way. Ray is configured to print nothing, send nothing
and serve no dashboard.
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
from emulator.runner.events import Note, OnEvent
from emulator.runner.executors import ray_worker
from emulator.runner.executors.base import Results
from emulator.runner.executors.pool import WorkerPool
from emulator.runner.training_job import Options
from emulator.scenario.study import TrainingJob

TRIES = 4  # per training: nodes and workers that die are replaced
CONNECT_WALL_S = 10.0
PATIENCE_WALL_S = 30.0  # before a note says that no worker has started
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
    "RAY_DEDUP_LOGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


@dataclass(frozen=True)
class OnRay:
    """The engine of a connected cluster: see `connected`.

    `needs` are the resources per worker, by Ray's names: {"CPU": 1.0}.
    """

    ray: Any
    workers: int
    needs: Mapping[str, float]

    def run_all(
        self, trainings: Sequence[TrainingJob], options: Options, on_event: OnEvent
    ) -> Results:
        """Yield (index, result) of each training as it ends; see `Engine`."""
        # One kind of device for all: a GPU and a CPU do not compute the same bits.
        device = "cuda" if self.needs.get("GPU") else "cpu"
        options = replace(options, recordings=options.recordings.absolute(), device=device)
        rest = {name: amount for name, amount in self.needs.items() if name not in ("CPU", "GPU")}
        actor = self.ray.remote(
            num_cpus=self.needs.get("CPU", 0),
            num_gpus=self.needs.get("GPU", 0),
            resources=rest,
            max_restarts=0,
            concurrency_groups={"tell": 1, "hear": 1},
        )(_grouped(self.ray))

        def start() -> ray_worker.RayWorker:
            return ray_worker.RayWorker(
                self.ray, actor.remote(ray_worker.work, options), options.recordings
            )

        def ready(workers: Sequence[ray_worker.RayWorker]) -> Iterable[ray_worker.RayWorker]:
            by_ref = {worker.heard: worker for worker in workers}
            with _restored_signals():
                found, _ = self.ray.wait(list(by_ref), num_returns=1, timeout=PATIENCE_WALL_S)
            if not found and not any(worker.up for worker in workers):
                on_event(Note(0, "waiting for room on the cluster"))
            return [by_ref[ref] for ref in found]

        yield from WorkerPool(trainings, self.workers, start, ready, TRIES).results(on_event)


def _grouped(ray: Any) -> type[ray_worker.RayActor]:
    """`RayActor` with one thread per method, so that a waiting `hear` does not block `tell`."""

    class Grouped(ray_worker.RayActor):
        tell = ray.method(concurrency_group="tell")(ray_worker.RayActor.tell)
        hear = ray.method(concurrency_group="hear")(ray_worker.RayActor.hear)

    return Grouped


@contextlib.contextmanager
def _restored_signals() -> Iterator[None]:
    """Raise SIGTERM or SIGHUP again after Ray, which reports every signal as Ctrl-C."""
    came: list[int] = []

    def note(number: int, _: FrameType | None) -> NoReturn:
        came.append(number)
        raise KeyboardInterrupt

    is_main = threading.current_thread() is threading.main_thread()
    asked = [n for n in (signal.SIGTERM, signal.SIGHUP) if callable(signal.getsignal(n))]
    before = {number: signal.signal(number, note) for number in asked if is_main}
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
    """An engine on the cluster at `address`; None: on a local Ray instance, which ends afterwards.

    `workers` None: as many as the cluster has resources for. `needs` defaults to 1 CPU, and to 1
    GPU for device 'cuda', or for 'auto' if the cluster has a GPU.

    Raises EmulationError if ray is not installed, there is no cluster at `address`, or no node has
    the resources of a worker.
    """
    needs = {"CPU": 1.0, **needs}
    if address is not None:
        _check_address(address)
    ray = _imported(address)
    with contextlib.ExitStack() as stack:
        stack.callback(ray.shutdown)
        if address is None:
            folder = tempfile.mkdtemp(prefix="flasc-emu-")
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            stack.callback(ray.shutdown)  # before its folder is deleted
            cpus = math.ceil(max(os.cpu_count() or 1, (workers or 1) * needs["CPU"]))
            # Even without a dashboard Ray starts its process, which queries cloud services for
            # their name. It does not start if its port is occupied.
            occupied = stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
            settings = {"num_cpus": cpus, "include_dashboard": False, "dashboard_port": occupied}
            _init(ray, address="local", _temp_dir=folder, **settings)
        else:
            _init(ray, address=address)
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        has_gpu = any(node.get("GPU") for node in nodes)
        if device == "cuda" or (device == "auto" and has_gpu):
            needs = {"GPU": 1.0, **needs}
        if not (room := sum(room_for(needs, node) for node in nodes)):
            raise EmulationError(
                f"found no node with {_resources(needs)}; the nodes have: "
                + "; ".join(_resources(node) or "nothing" for node in nodes),
                "lower --needs, or start a node that has it",
            )
        yield OnRay(ray, workers or room, needs)


def parse_needs(texts: Sequence[str]) -> dict[str, float]:
    """Resources from NAME=AMOUNT texts. Raises EmulationError."""
    needs = {}
    for text in texts:
        name, _, amount = text.partition("=")
        try:
            needs[name] = float(amount)
        except ValueError:
            needs[name] = math.nan
        # Ray accepts no other amounts, and memory only through options of its own.
        known = 0 <= needs[name] < math.inf and round(needs[name], 4) == needs[name]
        if not (name and known) or (needs[name] > 1 and needs[name] % 1) or "memory" in name:
            raise EmulationError(
                f"--needs: found {text!r}; allowed: CPU, GPU or a resource of the cluster = "
                "a whole number, or a fraction of 1 in steps of 0.0001",
                "for example --needs GPU=0.25",
            )
    return needs


def _imported(address: str | None) -> Any:
    variables = dict(QUIET)
    if address is None and "RAY_AUTH_MODE" not in os.environ:
        # A local Ray instance accepts this process alone: the token is random and not stored.
        variables |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(16)}
    os.environ.update({name: os.environ.get(name, value) for name, value in variables.items()})
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


def _unreachable(address: str, why: object) -> EmulationError:
    return EmulationError(
        f"--engine ray: no Ray at {address}: {why}",
        "give HOST:PORT of `ray start --head`, or 'auto' on a node of the cluster: "
        "docs/howto/run_on_a_cluster.md",
    )


def _check_address(address: str) -> None:
    """Raise EmulationError if the address is not reachable; Ray would retry for 30 seconds."""
    host, _, port = address.rpartition(":")
    if address == "auto":
        return
    if not host or not port.isdecimal() or "/" in host:
        raise _unreachable(address, "not HOST:PORT")
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_WALL_S).close()
    except (OSError, OverflowError, UnicodeError) as error:  # a..b: not a host name
        raise _unreachable(address, error) from None


def _init(ray: Any, **settings: Any) -> None:
    """Start or join Ray without output. Raises EmulationError."""
    handler = signal.getsignal(signal.SIGTERM)
    is_main = threading.current_thread() is threading.main_thread()  # others may not set it
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ray.init(
                **settings,
                log_to_driver=False,
                configure_logging=False,
                logging_level=logging.CRITICAL,
            )
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        first = str(error).strip().splitlines()[0]
        if settings["address"] != "local":
            raise _unreachable(settings["address"], first) from error
        raise EmulationError(
            f"--engine ray: a local Ray instance did not start: {first}",
            "if the machine was busy, run the same command again; --engine local needs no Ray",
        ) from error
    finally:
        if is_main:
            signal.signal(signal.SIGTERM, handler)  # Ray's own handler exits without a message


def room_for(needs: Mapping[str, float], node: Mapping[str, float]) -> int:
    """Number of workers that fit on a node. Raises EmulationError if `needs` are all zero."""
    taken = {name: amount for name, amount in needs.items() if amount}
    if not taken:
        raise EmulationError(
            "--needs: found no resources; allowed: at least one that is not 0",
            "for example --needs CPU=0.5, which limits the number of workers per node",
        )
    return min(int(node.get(name, 0) / amount) for name, amount in taken.items())


def _resources(resources: Mapping[str, float]) -> str:
    """The resources that a user may request, as text: 'CPU=2, GPU=1'."""
    hidden = ("node:", "memory", "object_store_memory", "accelerator_type:")
    return ", ".join(f"{k}={v:g}" for k, v in sorted(resources.items()) if not k.startswith(hidden))
