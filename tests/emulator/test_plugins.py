"""Plug-ins of the emulator: the example is installed for real, each kind does what it says."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from emulator.common.distributions import LogNormal
from emulator.network.capacity import CAPACITIES, CapacityModel
from emulator.scenario.scenario import Scenario
from emulator.simulation.availability import AVAILABILITIES, AvailabilitySettings
from emulator.simulation.policies import POLICIES, PolicySettings
from emulator.simulation.records import Round
from emulator.simulation.selection import SELECTIONS, SelectionSettings
from emulator.simulation.simulate import simulate
from emulator.simulation.trainer import StubTrainer
from flasc.common import plugins
from flasc.common.errors import PluginError
from flasc.methods import METHODS, MethodSettings
from flasc.tasks import TASKS, TaskSettings

pytestmark = pytest.mark.xdist_group("installed packages")
ROOT = Path(__file__).parent.parent.parent
OWN = "examples/own/own.yaml"
LINK = {"down": "8 Mbps", "up": {"kind": "lognormal", "median": "1 Mbps", "sigma": 1}}


@pytest.fixture
def flasc_emu(installed, beside):
    return lambda *args: beside(installed, "-m", "emulator", *args)


@pytest.fixture
def own(installed, monkeypatch):
    """The settings classes of the example."""
    monkeypatch.syspath_prepend(installed)
    from flasc_own import capacity, policy, selection, settings

    return SimpleNamespace(**vars(capacity) | vars(policy) | vars(selection) | vars(settings))


def played(rounds=8, **update):
    """Rows of an emulation, of a scenario with these parts."""
    plain = Scenario.model_validate({
        "name": "own", "task": {"name": "20newsgroups", "clients": 12},
        "training": {"rounds": rounds, "cohort": 4}, "methods": {"LoRA": {"kind": "lora"}},
        "network": {"server": {"down": "1 Gbps", "up": "1 Gbps"}, "clients": LINK},
    })  # fmt: skip
    trainer = StubTrainer(down_bytes=90_000, up_bytes=90_000)
    return simulate(plain.model_copy(update=update), 0, trainer)


# -- from outside


def test_each_kind_is_listed_with_its_origin(flasc_emu):
    lines = flasc_emu("list").stdout.splitlines()
    brought = [line.split()[0] for line in lines if line.endswith("[flasc-own 0.1.0]")]
    assert brought == ["csv", "patient", "resting", "duty_cycle"]


WRONG = """
extends: ROOT/examples/own/own.yaml
task: {fle: x}
network: {clients: {down: {kind: dutycycle}}}
policy: {enoug: 1/2}
selection: {rest: 0}
"""
SAYS = [
    "x.yaml:2: task.fle: unknown key; did you mean 'file'?",
    "x.yaml:3: network.clients.down.kind: found 'dutycycle'; did you mean 'duty_cycle'?",
    "x.yaml:4: policy.enoug: unknown key; did you mean 'enough'?",
    "x.yaml:5: selection.rest: found 0; allowed: more than 0",
]


def test_each_kind_is_checked_and_its_keys_are_known(flasc_emu, tmp_path):
    checked = flasc_emu("check", OWN)
    assert checked.returncode == 0, checked.stderr
    assert "changing: clients down by duty_cycle, clients up with down" in checked.stdout
    assert "policy: a deadline of 30.0 s at first, for 80%; selection: resting" in checked.stdout
    (tmp_path / "x.yaml").write_text(WRONG.replace("ROOT", str(ROOT)).lstrip("\n"))
    wrong = flasc_emu("check", tmp_path / "x.yaml")
    assert wrong.returncode == 2
    assert all(says in wrong.stderr for says in SAYS), wrong.stderr
    schema = flasc_emu("schema").stdout
    assert all(f'"{kind}"' in schema for kind in ("csv", "patient", "resting", "duty_cycle"))


def test_neither_check_nor_list_loads_torch(installed, beside):
    for args in (["check", OWN], ["list"]):
        code = f"from emulator.cli import main\ntry: main({args})\nexcept SystemExit: pass\n"
        done = beside(installed, "-c", f"{code}import sys; assert 'torch' not in sys.modules")
        assert done.returncode == 0, done.stderr


@pytest.mark.real
def test_a_run_with_one_of_each_kind(flasc_emu, tmp_path):
    keys = ["--out", tmp_path / "run", "--recordings", tmp_path, "--set", "training.rounds=2"]
    first = flasc_emu("run", OWN, *keys, "--workers", "1")
    assert first.returncode == 0, first.stderr
    assert "\n4 rounds trained (2 trainings, 2 simulations).\n" in first.stdout
    again = flasc_emu("run", OWN, *keys, "--workers", "2")  # processes that import them as well
    assert again.returncode == 0, again.stderr
    assert "0 rounds trained, 4 recorded before" in again.stdout


# -- from inside


def test_a_policy_goes_by_how_its_rounds_went(own):
    policy = own.Patient(kind="patient", deadline="100 ms", enough=0.5, step=2)
    rounds = [row for row in played(rounds=12, policy=policy) if isinstance(row, Round)]
    deadline_s = 0.1
    for each in rounds:
        assert each.finish_s - each.start_s <= deadline_s * (1 + 1e-9)
        if each.used < 4:
            assert each.finish_s - each.start_s == pytest.approx(deadline_s)
        deadline_s *= 2 if each.used < 2 else 1 / 2
    assert len({each.used for each in rounds}) > 1


def test_a_selection_lets_clients_rest(own):
    rows = played(selection=own.Resting(kind="resting", rest=2))
    asked = {}
    for row in rows:
        if getattr(row, "direction", "") == "down":
            asked.setdefault(row.round, set()).add(row.client)
    assert [len(clients) for clients in asked.values()] == [4] * 8
    for number in range(3, 9):  # twelve clients, four at a time: everybody once in three rounds
        assert len(asked[number] | asked[number - 1] | asked[number - 2]) == 12
    assert rows == played(selection=own.Resting(kind="resting", rest=2))


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_a_capacity_carries_what_it_says(own, share):
    link = own.DutyCycle(kind="duty_cycle", rate="8 Mbps", share=share, period="4 s")
    shape = link.shape(np.random.default_rng(0), 0.3).scaled(link.level)
    assert shape.mean == pytest.approx(1e6 * share)
    assert shape.mean == pytest.approx(link.shape_mean * link.level)
    assert shape.bytes_between(0, 8) == pytest.approx(8e6 * share)
    drawn = own.DutyCycle(
        kind="duty_cycle", rate={"kind": "lognormal", "median": "1 Mbps", "sigma": 1}, share=share,
        period="4 s",
    )  # fmt: skip
    assert isinstance(drawn.level, LogNormal)


def test_a_task_is_known_by_what_its_file_holds(own, tmp_path):
    named = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for path in named:
        path.write_text("text,label\nhello,x\n")
    first, second = (own.Csv(name="csv", file=str(path)) for path in named)
    assert first.model_dump(mode="json") == second.model_dump(mode="json")
    named[1].write_text("text,label\nhello,y\n")
    other = own.Csv(name="csv", file=str(named[1]))
    assert other.model_dump(mode="json") != first.model_dump(mode="json")


# -- what is refused

FAMILIES = {
    "tasks": (TASKS, TaskSettings, "20newsgroups", "name"),
    "methods": (METHODS, MethodSettings, "lora", "kind"),
    "policies": (POLICIES, PolicySettings, "deadline", "kind"),
    "selections": (SELECTIONS, SelectionSettings, "oort", "kind"),
    "availabilities": (AVAILABILITIES, AvailabilitySettings, "on_off", "kind"),
    "capacities": (CAPACITIES, CapacityModel, "trace", "kind"),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_name_that_is_taken_is_refused(package, family):
    built_in, base, taken, tag = FAMILIES[family]
    text = (
        f"from typing import Literal\nfrom {base.__module__} import {base.__name__}\n\n\n"
        f"class x({base.__name__}):\n    {tag}: Literal['{taken}']\n    model: str = 'm'\n"
        "    implementation = 'a:b'\n    shape_mean = property(int)\n"
        "    def shape(self, rng, u): ...\n"
    )
    package(f"taken_{family}", text, {base.plugin_group: f"{taken} = taken_{family}:x"})
    with pytest.raises(PluginError, match="found a kind that is in use"):
        plugins.members(built_in, base)


def test_a_capacity_that_is_called_like_a_distribution_is_refused(package, beside):
    text = (
        "from typing import Literal\n"
        "from emulator.network.capacity.base import CapacityModel\n\n\n"
        "class x(CapacityModel):\n    kind: Literal['lognormal']\n    shape_mean = property(int)\n"
        "    def shape(self, rng, u): ...\n"
    )
    folder = package("twin", text, {"flasc_emu.capacities": "lognormal = twin:x"})
    done = beside(folder, "-m", "emulator", "check", "scenarios/smoke.yaml")
    assert "found a kind that is in use" in done.stderr


def test_a_capacity_without_a_shape_is_refused(package):
    text = (
        "from typing import Literal\n"
        "from emulator.network.capacity.base import CapacityModel\n\n\n"
        "class x(CapacityModel):\n    kind: Literal['flat']\n"
    )
    package("flat", text, {"flasc_emu.capacities": "flat = flat:x"})
    with pytest.raises(PluginError, match="found no shape, shape_mean; allowed"):
        plugins.members(CAPACITIES, CapacityModel)


def test_a_broken_package_is_one_message(package, beside):
    folder = package("broken", "import no_such_package\n", {"flasc_emu.policies": "x = broken:x"})
    done = beside(folder, "-m", "emulator", "check", "scenarios/smoke.yaml")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "error: plug-in x (broken:x): cannot be imported: "
        "ModuleNotFoundError: No module named 'no_such_package'",
        "hint: fix or uninstall broken",
    ]
    assert beside(folder, "-m", "emulator", "--help").returncode == 0


# -- imports


def test_what_plugins_build_on_loads_none(beside, tmp_path):
    modules = [
        "emulator.simulation.policies.base",
        "emulator.simulation.selection.base",
        "emulator.network.capacity.base",
    ]
    modules += ["emulator.simulation.availability.base"]
    modules += ["flasc.methods.base", "flasc.tasks.settings"]
    code = f"import sys, {', '.join(modules)}\n"
    done = beside(tmp_path, "-c", f"{code}print(*sys.modules)")
    assert done.returncode == 0, done.stderr
    assert not {
        "flasc.training.settings",
        "emulator.simulation.clients.links",
        "emulator.scenario.scenario",
    } & {*done.stdout.split()}


FIRST = """
import os, sys
import peft, torch, transformers  # once, as they take seconds

for first in sys.argv[1:]:
    if not (child := os.fork()):
        __import__(first)
        import emulator.scenario.scenario, flasc.training.trainer
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, first
"""


def test_a_plugin_may_be_imported_first(installed, beside):
    modules = ["flasc_own.settings", "flasc_own.policy", "flasc_own.task"]
    done = beside(installed, "-c", FIRST, *modules)
    assert done.returncode == 0, done.stderr
