import dataclasses

import numpy as np
import pytest
import torch
from transformers.utils import logging

from flasc import config
from flasc.task_settings import Newsgroups
from flasc.tasks.base import Examples, Task
from flasc.trainer import Trainer

CLASSES, VOCABULARY, LENGTH = 4, 60, 12


def _examples(n, rng):
    """Sequences whose first token gives the class away."""
    labels = rng.integers(0, CLASSES, n)
    ids = rng.integers(CLASSES, VOCABULARY, (n, LENGTH))
    ids[:, 0] = labels
    mask = np.ones((n, LENGTH), np.int64)
    return Examples({"input_ids": ids, "attention_mask": mask}, labels)


def _save(folder, model):
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        logging.disable_progress_bar()
        model().save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def bert(tmp_path_factory):
    """A small BERT with random weights, as a folder that transformers loads."""
    from transformers import BertConfig, BertModel

    settings = BertConfig(
        vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=48, max_position_embeddings=LENGTH,
    )  # fmt: skip
    return _save(tmp_path_factory.mktemp("bert"), lambda: BertModel(settings))


@pytest.fixture(scope="session")
def gpt2(tmp_path_factory):
    """A small GPT-2 with random weights."""
    from transformers import GPT2Config, GPT2Model

    settings = GPT2Config(
        vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=2, n_positions=LENGTH,
        eos_token_id=VOCABULARY - 1, bos_token_id=VOCABULARY - 1,
    )  # fmt: skip
    return _save(tmp_path_factory.mktemp("gpt2"), lambda: GPT2Model(settings))


@pytest.fixture(scope="session")
def task(bert):
    """Unequal clients, one of them with nothing, over a task that can be learned."""
    rng = np.random.default_rng(0)
    train = _examples(150, rng)
    cuts = np.cumsum([5, 33, 16, 0, 40, 17])
    return Task(
        edition="made up",
        train=train,
        validation=_examples(60, rng),
        test=_examples(40, rng),
        clients=np.split(rng.permutation(150), cuts),
        classes=[f"class {i}" for i in range(CLASSES)],
        model=bert,
    )


@pytest.fixture
def make(task):
    """A real trainer over the small task, from a method's settings."""

    def build(method, **keys):
        method = {"kind": method} if isinstance(method, str) else method
        settings = config.TrainingSettings.model_validate(
            {
                "seed": 0,
                "task": Newsgroups(name="20newsgroups", clients=len(task.clients)),
                "lora": config.Lora(rank=4),
                "client": config.Client(lr=0.05),
                "server": config.AdamW(lr=0.01),
                "wire": config.Wire(),
                "method": _method(method),
                "evaluation_examples": None,
                **keys,
            }
        )
        return Trainer(settings, dataclasses.replace(task), torch.device("cpu"))

    return build


def _method(keys):
    from pydantic import TypeAdapter

    return TypeAdapter(config.Method).validate_python(keys)
