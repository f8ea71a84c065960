"""Decoders in the cohort engine against the reference: classifiers and language models."""

import numpy as np
import pytest
import torch
import transformers
from torch.nn import functional as F

from flasc.data.examples import Examples
from flasc.data.objective import IGNORED, LANGUAGE, NextToken, SingleLabel
from flasc.models.adapter import Adapter
from flasc.models.settings import Lora
from flasc.training import client, settings
from flasc.training.client import Draw, Job
from flasc.training.cohort import Cohort, forward as lean, supported, token_loss
from flasc.training.cohort.norms import RmsNorm
from flasc.training.cohort.pack import pack
from flasc.training.cohort.rotary import Rotary, rotated

CLASSES, VOCABULARY, LENGTH, N, PAD = 4, 60, 12, 50, 59
SETTINGS = settings.Client(lr=0.05, batch=8)
SHAPE = {
    "vocab_size": VOCABULARY, "hidden_size": 32, "num_hidden_layers": 3, "intermediate_size": 48,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64,
    "num_labels": CLASSES, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": PAD,
}  # fmt: skip
GPT2 = {
    "vocab_size": VOCABULARY, "n_embd": 32, "n_head": 4, "n_layer": 3, "n_positions": LENGTH,
    "num_labels": CLASSES, "bos_token_id": PAD, "eos_token_id": PAD, "pad_token_id": PAD,
}  # fmt: skip
EVERYWHERE = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
SPLIT, WHOLE = ["q_proj", "v_proj"], ["qkv_proj", "o_proj", "gate_up_proj", "down_proj"]
ROPE = {"rope_theta": 100.0, "original_max_position_embeddings": 8}  # shorter than the texts
# Name: architecture, settings of its config, and LoRA targets.
KINDS = {
    "llama": ("Llama", {}, EVERYWHERE),
    "llama tied": ("Llama", {"tie_word_embeddings": True, "attention_bias": True}, SPLIT),
    "llama 3": ("Llama", {"rope_parameters": {
        "rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        **ROPE,
    }}, SPLIT),
    "llama dynamic": ("Llama", {
        "rope_parameters": {"rope_type": "dynamic", "factor": 4.0, **ROPE},
        "max_position_embeddings": 8,
    }, SPLIT),
    "qwen2": ("Qwen2", {}, EVERYWHERE),
    "qwen3": ("Qwen3", {"head_dim": 16}, EVERYWHERE),
    "gemma": ("Gemma", {"head_dim": 16, "num_key_value_heads": 1}, EVERYWHERE),
    "mistral": ("Mistral", {"sliding_window": LENGTH}, SPLIT),
    "phi3": ("Phi3", {"rope_parameters": {
        "rope_type": "longrope", "partial_rotary_factor": 0.5, "short_factor": [1.0, 1.0],
        "long_factor": [2.0, 3.0], "factor": 8.0, **ROPE,
    }, "original_max_position_embeddings": 8}, WHOLE),
    "smollm3": ("SmolLM3", {"no_rope_layer_interval": 2}, EVERYWHERE),
    "gpt2": ("GPT2", {}, None),
}  # fmt: skip
HEADS = ["classifier", "language model"]
# The variants of Llama differ below the head only.
CASES = [
    (kind, head) for kind in KINDS for head in HEADS if kind[:6] != "llama " or head != HEADS[0]
]


def build(kind, head, dropout=0.1, upper=None, scope="adapter", targets=None, **keys):
    name, own, usual = KINDS[kind]
    causal = "LMHeadModel" if name == "GPT2" else "ForCausalLM"
    end = "ForSequenceClassification" if head == "classifier" else causal
    shape = GPT2 if name == "GPT2" else SHAPE
    config = getattr(transformers, f"{name}Config")(**{**shape, **own, **keys})
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        base = getattr(transformers, f"{name}{end}")(config).eval()
        for parameter in base.parameters():  # biases and norms away from zero and one
            parameter.data += 0.05 * torch.randn_like(parameter)
        base.get_input_embeddings().weight.data *= 8  # norms of small numbers amplify rounding
        lora = Lora(rank=4, dropout=dropout, targets=targets or usual, upper_layers=upper)
        return Adapter(base, lora, scope)


def examples(head, seed=0):
    """Texts of 2 to 12 tokens; a language model's have a prompt without labels."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(2, LENGTH + 1, N)
    lengths[0] = LENGTH
    mask = np.arange(LENGTH) < lengths[:, None]
    ids = np.where(mask, rng.integers(3, VOCABULARY - 1, (N, LENGTH)), PAD)
    prompt = np.arange(LENGTH) < rng.integers(0, lengths)[:, None]
    labels = np.where(mask & ~prompt, ids, IGNORED)
    classes = rng.integers(0, CLASSES, N)
    wanted = classes if head == "classifier" else labels
    return Examples({"input_ids": ids, "attention_mask": mask}, wanted)


def jobs(adapter, seed=3):
    rng = np.random.default_rng(seed)

    def vector(scale):
        return torch.from_numpy(rng.standard_normal(adapter.n, np.float32)) * scale

    held = np.split(rng.permutation(N), [5, 22, 22, 28])[:4]
    start = adapter.read() + vector(0.1)
    masks = [None, vector(1) > 0, None, None]
    return [
        Job(start + vector(0.05 * (i > 0)), mine, masks[i], Draw(0, 2, i))
        for i, mine in enumerate(held)
    ]


def furthest(found, judged):
    """Largest relative difference of a client's delta."""
    return max(
        float((a.delta - b.delta).norm() / b.delta.norm().clamp(min=1e-12))
        for a, b in zip(found, judged, strict=True)
    )


def objective(head):
    return SingleLabel() if head == "classifier" else NextToken()


def engines(adapter, head, precision="fp32", group=None):
    aim = objective(head)
    assert supported(adapter, SETTINGS, aim, LENGTH)
    reference = client.Reference(adapter, SETTINGS, aim)
    return reference, Cohort(adapter, SETTINGS, precision, group, aim)


@pytest.mark.parametrize(("kind", "head"), CASES)
class TestAgainstTheReference:
    def test_deltas_and_scores_are_equal_with_dropout_on(self, kind, head):
        adapter, data = build(kind, head), examples(head)
        work = jobs(adapter)
        reference, one = engines(adapter, head)
        judged = reference.train(work, data)
        for engine in (one, engines(adapter, head, group=len(work))[1]):
            found = engine.train(work, data)
            assert furthest(found, judged) < 1e-5
            assert [one.steps for one in found] == [one.steps for one in judged]
        right, of, loss = reference.score(work[0].start, data, 40)
        assert one.score(work[0].start, data, 40) == (right, of, pytest.approx(loss, rel=1e-6))

    def test_a_frozen_a_and_lower_layers_without_lora_change_nothing(self, kind, head):
        adapter, data = build(kind, head, upper=1, scope="adapter_b"), examples(head)
        work = jobs(adapter)
        reference, engine = engines(adapter, head)
        judged = reference.train(work, data)
        assert engine._lower == 2
        for _ in range(2):  # then with the lower layers cached
            assert furthest(engine.train(work, data), judged) < 1e-5
        right, of, loss = reference.score(work[0].start, data, 40)
        for _ in range(2):
            found = engine.score(work[0].start, data, 40)
            assert found == (right, of, pytest.approx(loss, rel=1e-6))

    def test_neither_pruning_the_last_block_nor_padding_changes_anything(self, kind, head):
        adapter, data = build(kind, head), examples(head)
        engine = engines(adapter, head)[1]
        leaves = engine._leaves(jobs(adapter)[0].start.unsqueeze(0))
        batch = engine._pack(data, [np.arange(20)])
        assert len(batch.blocks) > 1
        drop = lean.Dropper(Draw(0, 0, 0).rows(0, 20), batch.length)
        passes = (
            lean.Pass(engine._model, batch, leaves, drop, prune, padded)
            for padded in (True, False)
            for prune in (False, True)
        )
        whole, *others = (one.features(one.embedded()) for one in passes)
        assert len(whole) == len(batch.labels)
        for other in others:
            torch.testing.assert_close(other, whole, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("kind", ["llama", "qwen3", "gemma", "gpt2"])
def test_bf16_comes_close_and_the_comparison_can_fail(kind, head):
    adapter, data = build(kind, head), examples(head)
    work = jobs(adapter)
    reference, engine = engines(adapter, head, "bf16")
    judged = reference.train(work, data)
    found = engine.train(work, data)
    assert all(one.delta.dtype == torch.float32 for one in found)
    assert 1e-5 < furthest(found, judged) < 0.1
    dry = Cohort(build(kind, head, dropout=0.0), SETTINGS, "fp32", objective=objective(head))
    assert furthest(dry.train(work, data), judged) > 1e-3


def test_a_head_alone_is_trained_on_what_was_seen_once():
    adapter, data = build("llama", "classifier", scope="head"), examples("classifier")
    work = jobs(adapter)
    reference, engine = engines(adapter, "classifier", group=3)
    judged = reference.train(work, data)
    for _ in range(2):
        assert furthest(engine.train(work, data), judged) < 1e-5


def test_positions_depend_on_the_padded_length_where_the_model_says_so():
    """A batch of short texts has the angles of its padded length, as in the model."""
    for kind in ("llama dynamic", "phi3"):
        module = build(kind, "language model").model.get_base_model().model.rotary_emb
        short, long = (Rotary(module).table(width, torch.device("cpu"))[0] for width in (5, LENGTH))
        assert not torch.allclose(short, long[:5], atol=1e-3)


class TestWhatStaysOnTheReference:
    def known(self, kind="llama", head="language model", tokens=LENGTH, aim=None, **keys):
        adapter = build(kind, head, **keys)
        return supported(adapter, SETTINGS, aim or objective(head), tokens)

    def test_windows_shorter_than_the_texts(self):
        assert self.known("mistral", sliding_window=LENGTH)
        assert not self.known("mistral", sliding_window=LENGTH - 1)
        assert not self.known("mistral", sliding_window=LENGTH, tokens=None)
        assert self.known("mistral", sliding_window=None, tokens=None)
        window = {"sliding_window": 8, "max_window_layers": 1}
        assert self.known("qwen2", use_sliding_window=False, **window)
        assert not self.known("qwen2", use_sliding_window=True, **window)

    def test_a_window_that_is_too_short_would_be_noticed(self):
        data = examples("language model")
        aim = NextToken()
        adapter = build("mistral", "language model", sliding_window=4)
        work = jobs(adapter)
        judged = client.Reference(adapter, SETTINGS, aim).train(work, data)
        found = Cohort(adapter, SETTINGS, "fp32", objective=aim).train(work, data)
        assert furthest(found, judged) > 1e-3

    def test_attention_in_both_directions(self):
        assert not self.known("gemma", use_bidirectional_attention=True)

    @pytest.mark.parametrize("target", ["lm_head", "embed_tokens"])
    def test_lora_outside_the_blocks(self, target):
        assert not self.known(targets=["q_proj", target])

    def test_another_loss(self):
        class Own(NextToken):
            pass

        assert not self.known(aim=Own())
        assert not self.known(aim=SingleLabel())

    def test_a_classifier_that_does_not_know_padding(self):
        assert not self.known(head="classifier", pad_token_id=None)

    def test_weights_that_are_not_float32(self):
        adapter = build("llama", "language model")
        adapter.model.get_base_model().model.layers[0].mlp.up_proj.base_layer.to(torch.bfloat16)
        assert not supported(adapter, SETTINGS, NextToken(), LENGTH)


def test_a_language_model_reads_the_tokens_before_labels():
    data = examples("language model")
    ids, labels = data.features["input_ids"], data.labels
    chosen = np.array([3, 4, 9])
    batch = pack(data, [chosen[:2], chosen[2:]], torch.device("cpu"), reads="labelled")
    wanted = [
        (r, t) for r, i in enumerate(chosen) for t in range(LENGTH - 1) if labels[i, t + 1] >= 0
    ]
    read = zip(batch.row[batch.read].tolist(), batch.token[batch.read].tolist(), strict=True)
    assert list(read) == wanted
    assert batch.labels.tolist() == [ids[chosen[r], t + 1] for r, t in wanted]
    first = sum(r < 2 for r, _ in wanted)
    assert batch.read_runs == ((0, first), (first, len(wanted)))


def test_texts_without_labels_and_labels_to_the_end_are_packed():
    mask = np.array([[1, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]], bool)
    labels = np.full((3, 4), IGNORED)
    labels[1] = [5, 6, 7, 8]
    data = Examples({"input_ids": np.ones((3, 4), np.int64), "attention_mask": mask}, labels)
    batch = pack(data, [np.arange(3)], torch.device("cpu"), reads="labelled")
    assert batch.labels.tolist() == [6, 7, 8]
    assert batch.row[batch.read].tolist() == [1, 1, 1]
    assert len(batch.row) == 2 + 4 + 1  # a text of nothing keeps one token
    none = pack(data, [np.array([0])], torch.device("cpu"), reads="labelled")
    assert (none.length, none.width, len(none.labels)) == (2, 4, 0)


def test_a_client_without_labels_does_not_move():
    adapter, data = build("llama", "language model"), examples("language model")
    data.labels[:] = IGNORED
    found = engines(adapter, "language model")[1].train(jobs(adapter), data)
    assert not any(one.delta.any() for one in found)


@pytest.mark.parametrize("limit", [1, VOCABULARY * 3, 1 << 24])
def test_the_loss_of_tokens_is_cross_entropy_whatever_the_parts(limit, monkeypatch):
    monkeypatch.setattr(token_loss, "LOGITS", limit)
    generator = torch.Generator().manual_seed(0)
    x, weight, factors = (
        torch.randn(shape, generator=generator) for shape in ((11, 8), (VOCABULARY, 8), (11,))
    )
    bias = torch.randn(VOCABULARY, generator=generator)
    labels = torch.randint(0, VOCABULARY, (11,), generator=generator)
    head, x = token_loss.TokenHead(weight, bias), x.requires_grad_()
    wanted = F.cross_entropy(F.linear(x, weight, bias), labels, reduction="none")
    found = token_loss.token_losses(x, head, labels)
    torch.testing.assert_close(found, wanted)
    (expected,) = torch.autograd.grad((wanted * factors).sum(), x)
    (gradient,) = torch.autograd.grad((found * factors).sum(), x)
    torch.testing.assert_close(gradient, expected)


def test_the_rms_norm_and_its_gradient_are_torchs():
    x = torch.randn(5, 3, 16, generator=torch.Generator().manual_seed(0)).requires_grad_()
    weight, factors = torch.linspace(0.5, 2, 16), torch.linspace(-1, 1, 16)
    wanted, found = F.rms_norm(x, (16,), weight, 1e-5), RmsNorm(weight, 1e-5)(x)
    torch.testing.assert_close(found, wanted)
    expected, gradient = (torch.autograd.grad((y * factors).sum(), x)[0] for y in (wanted, found))
    torch.testing.assert_close(gradient, expected)
    assert RmsNorm(weight, 1e-5)(x.bfloat16()).dtype == torch.bfloat16


def test_a_rotation_keeps_lengths_and_angles_add_up():
    x = torch.randn(6, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    angles = torch.outer(torch.arange(6.0, dtype=torch.float64), torch.tensor([1.0, 0.3]).double())
    angles = torch.cat([angles, angles], dim=1)

    def turn(x, angles):  # two heads of 8 values, of which 4 are rotated; 4 more values
        return rotated(x, angles.cos(), angles.sin(), heads=2, size=8)

    found = turn(x, angles)
    torch.testing.assert_close(found.norm(dim=1), x.norm(dim=1))
    torch.testing.assert_close(turn(found, 2 * angles), turn(x, 3 * angles))
    assert torch.equal(found[:, [4, 5, 6, 7, 12, 13, 14, 15, 16, 19]],
                       x[:, [4, 5, 6, 7, 12, 13, 14, 15, 16, 19]])  # fmt: skip
    assert torch.autograd.gradcheck(lambda x: turn(x, angles), (x.requires_grad_(),))


@pytest.mark.parametrize("metric", LANGUAGE)
def test_every_metric_of_language_is_that_of_the_reference(metric):
    adapter, data = build("llama", "lm_head"), examples("lm_head")
    objective, vector = LANGUAGE[metric], jobs(adapter)[0].start
    assert supported(adapter, SETTINGS, objective, LENGTH)
    values = []
    for engine in (
        client.Reference(adapter, SETTINGS, objective),
        Cohort(adapter, SETTINGS, "fp32", objective=objective),
    ):
        tally, loss = client.total(
            engine.score_part(vector, data, part) for part in engine.parts(data, 40)
        )
        values.append((objective.value(tally), loss))
    assert values[0] == pytest.approx(values[1], rel=1e-5)
