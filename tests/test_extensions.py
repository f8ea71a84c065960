"""An extension of each kind is one file and one entry point; each built-in is one file."""

import inspect

import pytest

from emulator.network.capacity import CAPACITIES
from emulator.simulation.availability import AVAILABILITIES
from emulator.simulation.policies import POLICIES
from emulator.simulation.selection import SELECTIONS
from flasc.methods import METHODS
from flasc.tasks import TASKS

METHOD = '''
from __future__ import annotations

from typing import Literal

from flasc.methods.base import Method, MethodSettings


class Half(MethodSettings):
    """Sends every other entry up."""

    kind: Literal["half"]

    def build(self, layout):
        return HalfMethod(self, layout)


class HalfMethod(Method):
    def upload_mask(self, delta, received):
        import torch

        return torch.arange(delta.numel(), device=delta.device) % 2 == 0
'''
TASK = '''
from pathlib import Path
from typing import Literal

import numpy as np

from flasc.data.examples import Examples
from flasc.tasks.base import Task
from flasc.tasks.settings import Model, TaskSettings


class Coins(TaskSettings):
    """Heads or tails."""

    name: Literal["coins"]
    model: Model = "minilm"

    def load(self, seed, cache, notify):
        labels = np.random.default_rng(seed).integers(0, 2, 2 * self.clients)
        examples = Examples({"input_ids": labels[:, None]}, labels)
        clients = np.arange(len(labels)).reshape(self.clients, 2)
        return Task("coins", examples, examples, examples, [*clients], ["0", "1"], Path("."))
'''
POLICY = '''
from itertools import repeat
from typing import Literal

from emulator.simulation.policies.base import PolicySettings
from emulator.simulation.rounds.round_loop import RoundRule, run_rounds


class Spare(PolicySettings):
    """Selects one client more than it waits for."""

    kind: Literal["spare"]

    def max_concurrency(self, cohort):
        return cohort + 1

    def process(self, context):
        cohort = context.training.cohort
        return run_rounds(context, repeat(RoundRule(cohort + 1, cohort)))
'''
SELECTION = '''
from typing import Literal

from emulator.simulation.selection.base import SelectionSettings, Selector


class LastFirst(SelectionSettings):
    """Selects the available clients with the largest numbers."""

    kind: Literal["last_first"]

    def selector(self, seed):
        return LastFirstSelector()


class LastFirstSelector(Selector):
    def select(self, number, candidates, count):
        return candidates[len(candidates) - count :]

    def on_update(self, client, examples, seconds):
        pass

    def on_failure(self, client, seconds):
        pass
'''
AVAILABILITY = '''
from typing import Literal

from emulator.common.distributions import PositiveDuration
from emulator.simulation.availability.base import AvailabilitySettings, PeriodicWindows


class HalfTime(AvailabilitySettings):
    """Available for the first half of each `period`."""

    kind: Literal["half_time"]
    period: PositiveDuration

    def build(self, rng):
        return PeriodicWindows([(0.0, self.period / 2)], self.period)
'''
CAPACITY = '''
from typing import Literal

from emulator.common.distributions import PositiveDuration, RateDistribution
from emulator.network.capacity.base import CapacityModel
from emulator.network.capacity.profile import Profile


class Blinking(CapacityModel):
    """On for one `period` at `rate`, then off for one."""

    kind: Literal["blinking"]
    rate: RateDistribution
    period: PositiveDuration

    @property
    def level(self):
        return self.rate

    @property
    def shape_mean(self):
        return 1 / 16

    def shape(self, rng, u):
        return Profile([0.0, self.period], [1 / 8, 0.0], 2 * self.period)
'''
# {module: (its text, entry point group, entry point)}
EXTENSIONS = {
    "added_method": (METHOD, "flasc_emu.methods", "half = added_method:Half"),
    "added_task": (TASK, "flasc_emu.tasks", "coins = added_task:Coins"),
    "added_policy": (POLICY, "flasc_emu.policies", "spare = added_policy:Spare"),
    "added_selection": (
        SELECTION,
        "flasc_emu.selections",
        "last_first = added_selection:LastFirst",
    ),
    "added_availability": (
        AVAILABILITY,
        "flasc_emu.availabilities",
        "half_time = added_availability:HalfTime",
    ),
    "added_capacity": (CAPACITY, "flasc_emu.capacities", "blinking = added_capacity:Blinking"),
}
SCENARIO = """\
name: extended
task: {name: coins, clients: 12}
training: {rounds: 3, cohort: 4}
methods:
  half: {kind: half}
network:
  server: {down: 1 Gbps, up: 1 Gbps}
  transport: fluid
  clients:
    down: {kind: blinking, rate: 8 Mbps, period: 100 ms}
    up: 8 Mbps
    availability: {kind: half_time, period: 1 s}
policy: spare
selection: last_first
"""
# Down, 150 kB at 1 MB/s for 0.1 s of every 0.2 s take 0.25 s; up, 300 kB take 0.3 s. Clients are
# available until 0.5 s, so the upload ends 0.05 s after they return at 1 s.
SIMULATION = """\
import sys
from pathlib import Path

from emulator.runner import inputs
from emulator.simulation.records import Absence, Round, Transfer
from emulator.simulation.simulate import simulate
from emulator.simulation.trainer import StubTrainer

study = inputs.read(Path(sys.argv[1]))
rows = simulate(study.scenario, 0, StubTrainer(down_bytes=150_000, up_bytes=300_000))
first, *_ = [row for row in rows if isinstance(row, Round)]
moved = [row for row in rows if isinstance(row, Transfer) and row.round == 1]
print(sorted({row.client for row in moved}))
print(round(first.finish_s, 9), first.cohort, first.used)
print(min((row.start_s, row.finish_s) for row in rows if isinstance(row, Absence)))
task = study.scenario.task.load(0, None, print)
print(len(task.clients), "torch" in sys.modules)
"""
BUILT_IN = [
    *((settings, "build") for settings in METHODS),
    *((settings, "load") for settings in TASKS),
    *((settings, "process") for settings in POLICIES),
    *((settings, "selector") for settings in SELECTIONS),
    *((settings, "build") for settings in AVAILABILITIES),
    *((settings, "shape") for settings in CAPACITIES),
]


@pytest.fixture
def extended(package):
    """A folder with a scenario and one package per kind: one module, one entry point."""
    for name, (text, group, point) in EXTENSIONS.items():
        folder = package(name, text.lstrip("\n"), {group: point})
    (folder / "extended.yaml").write_text(SCENARIO)
    return folder


def test_an_extension_of_each_kind_is_checked_listed_and_simulated(extended, beside):
    checked = beside(extended, "-m", "emulator", "check", extended / "extended.yaml")
    assert checked.returncode == 0, checked.stderr
    assert "clients down by blinking" in checked.stdout
    listed = beside(extended, "-m", "emulator", "list")
    assert listed.returncode == 0, listed.stderr
    brought = [line.split()[0] for line in listed.stdout.splitlines() if "[added_" in line]
    assert brought == ["half", "coins", "spare", "last_first", "half_time", "blinking"]
    played = beside(extended, "-c", SIMULATION, extended / "extended.yaml")
    assert played.returncode == 0, played.stderr
    assert played.stdout.splitlines() == [
        "[7, 8, 9, 10, 11]", "1.05 5 4", "(0.5, 1.0)", "12 False",
    ]  # fmt: skip


@pytest.mark.parametrize(("settings", "behaviour"), BUILT_IN, ids=str)
def test_settings_and_behaviour_of_a_built_in_are_in_one_file(settings, behaviour):
    assert not settings.implementation
    function = inspect.getattr_static(settings, behaviour)
    assert inspect.getmodule(function) is inspect.getmodule(settings)
    assert inspect.getsourcefile(function) == inspect.getsourcefile(settings)


@pytest.mark.parametrize(
    "name",
    [
        *("flasc.methods", "flasc.tasks", "emulator.network.capacity"),
        *("emulator.simulation." + part for part in ("policies", "selection", "availability")),
    ],
)
def test_importing_the_built_in_extensions_loads_no_torch(beside, tmp_path, name):
    code = f"import sys, {name}; assert not {{'torch', 'transformers', 'peft'}} & {{*sys.modules}}"
    done = beside(tmp_path, "-c", code)
    assert done.returncode == 0, done.stderr
