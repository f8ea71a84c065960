"""What `new` writes is a scenario, by our reader and by the schema beside it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from emulator import study
from emulator.authoring import METHODS, name_for, whole
from emulator.cli import author, main
from emulator.nodes import Composer, Node
from emulator.presets import PRESETS
from flasc import config


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def invoke(*args, **options):
    result = CliRunner().invoke(main, list(map(str, args)), **options)
    assert result.exception is None or isinstance(result.exception, SystemExit), result
    return result


def accepted(file):
    """The study, which the schema that the first line names takes as well."""
    text = Path(file).read_text("utf-8")
    first = text.splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    schema = json.loads((Path(file).parent / first.partition("=")[2]).read_text("utf-8"))

    def plain(node: Node):
        if isinstance(node.value, dict):
            return {key: plain(inside) for key, inside in node.value.items()}
        return [*map(plain, node.value)] if isinstance(node.value, list) else node.value

    Draft202012Validator(schema).validate(plain(Composer(text, file).document))
    assert invoke("check", file).exit_code == 0
    return study.read(Path(file))


def test_without_a_word_it_is_a_whole_scenario(folder):
    out = invoke("new").output
    assert out.endswith("next: flasc-emu check scenario.yaml\n")
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
    assert list(study.read(folder / "x.yaml").variants) == ["near", "far"]


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
    dropped = study.read(Path("b/mine.yaml"))
    assert len(dropped.methods) == 2
    assert list(dropped.variants) == [study.UNVARIED]


def test_on_a_terminal_it_asks(monkeypatch):
    monkeypatch.setattr(author, "_on_a_terminal", lambda: True)
    invoke("new", "x.yaml", input="6g\nleo\n20\n40\nn\ny\ny\nn\nn\n")
    found = accepted("x.yaml").scenario
    assert found.network.clients.preset == "leo"
    assert (found.task.clients, found.training.cohort) == (20, 10)
    assert found.training.target.accuracy == 0.4
    assert [m.kind for m in found.methods.values()] == ["head", "flasc"]


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["there.yaml"], "there.yaml: is there already"),
        (["x.yaml", "--preset", "fiber"], "--preset fiber: unknown; did you mean 'fibre'?"),
        (["x.yaml", "--from", "nowhere.yaml"], "nowhere.yaml: no such file"),
        (["x.yaml", "--from", "there.yaml", "--preset", "4g"], "allowed: either"),
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
        m.model_fields["kind"].annotation.__args__[0] for m in config.Method.__args__[0].__args__
    }
    assert METHODS.keys() <= kinds


@pytest.mark.parametrize(
    ("file", "name"), [("my file.yaml", "my-file"), ("_.yaml", "scenario"), ("äb.yaml", "b")]
)
def test_names_are_names(file, name):
    assert name_for(Path(file)) == name
