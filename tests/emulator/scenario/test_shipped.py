"""Scenarios and networks by name."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from emulator import Scenario
from emulator.cli import main
from emulator.common.errors import ScenarioError
from emulator.runner import inputs
from emulator.scenario import shipped

ROOT = Path(__file__).parents[3]
HALF = """\
network:
  server: {down: 1 Gbps, up: 1 Gbps}
  clients: {down: 10 Mbps, up: 10 Mbps}
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """A working directory without the scenarios of the repository."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_file_has_a_name_and_says_what_it_is():
    names = shipped.scenarios() | shipped.networks()
    files = {path for path in (ROOT / "scenarios").rglob("*.yaml") if path.parent.name != "parts"}
    assert set(names.values()) == files
    for name, file in names.items():
        assert 10 < len(shipped.about(file)) <= 160, name


def test_a_scenario_and_its_networks_are_read_by_name():
    found = inputs.read(Path("smoke"), networks=[Path("4g_cell"), Path("leo")])
    assert found.scenario.name == "smoke"
    assert list(found.variants) == ["4g_cell", "leo"]
    assert inputs.read(Path("paper/figure3")).scenario.name == "figure3"
    assert Scenario.read("quick", networks=["dsl"]).variants == ["dsl"]


def test_a_path_that_exists_wins_over_a_name(elsewhere):
    (elsewhere / "leo").write_text(HALF)
    (elsewhere / "smoke").write_text("extends: smoke.yaml\nname: mine\n")
    (elsewhere / "smoke.yaml").write_text("extends: quick\n")
    found = inputs.read(Path("smoke"), networks=[Path("leo")])
    assert found.scenario.name == "mine"
    assert found.variants["leo"].network.clients.up == 10e6


@pytest.mark.parametrize(
    ("given", "near"),
    [
        ("slow_uplod", "slow_upload"),
        ("figure3", "paper/figure3"),
        ("scenarios/quick.yaml", "quick"),
        ("paper/figre4", "paper/figure4"),
    ],
)
def test_a_misspelt_scenario_gets_the_nearest_name(given, near):
    with pytest.raises(ScenarioError) as error:
        inputs.read(Path(given))
    assert error.value.message == f"{given}: no such file"
    assert error.value.hint == f"did you mean {near}?"


def test_a_misspelt_network_gets_the_nearest_name():
    with pytest.raises(ScenarioError) as error:
        inputs.read(Path("smoke"), networks=[Path("4g_sell")])
    assert error.value.hint == "did you mean 4g_cell?"


def test_a_network_is_no_scenario():
    with pytest.raises(ScenarioError, match="found a network alone"):
        inputs.read(Path("4g_cell"))


def test_a_scenario_extends_one_by_name(elsewhere):
    command = CliRunner().invoke(main, ["new", "mine.yaml", "--from", "paper/figure3"])
    assert command.exit_code == 0, command.output
    assert 'extends: "paper/figure3"' in (elsewhere / "mine.yaml").read_text()
    found = inputs.read(Path("mine.yaml"))
    assert found.scenario.name == "mine"
    assert found.methods == inputs.read(Path("paper/figure3")).methods


def test_a_new_scenario_has_a_network_by_name(elsewhere):
    command = CliRunner().invoke(main, ["new", "mine.yaml", "--network", "leo"])
    assert command.exit_code == 0, command.output
    own = inputs.read(Path("mine.yaml")).scenario.network
    assert own == inputs.read(Path("smoke"), networks=[Path("leo")]).scenario.network


def test_networks_and_scenarios_are_listed():
    said = CliRunner().invoke(main, ["list", "networks"]).output
    assert "\n  4g_cell              Phones on 4G, ten to a cell.\n" in said
    assert "\n  paper/figure3        Figure 3" in CliRunner().invoke(main, ["list"]).output
