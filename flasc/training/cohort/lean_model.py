"""A transformers model as frozen weights and the positions of LoRA layers.

BERT, GPT-2, ViT and the Llama family have one structure: embeddings, blocks of attention and an
MLP with normalisation before or after, and a head that reads one token of each row or every token
before a label. `architectures` says which models, and `reading` makes a `LeanModel` of one.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from flasc.models.adapter import Span
from flasc.training.cohort.norms import Norm
from flasc.training.cohort.rotary import Rotary

Inputs = dict[str, Tensor]
# Which tokens the head reads: the first or the last of each row, or each before a label.
Reads = Literal["first", "last", "labelled"]


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

    def to(self, dtype: torch.dtype) -> "Projection":
        """The projection with weight and bias in `dtype`."""
        bias = None if self.bias is None else self.bias.to(dtype)
        return replace(self, weight=self.weight.to(dtype), bias=bias)

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
class Heads:
    """Attention heads of `size` values: `queries` of them, and `keys` for keys and for values.

    Each key head serves queries / keys query heads (grouped-query attention).
    """

    queries: int
    keys: int
    size: int

    @property
    def width(self) -> int:
        """Number of values of a token's queries, and of its attention."""
        return self.queries * self.size


@dataclass(frozen=True)
class Block:
    """One layer: q, k and v side by side; the output of attention; the two halves of the MLP.

    In a gated MLP, `up` holds the gate and the values side by side.
    """

    qkv: Projection
    out: Projection
    up: Projection
    down: Projection
    norm_attention: Norm
    norm_perceptron: Norm
    scale: float  # factor of the attention logits
    norm_queries: Norm | None = None  # of each head (Qwen3)
    norm_keys: Norm | None = None
    rotates: bool = True  # whether the positions rotate q and k, in a model with rotary positions

    @property
    def projections(self) -> tuple[Projection, ...]:
        """All projections, in the order of the forward pass."""
        return self.qkv, self.out, self.up, self.down

    def projected(self, change: Callable[[Projection], Projection]) -> "Block":
        """The block with each projection replaced by what `change` returns for it."""
        qkv, out, up, down = map(change, self.projections)
        return replace(self, qkv=qkv, out=out, up=up, down=down)

    def to(self, dtype: torch.dtype) -> "Block":
        """The block with weights in `dtype`."""
        return replace(
            self.projected(lambda projection: projection.to(dtype)),
            norm_attention=self.norm_attention.to(dtype),
            norm_perceptron=self.norm_perceptron.to(dtype),
            norm_queries=None if self.norm_queries is None else self.norm_queries.to(dtype),
            norm_keys=None if self.norm_keys is None else self.norm_keys.to(dtype),
        )


@dataclass(frozen=True)
class ClassHead:
    """A classifier's linear layer, which each client trains in float32: its spans."""

    weight: Span
    bias: Span | None


@dataclass(frozen=True)
class TokenHead:
    """A language model's frozen output embeddings: weight [vocabulary, width]."""

    weight: Tensor
    bias: Tensor | None


@dataclass(frozen=True)
class LeanModel:
    """A model for the forward pass. `embed` gives [rows, tokens, width] from frozen weights."""

    embed: Callable[[Inputs], Tensor]
    blocks: tuple[Block, ...]
    norm_first: bool  # all but BERT, which normalises after the residual sum
    causal: bool
    heads: Heads
    activation: Callable[[Tensor], Tensor]
    gated: bool  # the MLP multiplies its values by the activation of its gate
    rotary: Rotary | None
    final: Norm | None
    reads: Reads
    pad_token: int | None
    pooler: Projection | None  # BERT's, with tanh; frozen
    head: ClassHead | TokenHead

    def to(self, dtype: torch.dtype) -> "LeanModel":
        """The model with weights in `dtype`; embeddings are looked up in float32 and cast."""
        if dtype == torch.float32:
            return self
        embed, head = self.embed, self.head
        if isinstance(head, TokenHead):
            bias = None if head.bias is None else head.bias.to(dtype)
            head = TokenHead(head.weight.to(dtype), bias)
        return replace(
            self,
            embed=lambda inputs: embed(inputs).to(dtype),
            blocks=tuple(block.to(dtype) for block in self.blocks),
            final=None if self.final is None else self.final.to(dtype),
            pooler=None if self.pooler is None else self.pooler.to(dtype),
            head=head,
        )
