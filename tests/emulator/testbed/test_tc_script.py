"""The script for a test bed: right commands for the right client, in any shell; in tc where it is.

The kernel of a test machine may lack netem or ifb: then what the script would run is checked by a
`tc` of our own on the PATH that writes down what it is told.
"""

import os
import shutil
import subprocess

import numpy as np
import pytest

from emulator.cli import main
from emulator.runner import inputs
from emulator.simulation.clients import fleet
from emulator.testbed import tc_script
from emulator.testbed.linux.topology import token_bucket

SCENARIO = """\
name: toy
task: {name: 20newsgroups, clients: 30}
training: {rounds: 4, cohort: 3}
methods:
  LoRA: {kind: lora}
network:
  server: {down: 100 Mbps, up: 50 Mbps}
  clients:
    down: {kind: lognormal, median: 30 Mbps, sigma: 0.6}
    up: 4 Mbps
    rtt: {kind: uniform, low: 30 ms, high: 90 ms}
    loss: 1 %
vary:
  up: {slow: {network.clients.up: 1 Mbps}, fast: {network.clients.up: 8 Mbps}}
"""
TOOLS = ("tc", "ip", "ethtool")


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "toy.yaml"
    path.write_text(SCENARIO, "utf-8")
    return path


@pytest.fixture
def shape(path, tmp_path):
    """Run the script with tools that write down what they are told: (exit code, commands)."""
    told = tmp_path / "told"
    for tool in TOOLS:
        fake = tmp_path / tool
        fake.write_text(f'#!/bin/sh\necho {tool} "$@" >> {told}\n', "utf-8")
        fake.chmod(0o755)
    varied = inputs.read(path).variants["slow"]
    clients = fleet.draw_fleet(varied.network, None, 30, 0)
    script = tmp_path / "shape.sh"
    script.write_text(tc_script.script(varied, "slow", clients), "utf-8")

    def run(*args, shell="sh"):
        told.unlink(missing_ok=True)
        environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
        done = subprocess.run(
            [shell, script, *map(str, args)], env=environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        return done, told.read_text("utf-8").splitlines() if told.exists() else []

    run.script, run.fleet = script, clients
    return run


@pytest.mark.parametrize("shell", ["sh", "bash", "dash"])
def test_any_shell_can_read_it(shape, shell):
    if not shutil.which(shell):
        pytest.skip(f"no {shell} here")
    subprocess.run([shell, "-n", shape.script], check=True)
    done, told = shape("client", 3, "eth0", shell=shell)
    assert done.returncode == 0, done.stderr
    assert told


@pytest.mark.parametrize("i", [0, 17, 29])
def test_a_client_gets_its_own_link(shape, i):
    _, told = shape("client", i, "eth0")
    added = [line.removeprefix("tc qdisc add dev ") for line in told if "tc qdisc add" in line]
    clients = shape.fleet
    delay = f"delay {round(1e6 * clients.delay_s[i])}us loss 1% limit"
    buckets = [
        token_bucket(rate, 2 * clients.delay_s[i])
        for rate in (clients.up_Bps[i], clients.down_Bps[i])
    ]
    assert buckets[0].startswith("tbf rate 1000000bit")
    assert added[0] == "eth0 handle ffff: ingress"
    assert added[1].startswith(f"eth0 root handle 1: netem {delay}")
    assert added[2] == f"eth0 parent 1:1 handle 10: {buckets[0]}"
    assert added[3].startswith(f"in-eth0 root handle 1: netem {delay}")
    assert added[4] == f"in-eth0 parent 1:1 handle 10: {buckets[1]}"
    (redirected,) = [line for line in told if "mirred" in line]
    assert redirected.endswith("egress redirect dev in-eth0")
    assert told.index("ip link set in-eth0 up") < told.index(redirected)


def test_the_server_gets_its_rates_and_no_delay(shape):
    _, told = shape("server", "eth1")
    rates = [line.split(" tbf rate ")[1].split()[0] for line in told if " tbf " in line]
    assert rates == ["50000000bit", "100000000bit"]
    assert not [line for line in told if "loss" in line]


def test_clear_takes_all_of_it_away(shape):
    _, told = shape("clear", "eth0")
    assert told == [
        "tc qdisc del dev eth0 root", "tc qdisc del dev eth0 ingress", "ip link del in-eth0"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "args", [(), ("client", "eth0"), ("client", 30, "eth0"), ("client", "x", "eth0"), ("server",)]
)
def test_anything_else_changes_nothing(shape, args):
    done, told = shape(*args)
    assert done.returncode == 2
    assert "sh shape.sh client NUMBER DEVICE" in done.stderr
    assert told == []


def test_room_for_what_is_in_flight(shape):
    """A netem that overflows loses packets that no scenario asked for."""
    script = shape.script.read_text("utf-8")
    limits = [int(text.split("limit ")[1].split("'")[0]) for text in script.split("us loss")[1:]]
    least = np.minimum(shape.fleet.up_Bps, shape.fleet.down_Bps) * shape.fleet.delay_s / 1514
    assert len(limits) == 60
    assert min(limits) > least.max()


def test_cells_and_half_duplex_are_named_as_left_out(path, monkeypatch):
    from click.testing import CliRunner

    monkeypatch.chdir(path.parent)
    cells = "network.clients.cells={clients: 10, down: 50 Mbps, up: 10 Mbps}"
    done = CliRunner().invoke(main, ["export", "tc", "toy.yaml", "--set", cells])
    assert done.exit_code == 0
    assert "# Not shaped: 3 cells" in done.stdout
    assert "warning: Not shaped: 3 cells" in done.stderr
    done = CliRunner().invoke(main, ["export", "tc", "toy.yaml", "--variant", "slwo"])
    assert done.exit_code == 2
    assert "allowed: slow, fast" in done.stderr
    assert "did you mean 'slow'?" in done.stderr


def test_tc_itself_takes_it(shape):
    """In a network namespace of its own, where the machine has one and knows the qdiscs."""
    inside = (
        "set -e; ip link add probe0 type veth peer name probe1; ip link set probe0 up; "
        f"sh {shape.script} client 3 probe0; tc qdisc show; sh {shape.script} clear probe0; "
        "echo cleared; tc qdisc show dev probe0"
    )
    if not shutil.which("unshare"):
        pytest.skip("no unshare here")
    done = subprocess.run(
        ["unshare", "-rn", "sh", "-c", inside], capture_output=True, text=True, check=False
    )
    lacking = ("unknown", "not permitted", "not found", "not supported", "unshare")
    if done.returncode and any(word in done.stderr for word in lacking):
        pytest.skip(done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(" netem ") == done.stdout.count(" tbf ") == 2
    assert "rate 1Mbit" in done.stdout
    assert "netem" not in done.stdout.partition("cleared")[2]
