"""What is wrong with a model folder, without its weights; and that training would find the same."""

import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import save_file

from flasc.common.errors import ModelError
from flasc.models.adapter import Adapter
from flasc.models.folder import problem
from flasc.models.pretrained import pretrained
from flasc.models.settings import Lora


@pytest.fixture
def folder(bert, tmp_path):
    (shutil.copytree(bert, tmp_path / "model") / "tokenizer.json").touch()
    return tmp_path / "model"


def found(folder, lora=None, head="text", scope="adapter"):
    return problem(folder, head, lora or Lora(), scope)


def change(folder, **keys):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | keys), "utf-8")


def test_a_whole_folder_has_no_problem(folder):
    assert found(folder) is None
    assert found(folder, Lora(targets=["query", "encoder.layer.0.output.dense"])) is None
    assert found(folder, Lora(upper_layers=2)) is None


def test_so_does_one_in_several_files(folder):
    from safetensors.numpy import load_file

    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    where = {}
    for number, names in enumerate(np.array_split(sorted(weights), 2)):
        file = f"model-0000{number + 1}-of-00002.safetensors"
        save_file({name: weights[name] for name in names}, folder / file, {"format": "pt"})
        where |= dict.fromkeys(map(str, names), file)
    index = {"metadata": {}, "weight_map": where}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")
    assert found(folder) is None
    assert pretrained(folder, "text", 4, key=0)
    (folder / "model-00002-of-00002.safetensors").unlink()
    assert "it has no model-00002-of-00002.safetensors" in found(folder).found


def edit(name, content):
    return lambda folder: (folder / name).write_bytes(content)


def remove(name):
    return lambda folder: (folder / name).unlink()


def cut(folder):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])


def pickled(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (edit("config.json", b"{"), "config.json cannot be read"),
        (edit("config.json", b"[]"), "config.json is not a JSON object"),
        (remove("model.safetensors"), "it has no model.safetensors"),
        (pickled, "found pytorch_model.bin; pickled weights are never loaded"),
        (cut, "model.safetensors is damaged (found "),
        (edit("model.safetensors", b"\xff" * 20), "model.safetensors is damaged"),
        (edit("model.safetensors", b"\2\0\0\0\0\0\0\0[]"), "model.safetensors is damaged"),
        (edit("model.safetensors", b""), "model.safetensors is damaged"),
    ],
)
def test_damage_is_named_and_does_not_load(folder, damage, said):
    damage(folder)
    assert found(folder).key == "task.model"
    assert said in found(folder).found
    with pytest.raises(ModelError):
        pretrained(folder, "text", 4, key=0)


def test_texts_need_a_tokenizer_and_pictures_do_not(folder):
    (folder / "tokenizer.json").unlink()
    assert "it has no tokenizer" in found(folder).found
    assert "it has no tokenizer" in found(folder, head="causal").found
    assert found(folder, head="image") is None


def test_targets_that_match_nothing(folder):
    lora = Lora(targets=["query", "q_proj"])
    assert found(folder, lora).key == "training.lora.targets"
    assert "'q_proj', which is no module of the bert model" in found(folder, lora).found
    assert found(folder, lora).allowed.endswith("dense, key, query, value")
    assert found(folder, lora, scope="all") is None  # full fine-tuning has no LoRA
    with pytest.raises(ModelError, match="'q_proj' matches no module"):
        Adapter(pretrained(folder, "text", 4, key=0), lora, "adapter")


def test_targets_that_the_weights_name_otherwise(tmp_path):
    """transformers renames modules of a ViT while loading: `query` in files of before is q_proj."""
    from transformers import ViTConfig, ViTModel

    shape = ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        image_size=28, patch_size=7,
    )  # fmt: skip
    ViTModel(shape).save_pretrained(tmp_path / "vit")
    assert found(tmp_path / "vit", Lora(targets=["q_proj"]), "image") is None
    assert found(tmp_path / "vit", Lora(targets=["nowhere"]), "image") is not None


def test_an_architecture_without_known_targets(folder):
    change(folder, model_type="mamba")
    assert "a model of type mamba" in found(folder).found
    assert "dense, key, query, value" in found(folder).allowed
    assert found(folder, Lora(targets=["query"])) is None


def test_an_architecture_that_peft_knows(folder):
    change(folder, model_type="layoutlm")
    assert found(folder) is None


def test_an_encoder_with_a_decoder(folder):
    change(folder, model_type="t5", is_encoder_decoder=True)
    for head in ("text", "causal"):
        assert "a model of type t5, an encoder with a decoder" in found(folder, head=head).found
        assert found(folder, head=head).allowed.startswith("an encoder alone")


def test_more_upper_layers_than_there_are(folder):
    lora = Lora(upper_layers=3)
    assert found(folder, lora).key == "training.lora.upper_layers"
    assert found(folder, lora).allowed == "at most 2"
    with pytest.raises(ModelError, match="this model has 2 layers"):
        Adapter(pretrained(folder, "text", 4, key=0), lora, "adapter")
