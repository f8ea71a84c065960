"""Which models the cohort engine trains, and the names of their modules."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import nn

from flasc.data.objective import LANGUAGE, Objective, SingleLabel
from flasc.models.adapter import Adapter
from flasc.training.settings import Client

Names = tuple[str, ...]


@dataclass(frozen=True)
class Architecture:
    """Names of the modules; alternatives belong to different releases or models.

    `one_plus` says that norms multiply by 1 + weight.
    """

    body: str
    layers: Names
    qkv: tuple[Names, ...]
    out: Names
    up: tuple[Names, ...]
    down: Names
    norm_attention: str
    norm_perceptron: str
    final: str | None
    head: str
    norm_first: bool = True
    causal: bool = False
    family: Literal["bert", "gpt2", "vit", "llama"] = "llama"
    one_plus: bool = False


_BERT = Architecture(
    body="bert",
    layers=("encoder.layer",),
    qkv=(("attention.self.query", "attention.self.key", "attention.self.value"),),
    out=("attention.output.dense",),
    up=(("intermediate.dense",),),
    down=("output.dense",),
    norm_attention="attention.output.LayerNorm",
    norm_perceptron="output.LayerNorm",
    final=None,
    head="classifier",
    norm_first=False,
    family="bert",
)
_GPT2 = Architecture(
    body="transformer",
    layers=("h",),
    qkv=(("attn.c_attn",),),
    out=("attn.c_proj",),
    up=(("mlp.c_fc",),),
    down=("mlp.c_proj",),
    norm_attention="ln_1",
    norm_perceptron="ln_2",
    final="ln_f",
    head="score",
    causal=True,
    family="gpt2",
)
_VIT = Architecture(
    body="vit",
    layers=("layers", "encoder.layer"),
    qkv=(
        ("attention.q_proj", "attention.k_proj", "attention.v_proj"),
        ("attention.attention.query", "attention.attention.key", "attention.attention.value"),
    ),
    out=("attention.o_proj", "attention.output.dense"),
    up=(("mlp.fc1",), ("intermediate.dense",)),
    down=("mlp.fc2", "output.dense"),
    norm_attention="layernorm_before",
    norm_perceptron="layernorm_after",
    final="layernorm",
    head="classifier",
    family="vit",
)
_LLAMA = Architecture(
    body="model",
    layers=("layers",),
    qkv=(
        ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
        ("self_attn.qkv_proj",),  # Phi-3
    ),
    out=("self_attn.o_proj",),
    up=(("mlp.gate_proj", "mlp.up_proj"), ("mlp.gate_up_proj",)),
    down=("mlp.down_proj",),
    norm_attention="input_layernorm",
    norm_perceptron="post_attention_layernorm",
    final="norm",
    head="score",
    causal=True,
)
ARCHITECTURES = {
    "bert": _BERT,
    "gemma": replace(_LLAMA, one_plus=True),
    "gpt2": _GPT2,
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "phi3": _LLAMA,
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
    "smollm3": _LLAMA,
    "vit": _VIT,
}


def supported(
    adapter: Adapter,
    settings: Client,
    objective: Objective | None = None,
    tokens: int | None = None,
) -> bool:
    """Whether the cohort engine trains the model as the reference does.

    `objective` is SingleLabel if None. `tokens` is the length of the padded texts; None if it is
    not known.
    """
    base = base_model(adapter)
    names = ARCHITECTURES.get(base.config.model_type)
    if names is None or adapter.scope == "all" or settings.base_dropout:
        return False
    return (
        _head_known(adapter, base, names, objective or SingleLabel())
        and _attention_known(base.config, tokens)
        and (adapter.scope == "head" or _inside(adapter, base, names))
        and all(parameter.dtype == torch.float32 for parameter in base.parameters())
    )


def base_model(adapter: Adapter) -> Any:
    """The transformers model of `adapter`."""
    model: Any = adapter.model
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def layers_of(base: Any, names: Architecture) -> Any:
    """The blocks of the model, in order."""
    return first(base.get_submodule(names.body), names.layers)


def projections(layer: nn.Module, names: Architecture) -> Iterator[list[nn.Module]]:
    """The linear layers of a block in four groups: q, k and v; out; up; down."""
    for group in (names.qkv, (names.out,), names.up, (names.down,)):
        if group in ((names.out,), (names.down,)):
            yield [first(layer, group[0])]
        else:
            found = next(each for each in group if has(layer, each[0]))
            yield [layer.get_submodule(name) for name in found]


def has(module: nn.Module, name: str) -> bool:
    """Whether `module` has a module called `name`."""
    return any(found == name for found, _ in module.named_modules())


def first(module: nn.Module, names: Names) -> nn.Module:
    """The module that has one of the `names`."""
    return module.get_submodule(next(name for name in names if has(module, name)))


def _head_known(adapter: Adapter, base: Any, names: Architecture, objective: Objective) -> bool:
    if adapter.heads == [
        names.head
    ]:  # a classifier, and no new pooler; a causal one needs to know what padding is
        return not names.causal or base.config.pad_token_id is not None
    head = getattr(base, "lm_head", None)
    return (
        names.causal and type(head) is nn.Linear and type(objective) in map(type, LANGUAGE.values())
    )


def _attention_known(config: Any, tokens: int | None) -> bool:
    """Whether each token sees all tokens before it, if the model is causal at all."""
    if getattr(config, "use_bidirectional_attention", None):
        return False
    window = getattr(config, "sliding_window", None)
    return window is None or (tokens is not None and tokens <= window)


def _inside(adapter: Adapter, base: Any, names: Architecture) -> bool:
    """Whether LoRA wraps modules of the blocks only: no embedding, no pooler, no output layer."""
    groups = (group for layer in layers_of(base, names) for group in projections(layer, names))
    known = {id(module) for group in groups for module in group}
    return all(id(layer) in known for layer in adapter.lora_layers())
