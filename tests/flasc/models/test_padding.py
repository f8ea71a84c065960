"""A model pools at the last token of a text, whatever its tokenizer pads with, and however far."""

import json

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    GPT2Config,
    GPT2Model,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from flasc.common.errors import ModelError
from flasc.data.examples import Examples
from flasc.data.tokens import encode
from flasc.models.adapter import Adapter
from flasc.models.pretrained import pretrained
from flasc.models.settings import Lora
from flasc.training import settings
from flasc.training.client import Draw, Job, Reference
from flasc.training.cohort import Cohort

WORDS = ("the", "cat", "sat", "on", "a", "mat", "and", "saw")
PAD, END = len(WORDS), len(WORDS) + 1
LORA = Lora(rank=2, targets=["q_proj", "v_proj"])
TEXTS = [" ".join(np.random.default_rng(i).choice(WORDS, 1 + i % 6)) for i in range(24)]
LABELS = np.arange(len(TEXTS)) % 4


def word_tokenizer(folder, **special):
    """Saves a tokenizer of WORDS: a word is its number; `special` like pad_token='<pad>'."""
    names = [*WORDS, *special.values()]
    inner = Tokenizer(models.WordLevel(dict(zip(names, range(60), strict=False)), WORDS[0]))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=inner, **special).save_pretrained(folder)
    return folder


def save(folder, model):
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        model().save_pretrained(folder)
    return folder


def qwen2(folder, eos=END):
    shape = Qwen2Config(
        vocab_size=60, hidden_size=16, intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=64,
        eos_token_id=eos, pad_token_id=None,
    )  # fmt: skip
    return save(folder, lambda: Qwen2ForCausalLM(shape))


def gpt2(folder):
    shape = GPT2Config(
        vocab_size=60, n_embd=16, n_layer=2, n_head=2, n_positions=64, bos_token_id=END,
        eos_token_id=END,
    )  # fmt: skip
    return save(folder, lambda: GPT2Model(shape))


def padded(folder, length, cache):
    return Examples(encode(TEXTS, folder, length, cache).features, LABELS)


def trained(engine, data):
    """The delta of one client, and the summed loss before."""
    start = engine.adapter.read()
    job = Job(start, np.arange(len(TEXTS)), None, Draw(0, 0, 0))
    return engine.train([job], data)[0].delta, engine.score(start, data, len(TEXTS))[2]


def adapter(folder, lora=LORA):
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return Adapter(pretrained(folder, "text", 4, key=0), lora, "adapter")


def reference(folder, lora=LORA):
    return Reference(adapter(folder, lora), CLIENT)


CLIENT = settings.Client(lr=0.1, batch=8)


@pytest.mark.parametrize("eos", [END, [END, 5]], ids=["one end", "two ends"])
def test_qwen_trains_the_same_whatever_the_padding(eos, tmp_path):
    folder = word_tokenizer(qwen2(tmp_path / "m", eos), pad_token="<pad>", eos_token="</s>")
    short, long = (trained(reference(folder), padded(folder, n, tmp_path)) for n in (6, 14))
    assert torch.allclose(short[0], long[0], atol=1e-6)
    assert short[1] == pytest.approx(long[1], abs=1e-4)
    data, model = padded(folder, 6, tmp_path), reference(folder).adapter.model
    for row in range(6):  # a text of each length, without padding
        batch = data.batch(np.array([row]), torch.device("cpu"))
        bare = {name: batch[name][:, : row + 1] for name in data.features}
        with torch.no_grad():
            assert torch.allclose(model(**batch).logits, model(**bare).logits, atol=1e-6)


def test_packed_batches_pool_as_padded_ones(tmp_path):
    folder = word_tokenizer(gpt2(tmp_path / "m"), pad_token="<pad>", eos_token="</s>")
    judged = trained(reference(folder, Lora(rank=2)), padded(folder, 14, tmp_path))
    for length in (6, 14):
        engine = Cohort(adapter(folder, Lora(rank=2)), CLIENT, "fp32")
        packed = trained(engine, padded(folder, length, tmp_path))
        assert torch.allclose(packed[0], judged[0], atol=1e-5)
        assert packed[1] == pytest.approx(judged[1], abs=1e-3)


@pytest.mark.parametrize("head", ["text", "causal"])
def test_a_list_of_end_tokens_loads(head, tmp_path):
    folder = qwen2(tmp_path / "m", [END, 5])  # without a tokenizer: the first end token pads
    assert pretrained(folder, head, 4, key=0).config.pad_token_id == END
    word_tokenizer(folder, eos_token="</s>")  # as Llama 3.x Instruct: no pad token
    padding = encode(["the"], folder, 4, tmp_path).input_ids[0, -1]
    assert pretrained(folder, head, 4, key=0).config.pad_token_id == padding


def test_the_tokenizer_decides_not_the_config(tmp_path):
    folder = word_tokenizer(qwen2(tmp_path / "m"), pad_token="<pad>", eos_token="</s>")
    config = json.loads((folder / "config.json").read_text("utf-8")) | {"pad_token_id": 3}
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    assert pretrained(folder, "text", 4, key=0).config.pad_token_id == PAD


def test_a_pad_token_that_the_model_lacks_is_told(tmp_path):
    folder = word_tokenizer(qwen2(tmp_path / "m"), pad_token="<pad>", eos_token="</s>")
    file = folder / "tokenizer.json"
    tokens = json.loads(file.read_text("utf-8"))
    for each in tokens["added_tokens"]:
        if each["content"] == "<pad>":
            each["id"] = 60
    tokens["model"]["vocab"]["<pad>"] = 60
    file.write_text(json.dumps(tokens), "utf-8")
    with pytest.raises(ModelError, match="pads with token 60; the model has 60"):
        pretrained(folder, "text", 4, key=0)
