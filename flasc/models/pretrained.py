"""Loads pretrained models with the head that a task needs, by transformers."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
)
from transformers.utils import logging

from flasc.common.errors import ModelError
from flasc.data.tokens import pad_token
from flasc.models.folder import ALLOWED_BODIES, encoder_decoder, model_type
from flasc.models.heads import heads, within
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

    A head in the folder is kept if it has the same number of classes. A `causal` head ignores
    `classes`. `problem` is transformers' `problem_type`. A pooler that the folder lacks is
    initialised anew and named in the model's `fresh_poolers`, so that it is trained. Raises
    ModelError if transformers cannot load the model, or if it is an encoder-decoder.
    """
    # transformers warns that the weights of the new head are missing; that is intended.
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    if head != "image" and (found := encoder_decoder(folder)):
        raise ModelError(f"{folder}: {found}", f"choose {ALLOWED_BODIES}")
    fresh: dict[str, Any] = {"problem_type": problem} if problem else {}
    if head != "causal":
        # The sizes of all other weights are checked below.
        fresh |= {"num_labels": classes, "ignore_mismatched_sizes": True}
    with torch.random.fork_rng([]):
        torch.manual_seed(key)
        try:
            model, loaded = _LOADERS[head].from_pretrained(
                str(folder),
                local_files_only=True,
                use_safetensors=True,  # a pickle runs code when it is opened
                trust_remote_code=False,
                dtype=torch.float32,
                output_loading_info=True,
                **fresh,
            )
        except Exception as error:  # the folder's config decides which error is raised
            wanted = "causal language model" if head == "causal" else f"classifier of {head}s"
            if str(error).startswith("Unrecognized configuration class"):
                raise ModelError(
                    f"{folder}: transformers has no {wanted} of type {model_type(folder)}",
                    "choose a model of another architecture",
                ) from error
            raise ModelError(
                f"{folder}: transformers cannot load a {wanted} from it: {error}",
                "allowed: a folder with config.json and model.safetensors",
            ) from error
    if damaged := next(_damaged(model, head, loaded), ""):
        raise ModelError(
            f"{folder}: transformers cannot load it: {damaged}", "get the files of the model again"
        )
    poolers = {_pooler(name) for name in loaded["missing_keys"]} - {""}
    model.fresh_poolers = tuple(sorted(poolers))
    if head != "image":
        _set_pad_token(model, folder)
    model.eval()
    if head == "causal" and _sees_ahead(model):
        raise ModelError(
            f"{folder}: a model of type {model_type(folder)} sees the tokens that it is to predict",
            "choose a decoder alone, like GPT-2",
        )
    return model  # type: ignore[no-any-return]  # transformers is untyped here


def module_names(folder: Path, head: Head) -> set[str]:
    """The last parts of the names of the model's modules, without weights; empty if unknown."""
    logging.set_verbosity_error()
    try:
        config = AutoConfig.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False
        )
        with torch.device("meta"):
            model = _LOADERS[head].from_config(config)
    except Exception:  # the folder's config decides which error is raised; loading reports it
        return set()
    return {name.rsplit(".", 1)[-1] for name, _ in model.named_modules()}


def _damaged(model: Any, head: Head, loaded: dict[str, Any]) -> Iterator[str]:
    """Weights that the folder lacks, or that do not fit its config.json, except a new head's."""

    tops = heads(model)

    def new(name: str) -> bool:  # a pooler is missing after pretraining without one
        return head != "causal" and (within(name, tops) or bool(_pooler(name)))

    for name, found, wanted in sorted(loaded["mismatched_keys"]):
        if not new(name):
            yield f"{name} has size {list(found)} in the weights and {list(wanted)} by config.json"
    for name in sorted(loaded["missing_keys"]):
        if not new(name):
            yield f"its weights lack {name}"


def _pooler(name: str) -> str:
    """The path of the pooler that the parameter `name` belongs to; '' if it is in none."""
    parts = name.split(".")
    return ".".join(parts[: parts.index("pooler") + 1]) if "pooler" in parts else ""


def _sees_ahead(model: Any) -> bool:
    """Whether another last token changes what is said of those before, as in a BERT."""
    tokens = torch.arange(3, 7).repeat(2, 1) % model.config.get_text_config().vocab_size
    tokens[1, -1] = 0
    with torch.inference_mode():
        logits = model(input_ids=tokens, attention_mask=torch.ones_like(tokens)).logits[:, :-1]
    return not torch.allclose(logits[0], logits[1], rtol=1e-3, atol=1e-3)


def _set_pad_token(model: Any, folder: Path) -> None:
    """Have the model pool at the last token that the tokenizer did not add as padding."""
    config = model.config.get_text_config()
    ends = getattr(config, "eos_token_id", None)
    end = ends[0] if isinstance(ends, list) else ends  # Llama 3 has several
    pad = pad_token(folder)
    if pad is not None and pad >= config.vocab_size:
        raise ModelError(
            f"{folder}: its tokenizer pads with token {pad}; the model has {config.vocab_size}",
            "choose a token of the model as pad_token in tokenizer_config.json",
        )
    for named in {id(each): each for each in (config, model.config)}.values():
        if pad is not None:
            named.pad_token_id = pad
        elif named.pad_token_id is None:
            named.pad_token_id = end


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
