"""Small tokenizers made here, one of BERT's kind and one of GPT-2's; and the real one."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from flasc.assets import catalogue
from flasc.common.errors import AssetError, ModelError
from flasc.data import tokens as text
from flasc.data.tokens import encode

VOCABULARY = {"[PAD]": 0, "[CLS]": 1, "[SEP]": 2, "[UNK]": 3, "a": 4, "b": 5, "c": 6, "</s>": 7}
TEXTS = ["a b", "c", "", "a b c a b c a b c", "zebra a"]


def make(folder, **special):
    inner = Tokenizer(models.WordLevel(VOCABULARY, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    if "cls_token" in special:
        inner.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
        )
    PreTrainedTokenizerFast(tokenizer_object=inner, **special).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return make(
        tmp_path_factory.mktemp("bert"), pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
    )


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory):
    return make(tmp_path_factory.mktemp("gpt2"), eos_token="</s>")


@pytest.fixture
def counted(monkeypatch):
    """How often texts were really tokenised."""
    calls, real = [], text._tokenise
    monkeypatch.setattr(text, "_tokenise", lambda *a: calls.append(a) or real(*a))
    return calls


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(fields(a), fields(b), strict=True))


def fields(tokens):
    return [getattr(tokens, field.name) for field in dataclasses.fields(tokens)]


def test_ids_and_mask(bert, tmp_path):
    tokens = encode(TEXTS, bert, 6, tmp_path)
    assert tokens.input_ids.dtype == np.int32
    assert tokens.attention_mask.dtype == np.bool_
    assert tokens.input_ids.tolist() == [
        [1, 4, 5, 2, 0, 0],
        [1, 6, 2, 0, 0, 0],
        [1, 2, 0, 0, 0, 0],
        [1, 4, 5, 6, 4, 2],
        [1, 3, 4, 2, 0, 0],
    ]
    assert np.array_equal(tokens.attention_mask, tokens.input_ids != 0)


def test_without_a_pad_token_the_end_token_pads(gpt2, tmp_path):
    tokens = encode(["a b", "a b c a"], gpt2, 3, tmp_path)
    assert tokens.input_ids.tolist() == [[4, 5, 7], [4, 5, 6]]
    assert tokens.attention_mask.tolist() == [[True, True, False], [True] * 3]


def test_no_texts(bert, tmp_path):
    assert encode([], bert, 6, tmp_path).input_ids.shape == (0, 6)


def test_the_second_time_comes_from_disk(bert, tmp_path, counted):
    first = encode(TEXTS, bert, 6, tmp_path)
    assert same(encode(TEXTS, bert, 6, tmp_path), first)
    assert len(counted) == 1
    assert not list(tmp_path.rglob("partial-*"))


def test_whatever_matters_is_in_the_key(bert, gpt2, tmp_path, counted):
    for arguments in (
        (["a b", "c"], bert, 6),
        (["a b", "c"], bert, 7),
        (["a", "b c"], bert, 6),
        (["c", "a b"], bert, 6),
        (["a ", "bc"], bert, 6),
        (["a b", "c"], gpt2, 6),
    ):
        encode(*arguments, tmp_path)
    assert len(counted) == 6


def test_a_changed_tokenizer_is_another_one(tmp_path, counted):
    folder = make(tmp_path / "model", eos_token="</s>")
    encode(TEXTS, folder, 6, tmp_path)
    file = folder / "tokenizer.json"
    file.write_text(file.read_text().replace('"b": 5', '"b": 6').replace('"c": 6', '"c": 5'))
    assert encode(["b"], folder, 1, tmp_path).input_ids.tolist() == [[6]]
    encode(TEXTS, folder, 6, tmp_path)
    assert len(counted) == 3


@pytest.mark.parametrize("damage", ["empty", "cut", "garbage", "flipped", "foreign"])
def test_a_damaged_file_is_made_anew(bert, tmp_path, counted, damage):
    whole = encode(TEXTS, bert, 6, tmp_path)
    (path,) = tmp_path.rglob("*.safetensors")
    content = path.read_bytes()
    encode(TEXTS[:2], bert, 6, tmp_path)
    (other,) = set(tmp_path.rglob("*.safetensors")) - {path}
    path.write_bytes(
        {
            "empty": b"",
            "cut": content[:-5],
            "garbage": b"\x00" * 100,
            "flipped": content[:-1] + bytes([content[-1] ^ 1]),
            "foreign": other.read_bytes(),
        }[damage]
    )
    assert same(encode(TEXTS, bert, 6, tmp_path), whole)
    assert len(counted) == 3
    assert path.read_bytes() == content


@pytest.mark.parametrize("length", [-1, 0, 2])
def test_a_length_with_no_room_for_text(bert, tmp_path, length):
    with pytest.raises(ModelError, match="allows 3 to"):
        encode(TEXTS, bert, length, tmp_path)


def test_folders_without_a_usable_tokenizer(tmp_path):
    (tmp_path / "none").mkdir()
    with pytest.raises(ModelError, match="found no tokenizer"):
        encode(TEXTS, tmp_path / "none", 6, tmp_path)
    with pytest.raises(ModelError, match="neither a pad nor an end token"):
        encode(TEXTS, make(tmp_path / "plain"), 6, tmp_path)


def test_a_cache_that_cannot_be_written(bert, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(AssetError, match="cannot keep tokens") as caught:
        encode(TEXTS, bert, 6, tmp_path / "file")
    assert "FLASC_EMU_CACHE" in caught.value.hint


@pytest.mark.real
def test_the_real_tokenizer(tmp_path):
    """'hello world' is 7592 2088 in BERT's uncased vocabulary, [CLS] 101 and [SEP] 102."""
    folder = catalogue.locate("minilm")
    tokens = encode(["Hello world", "hello " * 600], folder, 8, tmp_path)
    assert tokens.input_ids.tolist() == [
        [101, 7592, 2088, 102, 0, 0, 0, 0],
        [101, *[7592] * 6, 102],
    ]
    with pytest.raises(ModelError, match="has 512 positions"):
        encode(["a"], folder, 513, tmp_path)


@pytest.mark.parametrize(
    ("config", "allowed"),
    [
        ({"max_position_embeddings": 5}, False),
        ({"n_positions": 5}, False),
        ({"max_position_embeddings": 6}, True),
        ({"max_position_embeddings": 5, "rope_theta": 1e4}, True),
        ({"max_position_embeddings": -1}, True),
    ],
)
def test_a_length_beyond_the_positions_of_the_model_is_refused(bert, tmp_path, config, allowed):
    folder = shutil.copytree(bert, tmp_path / "m")
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", **config}))
    if allowed:
        assert encode(TEXTS, folder, 6, tmp_path).input_ids.shape[1] == 6
        return
    with pytest.raises(ModelError, match=r"length of 6 tokens; .* has 5 positions"):
        encode(TEXTS, folder, 6, tmp_path)


def test_a_folder_without_a_tokenizer_does_not_get_an_empty_one(tmp_path):
    """transformers makes one from config.json, by which every text is the same token."""
    (tmp_path / "config.json").write_text('{"model_type": "qwen2"}')
    with pytest.raises(ModelError, match="found no tokenizer"):
        encode(TEXTS, tmp_path, 6, tmp_path)
