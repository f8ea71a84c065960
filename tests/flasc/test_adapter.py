import pytest
import torch

from flasc.adapter import Adapter
from flasc.config import Lora
from flasc.dropout import PlaceDropout
from flasc.errors import ModelError
from flasc.model import sequence_classifier


@pytest.fixture(params=["bert", "gpt2"])
def folder(request):
    return request.getfixturevalue(request.param)


def test_the_vector_and_the_model_are_one(folder):
    adapter = Adapter(sequence_classifier(folder, 4, key=1), Lora(rank=2), "adapter")
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
    adapter = Adapter(sequence_classifier(folder, 4, key=1), Lora(rank=2), "adapter")
    parts = {span.part for span in adapter.spans}
    assert parts == {"lora_A", "lora_B", "head"}
    for span in adapter.spans:
        values = adapter.read()[span.start : span.stop]
        assert (values == 0).all() == (span.part == "lora_B" or span.name.endswith("bias"))


def test_sizes_are_rank_times_in_and_out(bert):
    adapter = Adapter(sequence_classifier(bert, 4, key=1), Lora(rank=2), "adapter")
    # Two layers, query and value, 32 in and 32 out; a head of 4 x 32 + 4.
    assert adapter.n == 2 * 2 * 2 * (32 + 32) + 4 * 32 + 4


def test_head_alone_is_the_head_of_the_same_function(bert):
    whole = sequence_classifier(bert, 4, key=1)
    batch = {"input_ids": torch.arange(12)[None], "attention_mask": torch.ones(1, 12).long()}
    with torch.inference_mode():
        before = whole(**batch).logits
        adapter = Adapter(whole, Lora(rank=2), "head")
        torch.testing.assert_close(adapter.model(**batch).logits, before, rtol=0, atol=0)
    assert adapter.n == 4 * 32 + 4
    assert {span.part for span in adapter.spans} == {"head"}


def test_only_loras_dropout_is_on_while_training(folder):
    adapter = Adapter(sequence_classifier(folder, 4, key=1), Lora(rank=2), "adapter")

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
        Adapter(sequence_classifier(bert, 4, key=1), Lora(targets=["query", "q_proj"]), "adapter")
    assert "query, value" in error.value.hint


def test_a_folder_that_is_no_model_is_refused(tmp_path):
    with pytest.raises(ModelError, match="cannot load"):
        sequence_classifier(tmp_path, 4, key=1)


def test_equal_keys_draw_equal_heads(bert):
    one, again, other = (
        Adapter(sequence_classifier(bert, 4, key), Lora(), "head").read() for key in (1, 1, 2)
    )
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
