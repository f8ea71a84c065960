"""Local models and hub models are told apart by their content, the catalogue's by their names."""

import os
import subprocess
import sys

import pytest

from flasc.models.identity import weights_at_hand, weights_of

FILES = ("model.safetensors", "config.json", "tokenizer.json")


@pytest.fixture
def folder(tmp_path):
    for name in FILES:
        (tmp_path / name).write_text(f'{{"of": "{name}"}}')
    return tmp_path


@pytest.mark.parametrize("name", FILES)
def test_each_file_that_affects_a_training_counts(folder, name):
    before = weights_of(folder)
    assert before.startswith("SHA-256 ")
    (folder / name).write_text('{"of": "other"}')
    changed = weights_of(folder)
    (folder / name).write_text(f'{{"of": "{name}"}}')
    assert weights_of(folder) == before != changed


def test_other_files_and_the_place_do_not_count(folder):
    before = weights_of(folder)
    (folder / "README.md").write_text("hello")
    (folder.parent / "copy").symlink_to(folder)
    assert weights_of(folder.parent / "copy") == before == weights_at_hand(str(folder))


def test_files_that_swap_their_contents_are_others(folder):
    (folder / "a.safetensors").write_text("1")
    (folder / "b.safetensors").write_text("2")
    before = weights_of(folder)
    (folder / "a.safetensors").write_text("2")
    (folder / "b.safetensors").write_text("1")
    assert weights_of(folder) != before


def test_the_catalogue_and_what_is_not_here_have_none(tmp_path):
    assert weights_at_hand("minilm") == ""
    assert weights_at_hand("friends-gpt2") == ""
    assert weights_at_hand(str(tmp_path / "none")) == ""


def test_a_model_of_the_hub_is_its_commit(tmp_path):
    """As far as the hub's cache tells, without network."""
    commit = "a1" * 20
    repo = tmp_path / "models--org--name"
    (repo / "snapshots" / commit).mkdir(parents=True)
    (repo / "snapshots" / commit / "config.json").write_text("{}")
    (repo / "refs").mkdir()
    (repo / "refs/main").write_text(commit)
    code = "import sys; from flasc.models.identity import weights_at_hand as w\n"
    names = ["org/name", "org/name@main", "org/other", "a/b/c", "org/name@v9"]
    code += f"print([w(name) for name in {names}])\nassert 'torch' not in sys.modules"
    env = os.environ | {"HF_HUB_CACHE": str(tmp_path)}
    found = subprocess.check_output([sys.executable, "-c", code], env=env, text=True)
    assert found.strip() == str([f"commit {commit}"] * 2 + ["", "", ""])
