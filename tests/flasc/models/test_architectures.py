"""Each architecture trains as PEFT has it: trained here, exported, and loaded by PEFT alone.

The models are tiny and random, saved as hubs have them: after pretraining, with the head of a
language model or with none.
"""

import numpy as np
import pytest
import torch
import transformers
from peft import PeftModel
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from flasc.common.errors import ModelError
from flasc.data import lines
from flasc.data.examples import Examples
from flasc.data.objective import NextToken, SingleLabel
from flasc.data.tokens import encode
from flasc.methods.dense import DenseLora
from flasc.models.folder import ALLOWED_BODIES, model_type, problem
from flasc.models.lora_targets import OWN, lora_targets, peft_targets
from flasc.models.settings import Lora
from flasc.tasks.base import Task
from flasc.tasks.twenty_newsgroups import Newsgroups
from flasc.training import settings as config
from flasc.training.trainer import Trainer

TOPICS = ("cat", "dog", "sun", "sea")
FILLERS = ("the", "sat", "on", "a", "mat", "and", "saw", "it")
SPECIAL = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
LENGTH, LAYERS = 10, 2


def texts(n, seed):
    """Texts of 2 to 7 words, each with the word of its class somewhere; and the classes."""
    stream = np.random.default_rng(seed)
    labels = stream.integers(0, len(TOPICS), n)
    words = [[TOPICS[c], *stream.choice(FILLERS, stream.integers(1, 7))] for c in labels]
    return [" ".join(stream.permutation(each)) for each in words], labels


LORA = Lora(rank=2)
TRAIN, CHECKED = texts(64, 0), texts(24, 1)

SIZES = {
    "vocab_size": 24, "hidden_size": 16, "num_hidden_layers": LAYERS, "num_attention_heads": 2,
    "intermediate_size": 24, "max_position_embeddings": 20,
    "bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
GROUPED = {"num_key_value_heads": 1, "head_dim": 8}
DEBERTA_V3 = {
    "relative_attention": True, "share_att_key": True, "position_buckets": 4,
    "pos_att_type": ["p2c", "c2p"], "norm_rel_ebd": "layer_norm", "type_vocab_size": 0,
    "position_biased_input": False,
}  # fmt: skip
OF_GPT2 = {"n_embd": 16, "n_layer": LAYERS, "n_head": 2, "n_positions": 20}
OF_DISTILBERT = {"dim": 16, "n_layers": LAYERS, "n_heads": 2, "hidden_dim": 24}

# The kind of a model: the keys of its configuration beside SIZES, the modules with LoRA in each
# layer, and the heads that are trained in full.
ENCODERS = {
    "albert": ({"embedding_size": 8}, 2, ["classifier", "albert.pooler"]),
    "bert": ({}, 2, ["classifier", "bert.pooler"]),  # a masked language model has no pooler
    "deberta-v2": (DEBERTA_V3, 2, ["pooler", "classifier"]),
    "distilbert": (OF_DISTILBERT, 2, ["pre_classifier", "classifier"]),
    "electra": ({"embedding_size": 8}, 2, ["classifier"]),
    "modernbert": ({"cls_token_id": 0, "sep_token_id": 2}, 1, ["head", "classifier"]),
    "mpnet": ({}, 2, ["classifier"]),
    "roberta": ({}, 2, ["classifier"]),
    "xlm-roberta": ({}, 2, ["classifier"]),
}
DECODERS = {
    "gemma": (GROUPED, 2),
    "gpt2": (OF_GPT2, 4),
    "gpt_neox": ({}, 1),
    "granite": (GROUPED, 2),
    "llama": (GROUPED, 2),
    "olmo2": (GROUPED, 2),
    "opt": ({"ffn_dim": 24, "word_embed_proj_dim": 16}, 2),
    "phi": ({}, 4),
    "phi3": ({}, 1),
    "qwen2": (GROUPED, 2),
    "qwen3": (GROUPED, 2),
    "smollm3": (GROUPED, 2),
}


def save(folder, kind, keys):
    """A pretrained model of `kind` with a tokenizer that puts texts between two special tokens."""
    shape = transformers.AutoConfig.for_model(kind, **SIZES | keys)
    loader = transformers.AutoModelForCausalLM
    if kind in ENCODERS:
        loader = transformers.AutoModelForMaskedLM
    if kind in ("bart", "t5"):
        loader = transformers.AutoModelForSeq2SeqLM
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        model = loader.from_config(shape)
        for parameter in model.parameters():  # large enough for LoRA to matter
            if parameter.dim() > 1:
                torch.nn.init.normal_(parameter, std=0.3)
        model.save_pretrained(folder)
    names = [*SPECIAL.values(), *TOPICS, *FILLERS]
    inner = Tokenizer(models.WordLevel({name: i for i, name in enumerate(names)}, "<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [("<s>", 0), ("</s>", 2)]
    inner.post_processor = processors.TemplateProcessing("<s> $A </s>", special_tokens=ends)
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=inner, **SPECIAL)
    fast.save_pretrained(folder)
    return folder


def examples(folder, split, head, cache):
    tokens = encode(split[0], folder, LENGTH, cache)
    return lines.examples(tokens) if head == "causal" else Examples(tokens.features, split[1])


def trained(folder, head, cache, **keys):
    """A trainer that has aggregated two rounds of three clients."""
    task = Task(
        edition="made up",
        train=examples(folder, TRAIN, head, cache),
        validation=examples(folder, CHECKED, head, cache),
        test=examples(folder, CHECKED, head, cache),
        clients=np.split(np.arange(len(TRAIN[0])), [16, 40]),
        classes=[] if head == "causal" else list(TOPICS),
        model=folder,
        head=head,
        objective=NextToken() if head == "causal" else SingleLabel(),
    )
    # A fresh head on one token of an encoder gives LoRA small gradients at first.
    rate = 1.0 if model_type(folder) in ENCODERS else 0.1
    settings = config.TrainingSettings.model_validate(
        {
            "seed": 0, "task": Newsgroups(name="20newsgroups", clients=3),
            "lora": LORA.model_copy(update=keys), "client": config.Client(lr=rate, batch=8),
            "server": config.FedAvg(kind="fedavg"), "wire": config.Wire(),
            "method": DenseLora(kind="lora"), "evaluation_examples": None,
        }
    )  # fmt: skip
    trainer = Trainer(settings, task, torch.device("cpu"))
    trainer.start = trainer.params.clone()
    for _ in range(2):
        uploads = trainer.train([trainer.download(client) for client in range(3)])
        trainer.aggregate(uploads, [1 / 3] * 3)
    return trainer


def loaded(folder, adapter, head):
    """The model as a program without flasc loads it."""
    if head == "causal":
        base = transformers.AutoModelForCausalLM.from_pretrained(folder)
    else:
        base = transformers.AutoModelForSequenceClassification.from_pretrained(
            folder, num_labels=len(TOPICS)
        )
    return PeftModel.from_pretrained(base, adapter).eval()


def score(model, folder, head):
    """Accuracy, mean loss in nats and all logits, text by text, so that nothing is padded."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    objective = NextToken() if head == "causal" else SingleLabel()
    right, of, losses, outputs = 0, 0, [], []
    for text, label in zip(*CHECKED, strict=True):
        batch = tokenizer([text], return_tensors="pt", return_token_type_ids=False)
        with torch.no_grad():
            logits = model(**batch).logits
        wanted = batch["input_ids"] if head == "causal" else torch.tensor([label])
        tally = objective.tally(logits, wanted).sum(0)
        right, of = right + tally[0], of + tally[1]
        losses.append(float(objective.losses(logits, wanted)))
        outputs.append(logits.flatten())
    return right / of, np.mean(losses), torch.cat(outputs)


def changed(trainer, part):
    """Whether each parameter of `part` differs from its start."""
    spans = [span for span in trainer.adapter.spans if span.part == part]
    now, start = trainer.params, trainer.start
    return {s.name: not torch.equal(now[s.start : s.stop], start[s.start : s.stop]) for s in spans}


# transformers has no classifier of Granite.
CASES = [(kind, "text") for kind in (*ENCODERS, *DECODERS) if kind != "granite"]
CASES += [(kind, "causal") for kind in DECODERS]


@pytest.mark.filterwarnings("ignore")  # of transformers and PEFT
@pytest.mark.parametrize(("kind", "head"), CASES, ids=[f"{kind}, {head}" for kind, head in CASES])
def test_peft_alone_gives_the_score_of_the_training(kind, head, tmp_path):
    keys, sites, *named = ENCODERS.get(kind) or DECODERS[kind]
    folder = save(tmp_path / "model", kind, keys)
    assert problem(folder, head, LORA, "adapter") is None
    trainer = trained(folder, head, tmp_path)
    layers = 1 if kind == "albert" else LAYERS  # ALBERT's layers share their weights
    assert len(list(trainer.adapter.lora_layers())) == layers * sites
    assert trainer.adapter.heads == (named[0] if named else [] if head == "causal" else ["score"])
    assert len(changed(trainer, "lora_B")) == layers * sites
    for part in ("lora_A", "lora_B", "head"):
        assert all(changed(trainer, part).values()), changed(trainer, part)
    assert bool(changed(trainer, "head")) == (head == "text")
    found = trainer.evaluate("validation")
    trainer.export(tmp_path / "adapter")
    model = loaded(folder, tmp_path / "adapter", head)
    accuracy, loss, outputs = score(model, folder, head)
    assert loss == pytest.approx(found.loss, abs=2e-5)
    assert accuracy == pytest.approx(found.accuracy, abs=1e-9)
    for name, parameter in model.named_parameters():
        if ".lora_B." in name:
            torch.nn.init.zeros_(parameter)
    assert (score(model, folder, head)[2] - outputs).abs().max() > 1e-3  # LoRA has an effect


def test_a_fresh_pooler_leaves_the_cohort_engine(tmp_path):
    """It is trained, and the cohort engine trains one linear layer as a head."""
    folder = save(tmp_path / "model", "bert", {})
    assert trained(folder, "text", tmp_path).engine.name == "reference"


@pytest.mark.parametrize(
    ("kind", "head", "message"),
    [
        ("granite", "text", "transformers has no classifier of texts of type granite"),
        ("bart", "text", "a model of type bart, an encoder with a decoder"),
        ("bart", "causal", "a model of type bart, an encoder with a decoder"),
        ("t5", "text", "a model of type t5, an encoder with a decoder"),
        ("bert", "causal", "a model of type bert sees the tokens that it is to predict"),
        ("mamba", "causal", "no LoRA targets are known for a model of type 'mamba'"),
    ],
)
def test_what_cannot_be_trained_is_refused(kind, head, message, tmp_path):
    folder = save(tmp_path / "model", kind, DECODERS.get(kind, ({},))[0])
    with pytest.raises(ModelError, match=message) as caught:
        trained(folder, head, tmp_path)
    assert len(str(caught.value)) < 300
    if "encoder with" in message:
        assert caught.value.hint == f"choose {ALLOWED_BODIES}"
        assert message in problem(folder, head, LORA, "adapter").found


def test_shared_layers_have_no_upper_ones(tmp_path):
    folder = save(tmp_path / "model", "albert", ENCODERS["albert"][0])
    with pytest.raises(ModelError, match="PEFT cannot add LoRA") as caught:
        trained(folder, "text", tmp_path, upper_layers=1)
    assert "upper_layers" in caught.value.hint


@pytest.mark.filterwarnings("ignore")
def test_any_linear_module_can_be_a_target(tmp_path):
    """OPT's perceptron gets the tokens of all rows as one matrix."""
    folder = save(tmp_path / "model", "opt", DECODERS["opt"][0])
    trainer = trained(folder, "text", tmp_path, targets=["fc1", "fc2"])
    assert all(changed(trainer, "lora_B").values())


def test_the_table_is_pefts():
    from peft.utils.constants import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING as TABLE

    lists = {kind: names for kind, names in TABLE.items() if isinstance(names, list)}
    assert peft_targets() == lists
    assert len(lists) > 30
    assert {kind for kind in OWN if kind in lists} == {"gpt2"}  # say why where one is added
    assert lora_targets("llama") == ["q_proj", "v_proj"]
    assert lora_targets("nowhere") is None


def test_without_peft_our_own_targets_are_known(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert peft_targets.__wrapped__() == {}
