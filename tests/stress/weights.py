"""Hostile model folders: weights and settings of a small BERT with damage, and pickles in them.

Always a typed error or a model; no pickle is ever opened (the fence hears of a found class).
"""

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

import hostile
import torch
from campaign import Tally, fence
from transformers import BertConfig, BertModel

from flasc.models import pretrained

LARGEST = 1_000  # of a number in config.json: a larger model is no attack, only a large model


class Trap:
    """What runs when a pickle of it is opened."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, ...]]:
        return exec, ("raise SystemExit('a pickle was opened')",)


def settings(rng: Random, raw: bytes) -> bytes:
    """A config.json with something about it changed, and no huge sizes."""
    if rng.random() < 0.3:
        return hostile.damaged(rng, raw)
    found = hostile.changed(rng, json.loads(raw))
    if rng.random() < 0.1:
        found["auto_map"] = {"AutoModelForSequenceClassification": "evil.Evil"}
    for key, value in found.items() if isinstance(found, dict) else ():
        if isinstance(value, int | float) and abs(value) > LARGEST:
            found[key] = LARGEST
    return json.dumps(found).encode()


def spoil(rng: Random, whole: Path, folder: Path) -> Callable[[], object]:
    """A copy of the model in `whole`, spoilt, and the loading of it."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(whole, folder)
    weights, config = folder / "model.safetensors", folder / "config.json"
    match rng.randrange(4):
        case 0:
            config.write_bytes(settings(rng, config.read_bytes()))
        case 1 | 2:
            weights.write_bytes(hostile.tensors(rng, weights.read_bytes()))
        case _:
            name = rng.choice(("pytorch_model.bin", "model.safetensors", "training_args.bin"))
            (folder / name).write_bytes(pickle.dumps(Trap()))
            if rng.random() < 0.7 and name != "model.safetensors":
                weights.unlink()
    (folder / "evil.py").write_text("raise SystemExit('code beside a model was run')", "utf-8")
    return lambda: pretrained.pretrained(folder, "text", 4, key=0)


def campaign(folder: Path, seed: int, count: int, only: int = -1) -> Tally:
    """`count` folders; with `only`, that one alone."""
    torch.set_num_threads(1)
    whole = folder / "whole"
    small = BertConfig(
        vocab_size=60, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, max_position_embeddings=12,
    )  # fmt: skip
    BertModel(small).save_pretrained(whole)
    pretrained.pretrained(
        whole, "text", 4, key=0
    )  # what transformers imports late, before the fence
    fence(folder)
    tally = Tally("weights", seed)
    for number in range(count) if only < 0 else [only]:
        rng = Random(f"{seed}/{number}")
        tally.attempt(f"folder {number}", spoil(rng, whole, folder / "spoilt"), limit_s=60)
    return tally
