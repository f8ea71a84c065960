"""A model's folder may be anyone's: what is no safetensors is refused, and nothing in it is run."""

import json
import pickle
import shutil

import pytest
import torch

from flasc.common.errors import ModelError
from flasc.models.pretrained import pretrained


class Trap:
    def __reduce__(self):
        return exec, ("raise SystemExit('a pickle was opened')",)


@pytest.fixture
def folder(bert, tmp_path):
    return shutil.copytree(bert, tmp_path / "model")


def load(folder):
    return pretrained(folder, "text", 4, key=0)


def test_a_pickle_is_not_opened(folder):
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Trap()))
    assert load(folder)  # there are safetensors beside it
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"cannot load"):
        load(folder)


def test_code_beside_a_model_is_not_run(folder):
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config["auto_map"] = {"AutoModelForSequenceClassification": "evil.Evil"}
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    (folder / "evil.py").write_text("raise SystemExit('it was run')", "utf-8")
    assert load(folder)


@pytest.mark.parametrize("damage", [lambda raw: raw[:-1], lambda raw: b"\xff" * 8 + raw[8:]])
def test_broken_weights_are_one_clear_error(folder, damage):
    weights = folder / "model.safetensors"
    weights.write_bytes(damage(weights.read_bytes()))
    with pytest.raises(ModelError, match="cannot load"):
        load(folder)


@pytest.mark.parametrize("change", [{"num_attention_heads": 7}, {"hidden_size": "32"}])
def test_a_config_that_fits_nothing_is_one_too(folder, change):
    config = json.loads((folder / "config.json").read_text("utf-8")) | change
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    with pytest.raises(ModelError, match="cannot load"):
        load(folder)


@pytest.fixture
def classifier(folder, tmp_path):
    """The small BERT with a classifier of two labels of its own."""
    pretrained(folder, "text", 2, key=1).save_pretrained(tmp_path / "two")
    return tmp_path / "two"


def test_a_classifier_of_other_labels_gets_a_fresh_head(classifier):
    first, again = (load(classifier).classifier.weight for _ in range(2))
    assert first.shape[0] == 4
    assert torch.equal(first, again)
    assert not torch.equal(first, pretrained(classifier, "text", 4, key=1).classifier.weight)
    assert load(classifier).config.num_labels == 4


def test_a_classifier_of_as_many_labels_keeps_its_head(classifier):
    kept, drawn = (pretrained(classifier, "text", 2, key).classifier.weight for key in (0, 1))
    assert torch.equal(kept, drawn)


def test_other_weights_that_do_not_fit_are_still_an_error(folder):
    config = json.loads((folder / "config.json").read_text("utf-8")) | {"intermediate_size": 64}
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    with pytest.raises(ModelError, match=r"intermediate\.dense.* has size \[48.* and \[64"):
        load(folder)


def test_weights_that_are_missing_are_not_drawn_at_random(folder):
    config = json.loads((folder / "config.json").read_text("utf-8")) | {"num_hidden_layers": 3}
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    with pytest.raises(ModelError, match=r"its weights lack bert\.encoder\.layer\.2\."):
        load(folder)
