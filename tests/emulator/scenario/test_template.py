"""Scenarios that `new` writes are valid for the emulator and for the JSON Schema."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from emulator.cli import main, new
from emulator.runner import inputs
from emulator.scenario import study
from emulator.scenario.template import METHODS, name_for, whole
from emulator.scenario.yaml_nodes import Node, parse_yaml
from emulator.simulation.clients.presets import PRESETS
from flasc.training import settings

SCENARIOS = Path(__file__).parents[3] / "scenarios"
NETWORKS = sorted((SCENARIOS / "networks").glob("*.yaml"))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def invoke(*args, **options):
    result = CliRunner().invoke(main, list(map(str, args)), **options)
    assert result.exception is None or isinstance(result.exception, SystemExit), result
    return result


def accepted(file):
    """The study of a file that the JSON Schema of its first line accepts too."""
    text = Path(file).read_text("utf-8")
    first = text.splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    schema = json.loads((Path(file).parent / first.partition("=")[2]).read_text("utf-8"))

    def plain(node: Node):
        if isinstance(node.value, dict):
            return {key: plain(inside) for key, inside in node.value.items()}
        return [*map(plain, node.value)] if isinstance(node.value, list) else node.value

    Draft202012Validator(schema).validate(plain(parse_yaml(text, file)))
    assert invoke("check", file).exit_code == 0
    return inputs.read(Path(file))


def test_without_a_word_it_is_a_whole_scenario(folder):
    out = invoke("new").output
    assert out.endswith("next: flasc-emu check scenario.yaml, then flasc-emu run scenario.yaml\n")
    found = accepted("scenario.yaml")
    assert found.scenario.name == "scenario"
    assert {p.name for p in folder.iterdir()} == {"scenario.yaml", "flasc-emu.schema.json"}


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_will_do(preset):
    invoke("new", "sub/my own.yaml", "--preset", preset)
    found = accepted("sub/my own.yaml").scenario
    assert found.name == "my-own"
    assert found.network.clients.preset == preset


def test_what_is_commented_out_would_do_as_well(folder):
    text = whole("x").replace("# vary:", "vary:").replace("#   ", "  ")
    (folder / "x.yaml").write_text(text)
    assert list(inputs.read(folder / "x.yaml").variants) == ["data centre", "home"]


@pytest.mark.parametrize("file", NETWORKS, ids=lambda file: file.stem)
def test_every_ready_network_stands_in_it_with_its_sources(file):
    invoke("new", "mine.yaml", "--network", file)
    found = accepted("mine.yaml")
    (variant,) = inputs.read(Path("mine.yaml"), networks=[file]).variants.values()
    assert found.scenario.network == variant.network
    assert file.read_text("utf-8").strip() in Path("mine.yaml").read_text("utf-8")


@pytest.mark.parametrize(
    "text",
    [
        "extends: base.yaml\nnetwork: {server: {down: 1 Gbps}}\n",
        "network:\n  clients: {down: {kind: trace, file: drive.csv}}\n",
        "{network: {server: {down: 1 Gbps, up: 1 Gbps}}}\n",
    ],
)
def test_a_network_that_leans_on_other_files_is_not_torn_from_them(folder, text):
    (folder / "base.yaml").write_text("network: {server: {up: 1 Gbps}}\n")
    (folder / "n.yaml").write_text(text)
    result = invoke("new", "mine.yaml", "--network", "n.yaml")
    assert result.exit_code == 2
    assert "hint: name it in the scenario instead: extends: n.yaml" in result.output
    assert not Path("mine.yaml").exists()


def test_what_figure_3_trained_serves_a_new_scenario():
    invoke("new", "mine.yaml", "--preset", "4g")
    figure = inputs.read(SCENARIOS / "paper/figure3.yaml").trainings()
    for training in inputs.read(Path("mine.yaml")).trainings():
        assert training.settings in [t.settings for t in figure if t.method == training.method]


def test_it_builds_on_another_from_wherever_it_is(folder):
    invoke("new", "a/base.yaml")
    text = Path("a/base.yaml").read_text().replace("  LoRA:", '  "LoRA: all of it":')
    Path("a/base.yaml").write_text(text + "vary:\n  v:\n    w: {training.rounds: 3}\n")
    invoke("new", "b/mine.yaml", "--from", "a/base.yaml")
    found = accepted("b/mine.yaml")
    assert found.scenario.name == "mine"
    assert len(found.methods) == 3
    own = (
        Path("b/mine.yaml").read_text().replace("# methods:", "methods:").replace("# vary", "vary")
    )
    Path("b/mine.yaml").write_text(own.replace('#   "LoRA', '  "LoRA').replace("#   v:", "  v:"))
    dropped = inputs.read(Path("b/mine.yaml"))
    assert len(dropped.methods) == 2
    assert list(dropped.variants) == [study.UNVARIED]


def test_on_a_terminal_it_asks(monkeypatch):
    monkeypatch.setattr(new, "_on_a_terminal", lambda: True)
    invoke("new", "x.yaml", input="6g\nleo\n20\n40\nn\ny\ny\nn\nn\n")
    found = accepted("x.yaml").scenario
    assert found.network.clients.preset == "leo"
    assert (found.task.clients, found.training.cohort) == (20, 10)
    assert found.training.target.accuracy == 0.4
    assert [m.kind for m in found.methods.values()] == ["head", "flasc"]


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["there.yaml"], "there.yaml: exists already"),
        (["x.yaml", "--preset", "fiber"], "--preset fiber: unknown; did you mean 'fibre'?"),
        (["x.yaml", "--from", "nowhere.yaml"], "nowhere.yaml: no such file"),
        (["x.yaml", "--from", "there.yaml", "--preset", "4g"], "allowed: one of them"),
        (["x.yaml", "--network", "nowhere.yaml"], "nowhere.yaml: no such file"),
        (["x.yaml", "--network", "there.yaml"], "there.yaml: found an empty file"),
        (["there.yaml/x.yaml"], "cannot be written"),
    ],
)
def test_mistakes_are_one_message_and_nothing_is_written(folder, args, says):
    (folder / "there.yaml").touch()
    result = invoke("new", *args)
    assert result.exit_code == 2
    assert says in result.output
    assert [p.name for p in folder.iterdir()] == ["there.yaml"]


def test_the_lines_of_methods_are_of_kinds_that_exist():
    kinds = {
        m.model_fields["kind"].annotation.__args__[0] for m in settings.Method.__args__[0].__args__
    }
    assert METHODS.keys() <= kinds


@pytest.mark.parametrize(
    ("file", "name"), [("my file.yaml", "my-file"), ("_.yaml", "scenario"), ("äb.yaml", "b")]
)
def test_names_are_names(file, name):
    assert name_for(Path(file)) == name
