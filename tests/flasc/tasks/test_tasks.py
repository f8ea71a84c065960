"""What every task must keep, each loaded from small files of the real format and trained."""

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter

from flasc.common.errors import ModelError
from flasc.common.settings import Wire
from flasc.data.objective import IGNORED
from flasc.models.settings import Lora
from flasc.tasks import TASKS
from flasc.training import settings as config
from flasc.training.trainer import Trainer, provenance

# By name: the fixture with its files, the model's kind, the metric.
NAMES = {
    "20newsgroups": ("archive", "gpt2", "accuracy"),
    "cifar10": ("cifar", "vit colour", "accuracy"),
    "flair": ("flickr", "vit colour", "micro F1"),
    "reddit": ("comments", "gpt2", "next-token accuracy"),
    "fashion_mnist": ("garments", "vit grey", "accuracy"),
    "fashion_scenes": ("garments", "vit grey", "micro F1"),
    "friends": ("transcripts", "gpt2", "next-token accuracy"),
    "text_file": ("letters", "gpt2", "macro F1"),
    "instructions": ("questions", "gpt2", "next-token accuracy"),
}
OWN = {  # keys of the tasks over a user's own table
    "text_file": {"text": "body", "label": "kind", "scored_by": "macro F1"},
    "instructions": {"prompt": ["ask", "about"], "answer": "reply"},
}
CLIENTS = 6
every_task = pytest.mark.parametrize("name", NAMES)


@pytest.fixture
def settings(request, tmp_path, models):
    """Settings of a task over its small files."""

    def build(name, **keys):
        fixture, kind, _ = NAMES[name]
        folder = request.getfixturevalue(fixture)
        given = {"name": name, "clients": CLIENTS, "model": str(models(kind)), **keys}
        if name in ("20newsgroups", "cifar10", "flair", "reddit"):
            given["data"] = str(folder)
        if name in OWN:
            given |= OWN[name] | {"file": str(folder)} | keys
        if name == "20newsgroups":
            given["edition"] = "raw"
        if NAMES[name][1] == "gpt2":
            given["tokens"] = 32 if name in OWN else 12
        return TypeAdapter(config.Task).validate_python(given)

    return build


def load(settings, tmp_path, seed=0):
    return settings.load(seed, tmp_path / "cache", lambda _: None)


def trainer(settings, tmp_path, method="lora"):
    method = TypeAdapter(config.Method).validate_python({"kind": method})
    training = config.TrainingSettings(
        seed=0,
        task=settings,
        lora=Lora(rank=2),
        client=config.Client(lr=0.05),
        server=config.AdamW(lr=0.02),
        wire=Wire(),
        method=method,
        evaluation_examples=None,
    )
    return Trainer(training, load(settings, tmp_path), torch.device("cpu"))


def test_every_task_is_here():
    assert set(NAMES) == {each.model_fields["name"].annotation.__args__[0] for each in TASKS}


@every_task
def test_its_splits(name, settings, tmp_path):
    """Clients share no example and hold real ones; whoever validates or tests is nobody's."""
    task = load(settings(name), tmp_path)
    assert len(task.clients) == CLIENTS
    held = np.concatenate(task.clients)
    assert len(set(held.tolist())) == len(held) > CLIENTS
    assert held.dtype == np.int64
    assert held.max() < len(task.train)
    for split in (task.train, task.validation, task.test):
        assert len(split) > 0
        batch = split.batch(np.arange(2), torch.device("cpu"))
        assert {len(tensor) for tensor in batch.values()} == {2}
    assert task.objective.metric == NAMES[name][2]


@every_task
def test_seeds_deal_but_do_not_change_what_scores(name, settings, tmp_path):
    def first(split):
        return {k: v[:5].tolist() for k, v in split.features.items()}, split.labels[:5].tolist()

    one, again, other = (load(settings(name), tmp_path, seed) for seed in (0, 0, 1))
    assert all(np.array_equal(a, b) for a, b in zip(one.clients, again.clients, strict=True))
    assert first(one.train) == first(again.train)
    assert first(one.validation) == first(other.validation)
    assert first(one.test) == first(other.test)


@every_task
def test_it_learns_what_it_holds(name, settings, tmp_path):
    """Twenty rounds of all clients lower the loss that the same clients' examples have."""
    live = trainer(settings(name), tmp_path)
    object.__setattr__(live.task, "validation", live.task.train)
    before = live.evaluate("validation")
    for _ in range(20):
        uploads = live.train([live.download(client) for client in range(CLIENTS)])
        live.aggregate(uploads, [1 / CLIENTS] * CLIENTS)
    after = live.evaluate("validation")
    assert after.loss < before.loss
    assert 0 <= after.accuracy <= 1
    assert after.examples == len(live.task.train)
    about = provenance(live)
    assert about["metric"] == NAMES[name][2]
    assert live.settings.task.metric == NAMES[name][2], "what reports say without torch"
    assert about["model"] == live.settings.task.model  # a folder, not a substitute model
    # Which its name does not tell, and neither does that of a user's own file.
    known = [about["weights"], live.settings.task.data_at_hand()]
    assert live.settings.weights() == "; ".join(filter(None, known))
    assert about["weights"].startswith("SHA-256 ")
    live.export(tmp_path / "adapter")
    assert (tmp_path / "adapter/adapter_model.safetensors").exists()


@pytest.mark.parametrize("name", [n for n in NAMES if "next-token" not in NAMES[n][2]])
def test_its_head_can_be_trained_alone(name, settings, tmp_path):
    live = trainer(settings(name), tmp_path, "head")
    assert {span.part for span in live.adapter.spans} == {"head"}
    uploads = live.train([live.download(0)])
    assert uploads[0].steps > 0


@every_task
def test_its_settings_name_the_head(name, settings, tmp_path):
    """So that `check` knows it before anything is loaded."""
    chosen = settings(name)
    assert chosen.head == load(chosen, tmp_path).head


@pytest.mark.parametrize("name", ["reddit", "friends", "instructions"])
def test_a_language_model_has_no_head_to_train_alone(name, settings, tmp_path):
    with pytest.raises(ModelError, match="no head") as caught:
        trainer(settings(name), tmp_path, "head")
    assert "trains LoRA" in caught.value.hint


@pytest.mark.parametrize("name", ["reddit", "friends"])
def test_users_are_clients_and_labels_are_the_next_tokens(name, settings, tmp_path):
    task = load(settings(name, clients=10), tmp_path)
    labels, ids = task.train.labels, task.train.features["input_ids"]
    mask = task.train.features["attention_mask"]
    assert (labels[mask] == ids[mask]).all()
    assert (labels[~mask] == IGNORED).all()
    assert (mask.sum(1) >= 2).all()
    assert len({len(mine) for mine in task.clients}) > 1


@pytest.mark.parametrize("name", ["flair", "reddit", "friends"])
def test_pooled_users_are_dealt_evenly(name, settings, tmp_path):
    natural, pooled = (
        load(settings(name, split={"kind": "natural", "pooled": share}), tmp_path)
        for share in (0.0, 1.0)
    )
    held = [sorted(np.concatenate(task.clients).tolist()) for task in (natural, pooled)]
    assert held[0] == held[1]
    sizes = [len(mine) for mine in pooled.clients]
    assert max(sizes) - min(sizes) <= 1
