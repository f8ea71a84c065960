"""Loads pretrained models with the head that a task needs, by transformers."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
)
from transformers.utils import logging

from flasc.common.errors import ModelError
from flasc.models.settings import Head

_LOADERS: dict[Head, Any] = {
    "text": AutoModelForSequenceClassification,
    "image": AutoModelForImageClassification,
    "causal": AutoModelForCausalLM,
}


def pretrained(
    folder: Path, head: Head, classes: int, key: int, problem: str | None = None
) -> nn.Module:
    """The model in `folder` with `head`, float32, in evaluation mode; `key` seeds a new head.

    A `causal` head ignores `classes`. `problem` is transformers' `problem_type`. Raises ModelError
    if transformers cannot load the model.
    """
    # transformers warns that the weights of the new head are missing; that is intended.
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    fresh = {} if head == "causal" else {"num_labels": classes}
    if problem:
        fresh["problem_type"] = problem  # type: ignore[assignment]  # keywords of transformers
    with torch.random.fork_rng([]):
        torch.manual_seed(key)
        try:
            model = _LOADERS[head].from_pretrained(
                str(folder),
                local_files_only=True,
                use_safetensors=True,  # a pickle runs code when it is opened
                trust_remote_code=False,
                dtype=torch.float32,
                **fresh,
            )
        except Exception as error:  # the folder's config decides which error is raised
            wanted = "causal language model" if head == "causal" else f"classifier of {head}s"
            raise ModelError(
                f"{folder}: transformers cannot load a {wanted} from it: {error}",
                "allowed: a folder with config.json and model.safetensors",
            ) from error
    # GPT-2 has no pad token and pools at the last token before it; a ViT has no tokens.
    if head != "image" and model.config.pad_token_id is None:
        model.config.pad_token_id = model.config.eos_token_id
    model.eval()
    return model  # type: ignore[no-any-return]  # transformers is untyped here


def identity(folder: Path) -> str:
    """Name and hashes of a substitute model, whose weights differ by machine; '' for others."""
    about = folder / "pretraining.json"
    if not about.is_file():
        return ""
    weights = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    told = json.loads(about.read_text("utf-8"))
    return (
        f"substitute model {told['standin']} (settings {told['settings'][:12]}, "
        f"weights {weights[:12]}), pretrained on this machine"
    )
