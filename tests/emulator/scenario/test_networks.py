"""A scenario with other networks, and a run folder instead of a scenario."""

import json
import re
from pathlib import Path

import pytest

from emulator.common.errors import LedgerError, ScenarioError
from emulator.results.ledger import Ledger
from emulator.runner import inputs
from emulator.scenario import document, study

NETWORKS = sorted((Path(__file__).parents[3] / "scenarios/networks").glob("*.yaml"))
HALF = """\
network:
  server: {down: 1 Gbps, up: 1 Gbps}
  clients: {down: 10 Mbps, up: 10 Mbps}
"""


@pytest.fixture
def half(tmp_path):
    path = tmp_path / "half.yaml"
    path.write_text(HALF)
    return path


def test_there_are_a_dozen_and_each_is_fine_under_a_scenario(scenario):
    found = inputs.read(scenario(), networks=NETWORKS)
    assert list(found.variants) == [path.stem for path in NETWORKS]
    assert len(NETWORKS) >= 12


@pytest.mark.parametrize("path", NETWORKS, ids=lambda path: path.stem)
def test_each_names_its_sources(path):
    comment = path.read_text("utf-8").partition("network:")[0]
    assert "docs/reference/network_presets.md" in comment or "https://" in comment


def test_a_network_takes_the_place_of_the_scenarios_and_of_axes_that_vary_it(scenario, half):
    path = scenario()
    path.write_text(path.read_text() + "  rank:\n    r4: {training.lora.rank: 4}\n")
    found = inputs.read(path, networks=[half])
    assert list(found.variants) == ["r4, half"]
    assert found.variants["r4, half"].network.clients.up == 10e6
    assert found.variants["r4, half"].training.lora.rank == 4
    # The same trainings as under the scenario's own network.
    own = [t.settings for t in inputs.read(path).trainings()]
    assert [t.settings for t in found.trainings()] == own


def test_a_scenario_needs_no_network_of_its_own(scenario, half):
    path = scenario()
    path.write_text(path.read_text().partition("network:")[0])
    assert list(inputs.read(path, networks=[half]).variants) == ["half"]


def test_an_override_of_the_network_is_every_files(scenario, half):
    overrides = ["network.clients.rtt=100 ms", "training.rounds=2"]
    found = inputs.read(scenario(), overrides, networks=[half, NETWORKS[0]])
    for variant in found.variants.values():
        assert variant.network.clients.rtt == 0.1
        assert variant.training.rounds == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (HALF + "name: x\n", "half.yaml:4: name: unknown key; allowed: network"),
        ("netwrok: {}\n", "half.yaml:1: netwrok: unknown key; did you mean 'network'"),
        ("{}\n", "half.yaml:1: network: missing key"),
        (HALF.replace("10 Mbps}", "10}"), "half.yaml:3: network.clients.up: found 10"),
    ],
)
def test_what_is_wrong_with_a_network_is_told_by_its_file(scenario, half, text, says):
    half.write_text(text)
    with pytest.raises(ScenarioError) as error:
        inputs.read(scenario(), networks=[half])
    assert says in error.value.message


def test_a_name_is_that_of_one_variant(scenario, half):
    with pytest.raises(ScenarioError, match="each name once"):
        inputs.read(scenario(), networks=[half, half])


def test_a_run_is_priced_under_networks_that_it_never_saw(command, scenario, half):
    assert command.run_here(scenario(), "--method", "head")[0] == 0
    code, out, _ = command.run_here("runs/toy", "--network", half)
    assert code == 0
    assert re.search(
        "0 rounds trained, [0-9]+ recorded before .*\nWritten to runs/toy-on-half/", out
    )
    again = inputs.read(command.folder / "runs/toy-on-half")
    assert list(again.variants) == ["half"]
    assert again.methods == ["head"]
    assert again.variants["half"].network.clients.down == 10e6
    assert list(inputs.read(command.folder / "runs/toy").variants) == ["fast", "slow"]


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(LedgerError):
        inputs.read(tmp_path)
    with Ledger.create(tmp_path / "ledger.sqlite", {"name": "x"}):
        pass
    with pytest.raises(LedgerError, match="has no scenario and methods"):
        inputs.read(tmp_path)
    (tmp_path / "settings.json").touch()
    with pytest.raises(LedgerError, match="is a recording") as error:
        inputs.read(tmp_path)
    assert "folder of a run" in error.value.hint


def content(up_Mbps):
    link = {"down": "10 Mbps", "up": f"{up_Mbps} Mbps"}
    return {"network": {"server": {"down": "1 Gbps", "up": "1 Gbps"}, "clients": link}}


def test_networks_may_be_mappings(scenario, tmp_path):
    """They are what files with the same content are."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(json.dumps(content(1 if name == "a" else 2)))
    files = inputs.read(scenario(), networks=[tmp_path / "a.yaml", tmp_path / "b.yaml"])
    given = inputs.read(scenario(), networks={"a": content(1), "b": content(2)})
    assert given.variants == files.variants
    assert given.document.data == files.document.data


@pytest.mark.parametrize(
    ("networks", "says"),
    [
        ({"a": {"clients": {}}}, r"networks\['a'\]: clients: unknown key"),
        ({"a": {}}, r"networks\['a'\]: network: missing key"),
        ({"a": 5}, r"networks\['a'\]: found 5; allowed: a text as the label"),
        ({7: content(1)}, r"networks\[7\]: found .*allowed: a text as the label"),
        ({"a": {"network": {"server": object()}}}, r"networks\['a'\]: found .*object.*allowed"),
        ({"a": content(1), "b": content("no")}, "network.clients.up"),
    ],
)
def test_a_mapping_that_is_no_network_is_refused_by_its_label(scenario, networks, says):
    with pytest.raises(ScenarioError, match=says):
        inputs.read(scenario(), networks=networks)


def test_of_many_networks_the_network_alone_is_validated(scenario, monkeypatch):
    """A thousand take one second of CPU time: 0.9 ms each."""
    validated = []
    check = study._validated
    monkeypatch.setattr(
        study, "_validated", lambda document, kind: validated.append(1) or check(document, kind)
    )
    found = inputs.read(scenario(), networks={f"n{n}": content(n + 1) for n in range(30)})
    assert len(validated) == 2, "the scenario, and its first network"
    ups = [each.network.clients.up for each in found.variants.values()]
    assert ups == [1e6 * (n + 1) for n in range(30)]
    assert len({id(each.methods) for each in found.variants.values()}) == 1
    # The same variants as one by one.
    alone = inputs.read(scenario(), networks={"n7": content(8)}).variants["n7"]
    assert found.variants["n7"] == alone


def test_a_network_that_does_not_fit_is_an_error_of_its_own_file(scenario, tmp_path):
    folder = tmp_path / "networks"
    folder.mkdir()
    for n in range(3):
        (folder / f"n{n}.yaml").write_text(json.dumps(content(n + 1)))
    bad = folder / "n1.yaml"
    bad.write_text(
        "network:\n  server: {down: 1 Gbps, up: 1 Gbps}\n  clients: {down: no, up: 1 Mbps}\n"
    )
    with pytest.raises(ScenarioError, match=rf"{re.escape(str(bad))}:3: network.clients.down"):
        inputs.read(scenario(), networks=[folder])


def test_many_networks_are_read_again_from_what_is_kept(scenario):
    """The scenario of a run is written by libyaml if it has many labels."""
    found = inputs.read(scenario(), networks={f"n {n} é😀": content(n + 1) for n in range(120)})
    text = document.dump(found.document.data)
    again = study.expand_variants(document.with_overrides(document.parse(text, "x"), ()), "x")
    assert again.document.data == found.document.data
    assert again.variants == found.variants
