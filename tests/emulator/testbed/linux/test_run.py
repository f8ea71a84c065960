"""`flasc-emu validate`: exit codes anywhere; real namespaces where the machine has them."""

import contextlib
import json
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from emulator.cli import main
from emulator.common.errors import EmulationError, SupportError
from emulator.network.application import Application
from emulator.network.tcp import Tcp
from emulator.testbed.linux import run
from emulator.testbed.schedule import Message
from emulator.testbed.simulate import time_messages

ROOT = Path(__file__).parents[4]
pytestmark = pytest.mark.xdist_group("network namespaces")  # some look at all that there are


@pytest.fixture
def invoke(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def invoked(*args):
        result = CliRunner().invoke(main, list(map(str, args)))
        assert result.exception is None or isinstance(result.exception, SystemExit), result
        return result.exit_code, result.stdout, result.stderr

    return invoked


@pytest.fixture
def pretended(monkeypatch):
    """The stage, pretending that every message takes a second after those before it."""
    asked = []

    def staged(what, timeout_s):
        asked.append(what)
        count = len(what["messages"])
        one = {"times": [(n, n + 1) for n in range(count)]}
        rounds = [one | {"waiting_s": 5.0}] * what["flower"]["rounds"] if what["flower"] else [one]
        return {"rounds": rounds, "relay": {"late_99_s": 1e-4}}

    monkeypatch.setattr(run, "_measured", staged)
    return asked


# -- without namespaces


@pytest.mark.parametrize("nbytes", [0, 3, 30, 1_000_001])
@pytest.mark.parametrize("requests", [1, 7, 30])
def test_parts_are_those_that_are_simulated(nbytes, requests):
    turns = Application(requests=requests).turns(nbytes)
    assert [[part] for part in Message(0, "up", nbytes, requests=requests).parts] == turns


def test_a_machine_that_cannot_is_exit_code_3(invoke, scenario, monkeypatch):
    monkeypatch.setattr(run, "_measured", lambda *_: {"refused": "no TUN devices (No such file)"})
    code, out, err = invoke("validate", scenario())
    assert (code, out) == (3, "")
    assert err == (
        "error: this machine cannot build a test network: no TUN devices (No such file)\n"
        "hint: run it as root on a Linux machine that has network namespaces, TUN and tc-tbf\n"
    )


def test_another_system_is_refused_before_anything_starts(monkeypatch):
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(SupportError, match="found darwin; allowed: Linux"):
        run.ceiling()


def test_without_a_recording_it_says_what_to_run(invoke, scenario, pretended):
    code, _, err = invoke("validate", scenario())
    assert code == 2
    assert "LoRA: found 0 recorded rounds in runs/recordings; allowed: 1 or more" in err
    assert "hint: run it first: flasc-emu run " in err


def test_it_takes_the_first_method_and_every_variant(invoke, scenario, toys, pretended, tmp_path):
    path = scenario()
    assert invoke("run", path, "--workers", 1)[0] == 0
    code, out, err = invoke("validate", path, "--repeats", 2)
    assert code == 0, err
    assert err.splitlines() == ["LoRA, fast: 2 times 0.9 s", "LoRA, slow: 2 times 1.5 s"]
    found = json.loads((tmp_path / "runs/toy/validation.json").read_text())
    assert [c["method"] + c["variant"] for c in found["cases"]] == ["LoRAfast", "LoRAslow"]
    sizes = {(t["direction"], t["nbytes"]) for c in found["cases"] for t in c["transfers"]}
    assert sizes == {("down", 1_000_000), ("up", 500_000)}
    assert out.count("1.0000 ") == 12
    assert len(pretended) == 1 + 2 * 2
    assert {what["congestion"] for what in pretended} == {"cubic"}


def test_it_takes_what_is_named(invoke, scenario, toys, pretended):
    path = scenario()
    invoke("run", path, "--workers", 1)
    pretended.clear()
    code, _, err = invoke(
        "validate", path, "--method", "FLASC", "--variant", "slow", "--round", 2, "--repeats", 1,
        "--set", "network.transport.congestion=reno", "--out", "elsewhere",
    )  # fmt: skip
    assert code == 0, err
    assert Path("elsewhere/validation.json").exists()
    (asked,) = pretended[1:]
    assert asked["congestion"] == "reno"
    assert {m["nbytes"] for m in asked["messages"]} == {300_000, 150_000}


def test_flower_sends_all_repeats_in_one_deployment(invoke, scenario, toys, pretended, monkeypatch):
    monkeypatch.setattr(run.flower, "require", lambda: None)
    path = scenario()
    invoke("run", path, "--workers", 1)
    pretended.clear()
    code, out, err = invoke(
        "validate", path, "--flower", "--variant", "slow", "--clients", 2, "--repeats", 4,
        "--set", "network.application={preset: flower, arrays: 25}", "--out", "elsewhere",
    )  # fmt: skip
    assert code == 0, err
    (asked,) = pretended[1:]
    assert (asked["flower"]["arrays"], asked["flower"]["rounds"]) == (25, 4)
    assert {message["client"] for message in asked["messages"]} == {0, 1}
    assert "waits, s" in out
    (found,) = json.loads(Path("elsewhere/validation_flower.json").read_text())["cases"]
    assert (found["arrays"], found["waiting_s"], found["repeats"]) == (25, 5.0, 4)
    assert "makespan" not in found
    assert not Path("elsewhere/validation.json").exists()


def test_without_flower_it_says_what_to_install(invoke, scenario, toys, pretended, monkeypatch):
    monkeypatch.setattr(run.flower, "find_spec", lambda _: None)
    path = scenario()
    invoke("run", path, "--workers", 1)
    code, _, err = invoke("validate", path, "--flower", "--set", "network.application=flower")
    assert code == 3
    assert "error: found no flwr, which --flower needs\n" in err
    assert "hint: pip install 'flasc-emu[flower]'\n" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--flower",), "found application raw; allowed with --flower: flower\n"),
        (("--set", "network.application=flower"), "allowed: raw with any number of requests"),
    ],
)
def test_messages_are_sent_as_the_scenario_says(invoke, scenario, toys, pretended, arguments, said):
    path = scenario()
    invoke("run", path, "--workers", 1)
    code, _, err = invoke("validate", path, *arguments)
    assert code == 2
    assert said in err


def test_what_would_take_too_long_is_refused(invoke, scenario, toys, pretended):
    path = scenario()
    invoke("run", path, "--workers", 1)
    code, out, err = invoke("validate", path, "--limit", 2)
    assert (code, out) == (2, "")
    assert "s of measurements; allowed: 2 s (--limit)" in err
    assert len(pretended) == 1  # whether this machine can


def test_a_stage_that_dies_is_one_message(monkeypatch):
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(EmulationError, match="the measurement failed: its process died"):
        run.ceiling()


# -- with namespaces


def test_real_messages_take_at_least_what_the_network_takes(real, case):
    """Never more is asserted: how busy this machine is, is not the code's doing."""
    found = run.enact(case.star, case.messages, "cubic", case.makespan_s)
    for (start_s, finish_s), delivery in zip(found.times, case.simulated, strict=True):
        assert finish_s - start_s >= 0.9 * (delivery.finish_s - delivery.start_s)
    (_, got_s), (sent_s, _) = found.times[2:]
    assert sent_s >= got_s + 0.1
    payload = sum(message.nbytes for message in case.messages)
    assert found.relay["bytes"] > payload


def test_real_requests_wait_for_each_other(real, case):
    messages = [replace(message, requests=5) for message in case.messages]
    application = Application(requests=5)
    simulated = time_messages(case.star, messages, Tcp(), application=application)
    expected_s = max(delivery.finish_s for delivery in simulated)
    found = run.enact(case.star, messages, "cubic", expected_s)
    for (start_s, finish_s), delivery in zip(found.times, simulated, strict=True):
        assert finish_s - start_s >= 0.9 * (delivery.finish_s - delivery.start_s)


def test_an_unknown_congestion_control_is_refused(real, case):
    with pytest.raises(SupportError, match="no congestion control nonsense"):
        run.enact(case.star, case.messages, "nonsense", case.makespan_s)


def descendants(pid):
    """Process ids of the children of `pid`, and theirs."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            lines = dict(line.split(":\t", 1) for line in status.read_text().splitlines())
        except OSError:
            continue
        if int(lines["PPid"]) == pid and "Z" not in lines["State"]:
            found += [int(lines["Pid"]), *descendants(int(lines["Pid"]))]
    return found


def links(pids):
    """What names namespaces of processes; one may end while it is looked at."""
    for process in (Path(f"/proc/{pid}") for pid in pids):
        yield process / "ns/net"
        with contextlib.suppress(OSError):
            yield from list((process / "fd").iterdir())


def everyone():
    """Every process id of this machine."""
    return [int(process.name) for process in Path("/proc").glob("[0-9]*")]


def namespaces(pids):
    """Every network namespace that one of these processes is in or holds."""
    found = set()
    for link in links(pids):
        try:
            target = str(link.readlink())
        except OSError:
            continue
        if target.startswith("net:"):
            found.add(target)
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_interrupted_it_leaves_nothing_behind(real, command, scenario, number):
    path = scenario()
    assert command.run("run", path, "--workers", "1", "--method", "LoRA")[0] == 0
    ours = namespaces([os.getpid()])
    process = command.start("validate", path, "--set", "network.clients.up=100 kbps")
    made = set()
    while len(made) < 5:  # server, three clients, and the stage's own
        assert process.poll() is None, process.communicate()
        left = descendants(process.pid)  # not everyone: other tests make namespaces meanwhile
        made = namespaces(left) - ours
        time.sleep(0.01)
    os.kill(process.pid, number)
    process.communicate()
    assert process.returncode in (128 + number, -number)
    while any(Path(f"/proc/{pid}").exists() for pid in left) or namespaces(everyone()) & made:
        time.sleep(0.01)  # pytest-timeout ends this if they stay


@pytest.mark.slow
def test_the_makespan_is_within_five_percent(real, command, scenario):
    path = scenario()
    assert command.run("run", path, "--workers", "1", "--method", "LoRA")[0] == 0
    code, _, err = command.run("validate", path)
    assert code == 0, err
    found = json.loads((command.folder / "runs/toy/validation.json").read_text())
    for one in found["cases"]:
        if one["warning"]:
            pytest.skip(one["warning"])
        assert abs(one["makespan"]["error"]) <= 0.05
        assert one["mean_absolute_error"] <= 0.05
