"""Local models and data are found beside the scenario, wherever the command is given."""

from pathlib import Path

import pytest

from emulator.common.errors import ScenarioError
from emulator.scenario.document import load
from emulator.scenario.local_folders import local_path


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A study in a folder of its own, with a model and data beside it; the current folder."""
    for name in ("study/model", "study/dump", "study/org/own", "model-here", "org/here", "deep/er"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def path(text, scenario="study/x.yaml", key="model"):
    return local_path(text, Path(scenario), f"x.yaml:1: task.{key}")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("./model", "./study/model"),
        ("../model-here", "./model-here"),  # as it was written when it was relative to here
        ("./missing", "./study/missing"),
        ("org/own", "./study/org/own"),
        ("org/name", "org/name"),  # on the hub
        ("org/name@main", "org/name@main"),
        ("minilm", "minilm"),
        ("model", "model"),  # a bare word is a name
        ("/abs/model", "/abs/model"),
        ("~/model", "~/model"),
    ],
)
def test_a_model_is_beside_the_scenario(text, found):
    assert path(text) == found


def test_the_name_of_the_scenario_does_not_matter(here, monkeypatch):
    """A recording is found under the settings: they must not depend on how a file is named."""
    absolute = str(here / "study/x.yaml")
    (here / "link").symlink_to(here / "deep/er")
    names = ["study/x.yaml", "study/../study/x.yaml", absolute]
    assert {path("./model", name) for name in names} == {"./study/model"}
    (here / "deep/er/m").mkdir()
    assert path("../er/m", "link/x.yaml") == "./deep/er/m"
    monkeypatch.chdir(here / "study")
    assert path("./model", absolute) == "./model"
    assert path("./model/", "x.yaml") == "./model/"  # as in older recordings
    monkeypatch.chdir(here / "deep")
    assert path("./model", absolute) == "../study/model"


@pytest.mark.parametrize(
    ("text", "written"), [("./model-here", "../model-here"), ("org/here", "../org/here")]
)
def test_a_path_from_the_current_folder_is_told_what_to_write(text, written):
    with pytest.raises(ScenarioError, match="relative to the current folder only") as caught:
        path(text)
    assert caught.value.message.startswith(f"x.yaml:1: task.model: found '{text}', ")
    assert caught.value.hint == f"write {written}"
    assert path(written) == f"./{text.removeprefix('./')}"


def test_data_may_be_a_bare_word(here):
    assert path("dump", key="data") == "./study/dump"
    assert path("webis/tldr-17", key="data") == "webis/tldr-17"
    with pytest.raises(ScenarioError) as caught:
        path("deep", key="data")
    assert caught.value.hint == "write ../deep"


def test_the_keys_of_a_task_are_read_so_and_no_others(here):
    base = "task: {model: ./model}\nmethods: {LoRA: {model: ./model}}\n"
    (here / "study/base.yaml").write_text(base)
    vary = "vary: {m: {a: {task.model: ./er, task.data: ./er}, b: {task: {model: ./er}}}}\n"
    (here / "deep/x.yaml").write_text(f"extends: ../study/base.yaml\n{vary}")
    data = load(Path("deep/x.yaml"), ["task.data=./dump"]).data
    assert data["task"] == {"model": "./study/model", "data": "./dump"}  # --set is from here
    assert data["methods"] == {"LoRA": {"model": "./model"}}
    here_too = {"task.model": "./deep/er", "task.data": "./deep/er"}
    assert data["vary"]["m"] == {"a": here_too, "b": {"task": {"model": "./deep/er"}}}
