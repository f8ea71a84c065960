"""Pretrains the substitute models of `flasc.models.standins`, in minutes on one CPU core.

One torch thread and named random streams give the same weights on the same machine and versions.
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from flasc.assets.catalogue import locate
from flasc.assets.packages import Notify
from flasc.common import rng
from flasc.data import fashion_mnist, fashion_scenes, friends, lines, tokens as text
from flasc.data.examples import Examples
from flasc.data.objective import MultiLabel, NextToken, Objective, SingleLabel
from flasc.models.standins import SubstituteModel

VOCABULARY = 1_024
TOKENS = 32


@dataclass(frozen=True)
class PretrainingTask:
    """A model and what it is trained on; `keep` is the part of the model that is saved."""

    model: Any
    keep: Any
    examples: Examples
    objective: Objective


def pretrain(substitute: SubstituteModel, folder: Path, cache: Path | None, notify: Notify) -> None:
    """Pretrain `substitute` and save it in the new `folder`, described by `pretraining.json`.

    Calls `notify` before each epoch. Raises AssetError if the data are not available.
    """
    data = locate(substitute.data, cache=cache, notify=notify)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        folder.mkdir()
        with torch.random.fork_rng([]):
            torch.manual_seed(rng.key(substitute.seed, "pretraining/init"))
            task = TASKS[substitute.name](data, folder, cache)
        losses = fit(task, substitute, notify)
    finally:
        torch.set_num_threads(threads)
    task.keep.save_pretrained(str(folder), safe_serialization=True)
    about = {
        "standin": substitute.name,
        "settings": substitute.digest,
        "data": substitute.data,
        "examples": len(task.examples),
        "loss of each epoch, nats": [round(loss, 4) for loss in losses],
        "torch": torch.__version__,
    }
    (folder / "pretraining.json").write_text(json.dumps(about, indent=2) + "\n", "utf-8")


def fit(task: PretrainingTask, substitute: SubstituteModel, notify: Notify) -> list[float]:
    """Train with the settings of `substitute`; returns the mean loss of each epoch, nats."""
    model, data = task.model, task.examples
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=substitute.lr, weight_decay=substitute.weight_decay
    )
    steps, step, found = max(1, len(data) // substitute.batch) * substitute.epochs, 0, []
    for epoch in range(substitute.epochs):
        notify(f"pretraining {substitute.name}: epoch {epoch + 1} of {substitute.epochs}")
        order = rng.stream(substitute.seed, "pretraining/order", epoch).permutation(len(data))
        losses = []
        for at in range(0, max(1, len(data) - substitute.batch + 1), substitute.batch):
            for group in optimiser.param_groups:
                group["lr"] = substitute.lr * _schedule(step / steps)
            batch = data.batch(order[at : at + substitute.batch], torch.device("cpu"))
            labels = batch.pop("labels")
            loss = task.objective.losses(model(**batch).logits, labels).mean()
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch is untyped there
            optimiser.step()
            losses.append(loss.item())
            step += 1
        found.append(float(np.mean(losses)))
    return found


def _schedule(done: float) -> float:
    """Factor of the learning rate after the share `done`: linear warm-up over 1/20, then cosine."""
    return done * 20 if done < 0.05 else 0.5 * (1 + math.cos(math.pi * (done - 0.05) / 0.95))


def _vit(classes: int, side: int, patch: int) -> Any:
    from transformers import ViTConfig, ViTForImageClassification

    shape = ViTConfig(
        hidden_size=96, num_hidden_layers=4, num_attention_heads=4, intermediate_size=384,
        image_size=side, patch_size=patch, num_channels=1, num_labels=classes,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    return ViTForImageClassification(shape)


def _fashion(data: Path, _folder: Path, _cache: Path | None) -> PretrainingTask:
    model = _vit(fashion_mnist.KNOWN, fashion_mnist.SIDE, patch=4)
    examples = fashion_mnist.examples(fashion_mnist.load(data).pretraining, fashion_mnist.SIDE)
    return PretrainingTask(model, model.vit, examples, SingleLabel())


def _scenes(data: Path, _folder: Path, _cache: Path | None) -> PretrainingTask:
    side = 2 * fashion_mnist.SIDE
    model = _vit(len(fashion_mnist.CLASSES), side, patch=8)
    garments = fashion_mnist.load(data).pretraining
    examples = fashion_scenes.scenes(garments, side, rng.stream(0, "scenes/pretraining"))
    return PretrainingTask(model, model.vit, examples, MultiLabel())


def _friends(data: Path, folder: Path, cache: Path | None) -> PretrainingTask:
    from transformers import GPT2Config, GPT2LMHeadModel

    leads, _ = friends.load(data)
    end = _save_tokenizer(leads.texts, folder)
    model = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=VOCABULARY, n_positions=128, n_embd=96, n_layer=4, n_head=4,
            resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
            bos_token_id=end, eos_token_id=end,
        )
    )  # fmt: skip
    tokens = text.encode(leads.texts, folder, TOKENS, cache)
    return PretrainingTask(model, model, lines.examples(tokens), NextToken())


def _save_tokenizer(texts: list[str] | Any, folder: Path) -> int:
    """Train a byte-level BPE of `VOCABULARY` tokens like GPT-2's; the id of its end token."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import PreTrainedTokenizerFast

    end = "<|endoftext|>"
    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator(texts, VOCABULARY, special_tokens=[end], show_progress=False)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=bpe._tokenizer,
        bos_token=end,
        eos_token=end,
        pad_token=end,
        model_max_length=128,
    )
    fast.save_pretrained(str(folder))
    return int(bpe.token_to_id(end))


TASKS: dict[str, Callable[[Path, Path, Path | None], PretrainingTask]] = {
    "fashion-vit": _fashion,
    "scenes-vit": _scenes,
    "friends-gpt2": _friends,
}
