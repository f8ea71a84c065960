"""Each model of a run has a card with its recording and its results."""

import json
from pathlib import Path

import pytest

from emulator.runner.model_cards import base_name

FOLDER = Path("runs/toy/models/lora-seed-0")


def test_a_run_writes_a_card_beside_each_model(command, scenario):
    assert command.run_here(scenario())[0] == 0
    texts = {path.parent.name: path.read_text() for path in Path("runs/toy").rglob("README.md")}
    assert set(texts) == {"lora-seed-0", "head-seed-0", "flasc-seed-0"}
    for name, text in texts.items():
        (recording,) = (
            path.parent.name
            for path in Path("runs/recordings").glob("*/settings.json")
            if f"{json.loads(path.read_text())['settings']['method']['kind']}-seed-0" == name
        )
        assert f"| Recording | {recording} |" in text
        state = (Path("runs/toy/models") / name / "state.txt").read_text().split()[0]
        assert f"| State | {state} |" in text
        assert "| Networks | fast, slow |" in text
    row = next(each for each in json.loads(Path("runs/toy/results.json").read_text())
               if (each["method"], each["variant"]) == ("LoRA", "slow"))  # fmt: skip
    assert f"| {row['final_accuracy']:.3f} |" in texts["lora-seed-0"]


def test_another_network_renews_the_card_of_a_model_that_stays(command, scenario):
    assert command.run_here(scenario(), "--method", "LoRA")[0] == 0
    before = (FOLDER / "model.txt").stat().st_mtime_ns
    assert command.run_here(scenario(), "--method", "LoRA", "--set", "vary=null")[0] == 0
    assert (FOLDER / "model.txt").stat().st_mtime_ns == before
    assert "| Networks | as given |" in (FOLDER / "README.md").read_text()


@pytest.mark.parametrize(
    ("named", "model", "base"),
    [
        ("google/vit-base-patch16-224-in21k", "vit", "google/vit-base-patch16-224-in21k"),
        ("/root/.cache/flasc-emu/minilm-b9a0", "minilm", "minilm"),
        ("/data/mine/bert", "./models/bert", "bert"),
        ("/data/mine/bert", "/data/mine/bert", "bert"),
        ("", "owner/name", "owner/name"),
    ],
)
def test_a_base_model_is_no_path_of_this_machine(named, model, base):
    assert base_name(named, model) == base
