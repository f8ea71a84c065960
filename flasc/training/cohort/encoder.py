"""A transformers model as frozen weights and the positions of LoRA layers.

BERT, GPT-2 and ViT have one structure: embeddings, blocks of attention and a two-layer MLP with
normalisation before or after, one pooled token, and a linear head. Only module names differ.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.pytorch_utils import Conv1D

from flasc.models.adapter import Adapter, Span
from flasc.training.settings import Client

Inputs = dict[str, Tensor]


@dataclass(frozen=True)
class Site:
    """A LoRA layer: its spans of the vector, and the outputs [lo, hi) that it adds to.

    The rows of B from `skipped` on belong to these outputs. `a` is a tensor if A is frozen.
    """

    a: Span | Tensor
    b: Span
    rank: int
    lo: int
    hi: int
    scaling: float
    dropout: float
    index: int  # number of the LoRA layer, for dropout
    skipped: int = 0


@dataclass(frozen=True)
class Projection:
    """A frozen linear layer, weight [out, in], or several layers on one input side by side."""

    weight: Tensor
    bias: Tensor | None
    sites: tuple[Site, ...]

    def outputs(self, lo: int, hi: int) -> "Projection":
        """Only the outputs [lo, hi) and what the sites add to them."""
        within = [site for site in self.sites if site.lo < hi and site.hi > lo]
        sites = tuple(
            replace(s, lo=max(s.lo, lo) - lo, hi=min(s.hi, hi) - lo, skipped=max(0, lo - s.lo))
            for s in within
        )
        bias = None if self.bias is None else self.bias[lo:hi]
        return Projection(self.weight[lo:hi], bias, sites)


@dataclass(frozen=True)
class Norm:
    """A frozen layer norm over the last dimension."""

    weight: Tensor
    bias: Tensor
    eps: float

    def __call__(self, x: Tensor) -> Tensor:
        """`x` normalised over its last dimension."""
        return F.layer_norm(x, self.weight.shape, self.weight, self.bias, self.eps)


@dataclass(frozen=True)
class Block:
    """One layer: q, k and v side by side; the output of attention; the two halves of the MLP."""

    qkv: Projection
    out: Projection
    up: Projection
    down: Projection
    norm_attention: Norm
    norm_perceptron: Norm
    scale: float  # factor of the attention logits

    @property
    def projections(self) -> tuple[Projection, ...]:
        """All projections, in the order of the forward pass."""
        return self.qkv, self.out, self.up, self.down

    def projected(self, change: Callable[[Projection], Projection]) -> "Block":
        """The block with each projection replaced by what `change` returns for it."""
        qkv, out, up, down = map(change, self.projections)
        return replace(self, qkv=qkv, out=out, up=up, down=down)


@dataclass(frozen=True)
class Encoder:
    """A model for the forward pass. `embed` gives [rows, tokens, width] from frozen weights."""

    embed: Callable[[Inputs], Tensor]
    blocks: tuple[Block, ...]
    norm_first: bool  # GPT-2, ViT; BERT normalises after the residual sum
    causal: bool
    heads: int
    activation: Callable[[Tensor], Tensor]
    final: Norm | None
    pool: Literal["first", "last"]
    pad_token: int | None
    pooler: Projection | None  # BERT's, with tanh; frozen
    head_weight: Span
    head_bias: Span | None

    def to(self, dtype: torch.dtype) -> "Encoder":
        """The encoder with weights in `dtype`; embeddings are looked up in float32 and cast."""
        if dtype == torch.float32:
            return self

        def projection(one: Projection) -> Projection:
            bias = None if one.bias is None else one.bias.to(dtype)
            return replace(one, weight=one.weight.to(dtype), bias=bias)

        def norm(one: Norm) -> Norm:
            return replace(one, weight=one.weight.to(dtype), bias=one.bias.to(dtype))

        def converted(block: Block) -> Block:
            return replace(
                block.projected(projection),
                norm_attention=norm(block.norm_attention),
                norm_perceptron=norm(block.norm_perceptron),
            )

        embed = self.embed
        return replace(
            self,
            embed=lambda inputs: embed(inputs).to(dtype),
            blocks=tuple(map(converted, self.blocks)),
            final=None if self.final is None else norm(self.final),
            pooler=None if self.pooler is None else projection(self.pooler),
        )


@dataclass(frozen=True)
class _Names:
    """Names of the modules of an architecture; alternatives belong to different releases."""

    body: str
    layers: tuple[str, ...]
    qkv: tuple[tuple[str, ...], ...]
    out: tuple[str, ...]
    up: tuple[str, ...]
    down: tuple[str, ...]
    norm_attention: str
    norm_perceptron: str
    final: str | None
    head: str
    norm_first: bool = True
    causal: bool = False
    pool: Literal["first", "last"] = "first"


_BERT = _Names(
    body="bert",
    layers=("encoder.layer",),
    qkv=(("attention.self.query", "attention.self.key", "attention.self.value"),),
    out=("attention.output.dense",),
    up=("intermediate.dense",),
    down=("output.dense",),
    norm_attention="attention.output.LayerNorm",
    norm_perceptron="output.LayerNorm",
    final=None,
    head="classifier",
    norm_first=False,
)
_GPT2 = _Names(
    body="transformer",
    layers=("h",),
    qkv=(("attn.c_attn",),),
    out=("attn.c_proj",),
    up=("mlp.c_fc",),
    down=("mlp.c_proj",),
    norm_attention="ln_1",
    norm_perceptron="ln_2",
    final="ln_f",
    head="score",
    causal=True,
    pool="last",
)
_VIT = _Names(
    body="vit",
    layers=("layers", "encoder.layer"),
    qkv=(
        ("attention.q_proj", "attention.k_proj", "attention.v_proj"),
        ("attention.attention.query", "attention.attention.key", "attention.attention.value"),
    ),
    out=("attention.o_proj", "attention.output.dense"),
    up=("mlp.fc1", "intermediate.dense"),
    down=("mlp.fc2", "output.dense"),
    norm_attention="layernorm_before",
    norm_perceptron="layernorm_after",
    final="layernorm",
    head="classifier",
)
ARCHITECTURES = {"bert": _BERT, "gpt2": _GPT2, "vit": _VIT}


def supported(adapter: Adapter, settings: Client) -> bool:
    """Whether the cohort engine knows the model and can train its scope."""
    base = _base(adapter)
    names = ARCHITECTURES.get(base.config.model_type)
    # A causal language model has no head of its own, and a BERT without a pooler trains a new one.
    known = names is not None and adapter.heads == [names.head]
    return known and adapter.scope != "all" and not settings.base_dropout


def read(adapter: Adapter) -> Encoder:
    """The model of `adapter`, which must be `supported`; frozen weights are shared or copied.

    An assertion fails if LoRA wraps a module outside the blocks (an embedding, the pooler).
    """
    base = _base(adapter)
    config = base.config
    names = ARCHITECTURES[config.model_type]
    body = base.get_submodule(names.body)
    spans = dict(zip(map(id, adapter.parameters), adapter.spans, strict=True))
    sites = {id(layer): index for index, layer in enumerate(adapter.lora_layers())}
    reader = _Reader(spans, {} if adapter.scope == "head" else sites)
    layers: Any = _first(body, names.layers)
    heads = int(config.num_attention_heads)
    blocks = []
    for number, layer in enumerate(layers):
        scale = (int(config.hidden_size) // heads) ** -0.5
        if names is _GPT2:
            scale = scale if config.scale_attn_weights else 1.0
            scale /= number + 1 if config.scale_attn_by_inverse_layer_idx else 1
        qkv = next(group for group in names.qkv if _has(layer, group[0]))
        blocks.append(
            Block(
                qkv=reader.projection([layer.get_submodule(name) for name in qkv]),
                out=reader.projection([_first(layer, names.out)]),
                up=reader.projection([_first(layer, names.up)]),
                down=reader.projection([_first(layer, names.down)]),
                norm_attention=_norm(layer.get_submodule(names.norm_attention)),
                norm_perceptron=_norm(layer.get_submodule(names.norm_perceptron)),
                scale=scale,
            )
        )
    head: Any = base.get_submodule(names.head)
    linear = head.modules_to_save["default"]
    pooler: Any = getattr(body, "pooler", None) if names is _BERT else None
    used = reader.used | {id(linear.weight), id(linear.bias)}
    assert adapter.scope == "head" or set(spans) <= used, "a LoRA layer outside the blocks"
    activation = getattr(config, "activation_function", None) or config.hidden_act
    return Encoder(
        embed=partial(_gpt2_embed if names is _GPT2 else _embed, body),
        blocks=tuple(blocks),
        norm_first=names.norm_first,
        causal=names.causal,
        heads=heads,
        activation=_activation(str(activation)),
        final=_norm(body.get_submodule(names.final)) if names.final else None,
        pool=names.pool,
        pad_token=config.pad_token_id if names is _GPT2 else None,
        pooler=None if pooler is None else Projection(pooler.dense.weight, pooler.dense.bias, ()),
        head_weight=spans[id(linear.weight)],
        head_bias=None if linear.bias is None else spans[id(linear.bias)],
    )


class _Reader:
    """Reads linear layers, with or without LoRA, and records which parameters it has used."""

    def __init__(self, spans: dict[int, Span], sites: dict[int, int]) -> None:
        self._spans, self._sites = spans, sites
        self.used: set[int] = set()

    def projection(self, modules: list[nn.Module]) -> Projection:
        weights, biases, sites, lo = [], [], [], 0
        for module in modules:
            linear: Any = getattr(module, "base_layer", module)
            weight = linear.weight.detach()
            weights.append(weight.T if isinstance(linear, Conv1D) else weight)
            biases.append(None if linear.bias is None else linear.bias.detach())
            hi = lo + len(weights[-1])
            if id(module) in self._sites:
                sites.append(self._site(module, lo, hi))
            lo = hi
        whole = [bias for bias in biases if bias is not None]
        assert len(whole) in (0, len(biases))
        return Projection(
            torch.cat(weights).contiguous(), torch.cat(whole) if whole else None, tuple(sites)
        )

    def _site(self, layer: Any, lo: int, hi: int) -> Site:
        a, b = layer.lora_A["default"].weight, layer.lora_B["default"].weight
        self.used |= {id(a), id(b)}
        dropout = float(getattr(layer.lora_dropout["default"], "p", 0.0))
        return Site(
            self._spans.get(id(a), a.detach()),
            self._spans[id(b)],
            len(a),
            lo,
            hi,
            float(layer.scaling["default"]),
            dropout,
            self._sites[id(layer)],
        )


def _base(adapter: Adapter) -> Any:
    model: Any = adapter.model
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def _has(module: nn.Module, name: str) -> bool:
    return any(found == name for found, _ in module.named_modules())


def _first(module: nn.Module, names: tuple[str, ...]) -> nn.Module:
    return module.get_submodule(next(name for name in names if _has(module, name)))


def _norm(module: Any) -> Norm:
    return Norm(module.weight.detach(), module.bias.detach(), float(module.eps))


def _embed(body: Any, inputs: Inputs) -> Tensor:
    embedded: Tensor = body.embeddings(**{k: v for k, v in inputs.items() if k != "attention_mask"})
    return embedded


def _gpt2_embed(body: Any, inputs: Inputs) -> Tensor:
    ids = inputs["input_ids"]
    embedded: Tensor = body.wte(ids) + body.wpe(torch.arange(ids.shape[1], device=ids.device))
    return embedded


def _activation(name: str) -> Callable[[Tensor], Tensor]:
    """The activation; torch's fused GELU is 2.4 times as fast on a CPU as `gelu_new`."""
    if name == "gelu":
        return F.gelu
    if name in ("gelu_new", "gelu_fast", "gelu_pytorch_tanh"):
        return lambda x: F.gelu(x, approximate="tanh")
    assert name == "relu", f"unknown activation: {name}"
    return F.relu
