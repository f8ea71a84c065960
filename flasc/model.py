"""Pretrained models with a fresh head, loaded by transformers."""

from pathlib import Path

import torch
from torch import nn
from transformers import AutoModelForSequenceClassification
from transformers.utils import logging

from flasc.errors import ModelError


def sequence_classifier(folder: Path, classes: int, key: int) -> nn.Module:
    """The model in `folder` with a head for `classes`, drawn with the generator seeded by `key`.

    In evaluation mode, float32. Raises ModelError where transformers cannot load it.
    """
    # transformers reports the fresh head as missing weights; here that is what is asked for.
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    with torch.random.fork_rng([]):
        torch.manual_seed(key)
        try:
            model = AutoModelForSequenceClassification.from_pretrained(
                str(folder), num_labels=classes, local_files_only=True, dtype=torch.float32
            )
        except (OSError, ValueError) as error:
            raise ModelError(
                f"{folder}: transformers cannot load a classifier from it: {error}",
                "allowed: a folder with config.json and model.safetensors",
            ) from error
    if model.config.pad_token_id is None:  # GPT-2 has none and pools at the last token before it
        model.config.pad_token_id = model.config.eos_token_id
    model.eval()
    return model  # type: ignore[no-any-return]  # transformers is untyped here
