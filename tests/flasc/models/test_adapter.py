import pytest
import torch

from flasc.common.errors import ModelError
from flasc.models.adapter import Adapter
from flasc.models.dropout import PlaceDropout
from flasc.models.pretrained import pretrained
from flasc.models.settings import Lora


@pytest.fixture(params=["bert", "gpt2"])
def folder(request):
    return request.getfixturevalue(request.param)


def test_the_vector_and_the_model_are_one(folder):
    adapter = Adapter(pretrained(folder, "text", 4, key=1), Lora(rank=2), "adapter")
    vector = torch.randn(adapter.n)
    adapter.write(vector)
    assert torch.equal(adapter.read(), vector)
    state = adapter.model.state_dict()
    for span in adapter.spans:
        assert torch.equal(state[span.name].flatten(), vector[span.start : span.stop])
    assert [s.start for s in adapter.spans[1:]] == [s.stop for s in adapter.spans[:-1]]
    vector.zero_()
    assert adapter.read().abs().sum() > 0  # a copy went in


def test_spans_say_what_they_are(folder):
    adapter = Adapter(pretrained(folder, "text", 4, key=1), Lora(rank=2), "adapter")
    parts = {span.part for span in adapter.spans}
    assert parts == {"lora_A", "lora_B", "head"}
    for span in adapter.spans:
        values = adapter.read()[span.start : span.stop]
        assert (values == 0).all() == (span.part == "lora_B" or span.name.endswith("bias"))


def test_sizes_are_rank_times_in_and_out(bert):
    adapter = Adapter(pretrained(bert, "text", 4, key=1), Lora(rank=2), "adapter")
    # Two layers, query and value, 32 in and 32 out; a head of 4 x 32 + 4.
    assert adapter.n == 2 * 2 * 2 * (32 + 32) + 4 * 32 + 4


def test_head_alone_is_the_head_of_the_same_function(bert):
    whole = pretrained(bert, "text", 4, key=1)
    batch = {"input_ids": torch.arange(12)[None], "attention_mask": torch.ones(1, 12).long()}
    with torch.inference_mode():
        before = whole(**batch).logits
        adapter = Adapter(whole, Lora(rank=2), "head")
        torch.testing.assert_close(adapter.model(**batch).logits, before, rtol=0, atol=0)
    assert adapter.n == 4 * 32 + 4
    assert {span.part for span in adapter.spans} == {"head"}


def test_only_loras_dropout_is_on_while_training(folder):
    adapter = Adapter(pretrained(folder, "text", 4, key=1), Lora(rank=2), "adapter")

    kinds = (torch.nn.Dropout, PlaceDropout)

    def dropouts(training):
        return {name for name, m in adapter.model.named_modules()
                if isinstance(m, kinds) and m.training is training}  # fmt: skip

    with adapter.training(base_dropout=False):
        assert dropouts(True)
        assert all("lora_dropout" in name for name in dropouts(True))
    assert not dropouts(True)
    with adapter.training(base_dropout=True):
        assert not dropouts(False)


def test_targets_that_match_nothing_are_refused(bert):
    with pytest.raises(ModelError, match="'q_proj' matches no module of this bert model") as error:
        Adapter(pretrained(bert, "text", 4, key=1), Lora(targets=["query", "q_proj"]), "adapter")
    assert "query, value" in error.value.hint


def test_a_folder_that_is_no_model_is_refused(tmp_path):
    with pytest.raises(ModelError, match="cannot load"):
        pretrained(tmp_path, "text", 4, key=1)


def test_equal_keys_draw_equal_heads(bert):
    one, again, other = (
        Adapter(pretrained(bert, "text", 4, key), Lora(), "head").read() for key in (1, 1, 2)
    )
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_lora_goes_on_the_upper_layers_only(folder):
    lora = Lora(rank=2, upper_layers=1)
    adapter = Adapter(pretrained(folder, "text", 4, key=1), lora, "adapter")
    names = [span.name for span in adapter.spans if span.part != "head"]
    assert names
    assert all(".1." in name and ".0." not in name for name in names)
    whole = Adapter(pretrained(folder, "text", 4, key=1), Lora(rank=2), "adapter")
    head = sum(s.stop - s.start for s in adapter.spans if s.part == "head")
    assert 2 * (adapter.n - head) == whole.n - head


def test_more_upper_layers_than_there_are(folder):
    with pytest.raises(ModelError, match="upper_layers 3; this model has 2 layers"):
        Adapter(pretrained(folder, "text", 4, key=1), Lora(upper_layers=3), "adapter")


def test_a_target_that_is_one_module_needs_no_layers(bert):
    target = "bert.encoder.layer.0.attention.self.query"
    with pytest.raises(ModelError, match="one layer's module"):
        Adapter(
            pretrained(bert, "text", 4, key=1), Lora(upper_layers=1, targets=[target]), "adapter"
        )


def test_settings_without_upper_layers_have_the_digest_they_had():
    assert Lora().model_dump(mode="json") == {
        "rank": 16, "alpha": 16.0, "dropout": 0.1, "targets": None,
    }  # fmt: skip
    assert Lora(upper_layers=2).model_dump(mode="json")["upper_layers"] == 2
    assert Lora.model_validate(Lora(upper_layers=2).model_dump()) == Lora(upper_layers=2)


def meta(config, kind):
    """A model of the paper's size, without memory for its weights."""
    with torch.device("meta"):
        return kind(config)


@pytest.mark.parametrize(("labels", "n"), [(10, 597_514), (17, 602_897)])
def test_a_vits_targets_are_the_papers(labels, n):
    """PAPER: query and value of all 12 layers and the classifier, at rank 16."""
    from transformers import ViTConfig, ViTForImageClassification

    base = meta(ViTConfig(num_labels=labels), ViTForImageClassification)
    assert Adapter(base, Lora(), "adapter").n == n


def test_a_language_models_targets_are_the_papers():
    """PAPER: c_attn, both c_proj and c_fc of all 12 layers, no head."""
    from transformers import GPT2Config, GPT2ForSequenceClassification, GPT2LMHeadModel

    assert Adapter(meta(GPT2Config(), GPT2LMHeadModel), Lora(), "adapter").n == 2_359_296
    base = meta(GPT2Config(num_labels=20), GPT2ForSequenceClassification)
    assert Adapter(base, Lora(), "adapter").n == 2_374_656


def test_vit_targets_of_old_names_are_refused():
    from transformers import ViTConfig, ViTForImageClassification

    base = meta(ViTConfig(num_hidden_layers=1), ViTForImageClassification)
    with pytest.raises(ModelError, match="'query' matches no module") as caught:
        Adapter(base, Lora(targets=["query", "value"]), "adapter")
    assert "q_proj" in caught.value.hint
