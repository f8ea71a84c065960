"""The engine on Ray: the same ledger as the local one, whatever dies on the way.

One cluster for the file, joined by address; one test starts a Ray of its own.
"""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner

from emulator.cli import main
from emulator.common.errors import EmulationError
from emulator.runner.executors import ray_cluster, ray_worker

from .test_local import gone
from .test_work_sharing import rows

on_cluster = pytest.mark.skipif(find_spec("ray") is None, reason="pip install 'flasc-emu[ray]'")
ONE = "LoRA"
SEATS = '{"seat": 2}'


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """The address of a cluster of one node, with room for two workers that need a `seat`."""
    patch = pytest.MonkeyPatch()
    patch.setenv("RAY_AUTH_MODE", "token")
    patch.setenv("RAY_AUTH_TOKEN", "0" * 32)
    node = Node(tmp_path_factory.mktemp("ray"))
    yield node.address
    node.stop()
    patch.undo()


class Node:
    """`ray start`: the head of a cluster, or a node that joins one."""

    def __init__(self, folder, head=None):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = head or f"127.0.0.1:{port}"
        begun = ["--head", f"--port={port}", f"--temp-dir={folder}", "--include-dashboard=false"]
        place = [f"--address={head}"] if head else begun
        self.process = subprocess.Popen(
            [
                sys.executable, "-m", "ray.scripts.scripts", "start", *place, "--block",
                "--num-cpus=2", "--num-gpus=0", f"--resources={SEATS}",
                "--disable-usage-stats",
            ],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
        said = []
        for line in self.process.stdout:
            said.append(line)
            if "Ray runtime started" in line:
                return
        self.stop()
        pytest.fail("".join(said))

    def stop(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate(timeout=60)


def noise(err):
    """Lines that are neither ours nor about progress."""
    return [line for line in err.splitlines() if re.search("ray|Ray|warn|Warn|Traceback", line)]


@on_cluster
def test_idle_workers_help_and_the_ledger_is_the_local_ones(command, scenario, cluster):
    path = scenario()
    code, out, err = command.run(
        "run", path, "--method", ONE, "--engine", "ray", "--address", cluster, spread="on"
    )
    assert code == 0, err
    assert "\n4 rounds trained" in out
    assert len(list(command.folder.glob("helping-*"))) == 1  # there is room for two
    assert not noise(err)
    found = rows(command.folder)
    command.run_here(path, "--method", ONE, "--recordings", "elsewhere")
    assert found == rows(command.folder)
    assert recorded(command.folder / "runs/recordings") == recorded(command.folder / "elsewhere")


def recorded(store):
    """What the recordings in a store say, whatever made them."""
    return {
        path.relative_to(store): path.read_bytes()
        for path in store.rglob("*")
        if path.is_file() and path.name != "lock"
    }


@on_cluster
def test_a_worker_that_is_killed_changes_nothing_in_the_result(command, scenario, cluster):
    path = scenario()
    args = ("--engine", "ray", "--address", cluster, "--needs", "seat=1")
    process = command.start("run", path, *args, pause_at=2)
    victim, _ = command.paused(2, process)
    os.kill(victim, signal.SIGKILL)
    command.go()
    code, out, err = command.end(process)
    assert code == 0, err
    assert "its worker died; another one continues" in err
    assert "\n11 rounds trained" in out  # a round was recorded before the kill
    assert not noise(err)
    found = rows(command.folder)
    command.run_here(path, "--recordings", "elsewhere")
    assert found == rows(command.folder)


@on_cluster
@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGINT, 130),
        pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow),
        pytest.param(signal.SIGKILL, -9, marks=pytest.mark.slow),
    ],
)
def test_a_signal_leaves_nobody_behind_and_a_run_that_goes_on(
    command, scenario, cluster, number, code
):
    path = scenario()
    args = ("--method", ONE, "--engine", "ray", "--address", cluster, "--workers", 1)
    process = command.start("run", path, *args, pause_at=2)
    pids = command.paused(1, process)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal sends Ctrl-C
    else:
        process.send_signal(number)
    found, _, err = command.end(process)
    assert found == code, err
    assert err.count("run the same command again") == (number != signal.SIGKILL)
    assert not noise(err)
    assert all(gone(pid) for pid in pids)
    found, out, _ = command.run_here(path, "--method", ONE)
    assert found == 0
    assert "\n3 rounds trained" in out


@on_cluster
def test_what_no_node_has_is_said(command, scenario, cluster):
    args = ("--engine", "ray", "--address", cluster, "--needs", "GPU=0.25")
    code, _, err = command.run("run", scenario(), *args)
    assert code == 2
    assert "error: found no node with CPU=1, GPU=0.25; the nodes have: CPU=2, seat=2" in err
    assert not noise(err)


@on_cluster
@pytest.mark.slow
def test_an_error_of_one_leaves_the_other_be(command, scenario, cluster):
    bad = "methods.bad={kind: lora, client_lr: 1e6}"
    args = ("--set", bad, "--method", "bad", "--method", "head")
    code, out, err = command.run("run", scenario(), *args, "--engine", "ray", "--address", cluster)
    assert code == 2
    assert "error: not finished: bad: client 1 diverged in round 2" in err
    assert "\n4 rounds trained" in out


@on_cluster
@pytest.mark.slow
def test_a_ray_of_our_own_is_gone_with_the_run(command, scenario, tmp_path, monkeypatch):
    short = Path(tempfile.mkdtemp(prefix="f"))  # the name of a socket has 107 bytes at most
    monkeypatch.setenv("TMPDIR", str(short))
    monkeypatch.setenv("HOME", str(tmp_path))  # where Ray would write a token
    path = scenario()
    code, out, err = command.run("run", path, "--engine", "ray", "--needs", "CPU=0.5")
    assert code == 0, err
    assert "\n12 rounds trained" in out
    assert not noise(err)
    short.rmdir()  # it is empty
    assert not (tmp_path / ".ray").exists()
    found = rows(command.folder)
    command.run_here(path, "--recordings", "elsewhere")
    assert found == rows(command.folder)


def parent(pid):
    return int(Path(f"/proc/{pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()[1])


@on_cluster
@pytest.mark.slow
def test_a_node_that_dies_costs_its_unfinished_rounds(command, scenario, cluster, tmp_path_factory):
    node = Node(tmp_path_factory.mktemp("ray"), cluster)
    path = scenario()
    args = ("--engine", "ray", "--address", cluster, "--workers", 2, "--needs", "seat=2")
    process = command.start("run", path, *args, pause_at=2)
    pids = command.paused(2, process)
    victims = [pid for pid in pids if os.getpgid(parent(pid)) == node.process.pid]
    assert len(victims) == 1
    node.stop()
    os.kill(victims[0], signal.SIGKILL)  # it might outlive its node by a moment
    command.go()
    code, out, err = command.end(process)
    assert code == 0, err
    assert "its worker died; another one continues" in err
    assert "\n11 rounds trained" in out
    found = rows(command.folder)
    command.run_here(path, "--recordings", "elsewhere")
    assert found == rows(command.folder)


# -- without Ray


def invoke(*args):
    done = CliRunner().invoke(main, ["run", *map(str, args)])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done.exit_code, done.output


def test_without_ray_it_says_how_to_get_it(scenario, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    code, out = invoke(scenario(), "--engine", "ray")
    assert code == 2
    assert out.startswith("error: --engine ray: cannot import ray")
    assert "hint: pip install 'flasc-emu[ray]'" in out


@pytest.mark.parametrize(
    "text",
    [
        "GPU",
        "=1",
        "GPU=",
        "GPU=many",
        "GPU=-1",
        "CPU=inf",
        "CPU=nan",
        "GPU=1.5",
        "CPU=0.00001",
        "memory=1e9",
    ],
)
def test_needs_that_are_none_are_refused(scenario, text):
    code, out = invoke(scenario(), "--engine", "ray", "--needs", text)
    assert code == 2
    assert f"--needs: found {text!r}; allowed: CPU, GPU or a resource" in out


@pytest.mark.parametrize("args", [["--address", "auto"], ["--needs", "GPU=1"]])
def test_what_goes_with_ray_goes_with_nothing_else(scenario, args):
    code, out = invoke(scenario(), *args)
    assert code == 2
    assert "--address and --needs need --engine ray" in out


@pytest.mark.parametrize(
    "address", ["ray://head:10001", "head", "127.0.0.1:1", "127.0.0.1:99999", "head..local:6379"]
)
def test_an_address_where_nobody_is(scenario, address):
    code, out = invoke(scenario(), "--engine", "ray", "--address", address)
    assert code == 2
    assert out.startswith(f"error: --engine ray: no Ray at {address}: ")
    assert "docs/howto/run_on_a_cluster.md" in out


@pytest.mark.parametrize(
    ("needs", "node", "room"),
    [
        ({"CPU": 1}, {"CPU": 8}, 8),
        ({"CPU": 1, "GPU": 0.25}, {"CPU": 8, "GPU": 1}, 4),
        ({"CPU": 1, "GPU": 1}, {"CPU": 8}, 0),
        ({"CPU": 2, "fast": 1}, {"CPU": 3, "fast": 9}, 1),
        ({"CPU": 0, "GPU": 0.5}, {"GPU": 2}, 4),
        ({"CPU": 1, "GPU": 0}, {"CPU": 2}, 2),
    ],
)
def test_room_is_what_is_scarcest(needs, node, room):
    assert ray_cluster.room_for(needs, node) == room


def test_workers_that_need_nothing_are_refused():
    with pytest.raises(EmulationError, match="found no resources"):
        ray_cluster.room_for({"CPU": 0}, {"CPU": 8})


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stays_what_it_is_where_ray_makes_ctrl_c_of_it(number):
    class Stopped(KeyboardInterrupt):
        pass

    def stop(*_):
        raise Stopped

    before = signal.signal(number, stop)
    try:
        with pytest.raises(Stopped), ray_cluster._restored_signals():
            signal.raise_signal(number)  # as ray.wait does: any KeyboardInterrupt, not ours
        assert signal.getsignal(number) is stop
        with pytest.raises(KeyboardInterrupt) as plain, ray_cluster._restored_signals():
            raise KeyboardInterrupt
        assert plain.type is KeyboardInterrupt
    finally:
        signal.signal(number, before)


class Ref(list):
    """Stands for a reference to what an actor says."""


class Actor:
    """Remote calls that answer at once."""

    class hear:  # noqa: N801
        remote = staticmethod(lambda: Ref([ray_worker.Hello("far", "0.0")]))


class Ray:
    class exceptions:  # noqa: N801
        RayError = RayTaskError = OSError

    get = staticmethod(list)


def test_another_version_on_a_node_is_refused(tmp_path):
    member = ray_worker.RayWorker(Ray, Actor, tmp_path)
    with pytest.raises(EmulationError, match=r"node far: found flasc-emu 0\.0; allowed: "):
        member.receive()
