"""The forward pass of the cohort engine: the model's function with less work.

Exact optimisations, each measured in bench/training.py: padding is removed, on a CPU also from
attention; dropout is a hash; the projections of q, k and v are one product; and the last block
computes only the pooled token, since no other output is used.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from flasc.models.dropout import hashes, kept, places
from flasc.training.cohort.encoder import Block, Encoder, Projection
from flasc.training.cohort.lora import project
from flasc.training.cohort.pack import Packed

Leaves = Mapping[int, Tensor]  # by a span's start: float32 [clients, *shape of the parameter]


class Dropper:
    """Selects the entries that dropout keeps; two layers on one input share a hash."""

    def __init__(self, rows: Tensor, tokens: int) -> None:
        """`rows`: int32 keys of the rows; `tokens`: the length of the longest row."""
        self._rows, self._tokens = rows, tokens
        self._places: dict[tuple[int, int], Tensor] = {}
        self._half: tuple[tuple[int, int, int], Tensor] | None = None

    def kept(self, x: Tensor, site: int, p: float, row: Tensor, token: Tensor) -> Tensor | None:
        """int32 mask like `x` [tokens, features], for the given rows and positions."""
        if not p:
            return None
        key = (site // 2, *x.shape)
        if self._half is None or self._half[0] != key:
            place = places(site, self._tokens, x.shape[1], x.device)
            self._half = key, hashes(self._rows[row].unsqueeze(1), place[token])
        return kept(self._half[1], site, p)


@dataclass(frozen=True)
class Pass:
    """One forward pass over a batch with the adapters in `leaves`."""

    encoder: Encoder
    batch: Packed
    leaves: Leaves
    dropper: Dropper | None
    prune: bool = True
    padded: bool = False  # attention over all rows at once instead of per length

    def logits(self) -> Tensor:
        """float32 [rows, classes]."""
        return self.head(self.pooled(self.embedded()))

    def embedded(self) -> Tensor:
        """The frozen embeddings of the real tokens: [tokens, width]."""
        with torch.no_grad():
            x = self.encoder.embed(self.batch.inputs)
        x = x.reshape(-1, x.shape[-1])
        return x if self.batch.place is None else x[self.batch.place]

    def below(self, layers: int) -> Tensor:
        """The output of the lowest `layers` layers for the real tokens: [tokens, width]."""
        x = self.embedded()
        for block in self.encoder.blocks[:layers]:
            x = self._block(block, x)
        return x

    def pooled(self, x: Tensor, layers: int = 0) -> Tensor:
        """The head's input for each row: [rows, width]; `x` is the output of `layers` layers."""
        for block in self.encoder.blocks[layers:-1]:
            x = self._block(block, x)
        last = self.encoder.blocks[-1]
        x = self._pruned(last, x) if self.prune else self._block(last, x)[self.batch.pooled]
        if self.encoder.final is not None:
            x = self.encoder.final(x)
        if (pooler := self.encoder.pooler) is not None:
            x = torch.tanh(F.linear(x, pooler.weight, pooler.bias))
        return x

    def head(self, pooled: Tensor) -> Tensor:
        """Logits by each client's own head for its rows: float32 [rows, classes]."""
        weight = self.leaves[self.encoder.head_weight.start]
        span = self.encoder.head_bias
        bias = None if span is None else self.leaves[span.start]
        pooled = pooled.float()
        logits = [
            F.linear(pooled[a:b], weight[c], None if bias is None else bias[c])
            for c, (a, b) in enumerate(self.batch.row_runs)
        ]
        return torch.cat(logits)

    def _project(self, x: Tensor, projection: Projection, only_pooled: bool = False) -> Tensor:
        batch = self.batch
        row, token, runs = batch.row, batch.token, batch.token_runs
        if only_pooled:
            row, token, runs = row[batch.pooled], token[batch.pooled], batch.row_runs
        adapters = []
        for site in projection.sites:
            b = self.leaves[site.b.start][:, site.skipped : site.skipped + site.hi - site.lo]
            stay = None
            if self.dropper is not None:
                stay = self.dropper.kept(x, site.index, site.dropout, row, token)
            a = site.a
            a = a.expand(len(b), -1, -1) if isinstance(a, Tensor) else self.leaves[a.start]
            adapters.append((a, b, stay))
        return project(x, projection, adapters, runs)

    def _block(self, block: Block, x: Tensor) -> Tensor:
        first = self.encoder.norm_first
        qkv = self._project(block.norm_attention(x) if first else x, block.qkv)
        x = x + self._project(self._attend(qkv, block.scale), block.out)
        return self._mlp(block, x if first else block.norm_attention(x))

    def _pruned(self, block: Block, x: Tensor) -> Tensor:
        """The output of the block for the pooled tokens: [rows, width]."""
        first, batch = self.encoder.norm_first, self.batch
        width = x.shape[1]
        normed = block.norm_attention(x) if first else x
        q = self._project(normed[batch.pooled], block.qkv.outputs(0, width), only_pooled=True)
        kv = self._project(normed, block.qkv.outputs(width, 3 * width))
        k, v = self._heads(self._pad(kv), batch.rows, 2)
        q = q.view(batch.rows, self.encoder.heads, 1, -1)
        mask = None if batch.attends.all() else batch.attends[:, None, None]
        answer = _attended(q, k, v, attn_mask=mask, scale=block.scale)
        answer = self._project(answer.reshape(batch.rows, width), block.out, only_pooled=True)
        x = x[batch.pooled] + answer
        return self._mlp(block, x if first else block.norm_attention(x), only_pooled=True)

    def _mlp(self, block: Block, x: Tensor, only_pooled: bool = False) -> Tensor:
        first = self.encoder.norm_first
        inner = self._project(block.norm_perceptron(x) if first else x, block.up, only_pooled)
        x = x + self._project(self.encoder.activation(inner), block.down, only_pooled)
        return x if first else block.norm_perceptron(x)

    def _attend(self, qkv: Tensor, scale: float) -> Tensor:
        batch = self.batch
        if self.padded and batch.place is not None:
            # Padding is on the right, where the real tokens of a causal model do not look.
            mask = None if self.encoder.causal else batch.attends[:, None, None]
            return self._attention(self._pad(qkv), batch.rows, scale, mask)[batch.place]
        parts = torch.split(qkv, [rows * length for rows, length in batch.blocks])
        pairs = zip(parts, batch.blocks, strict=True)
        found = [self._attention(part, rows, scale) for part, (rows, _) in pairs]
        return torch.cat(found) if len(found) > 1 else found[0]

    def _attention(
        self, qkv: Tensor, rows: int, scale: float, mask: Tensor | None = None
    ) -> Tensor:
        """Attention over rows of one length: [rows * length, width]."""
        q, k, v = self._heads(qkv, rows, 3)
        answer = _attended(q, k, v, attn_mask=mask, is_causal=self.encoder.causal, scale=scale)
        return answer.transpose(1, 2).reshape(len(qkv), -1)

    def _pad(self, flat: Tensor) -> Tensor:
        """From real tokens to [rows * length, width], zero for padding."""
        batch = self.batch
        if batch.place is None:
            return flat
        padded = flat.new_zeros(batch.rows * batch.length, flat.shape[1])
        return padded.index_copy(0, batch.place, flat)

    def _heads(self, flat: Tensor, rows: int, parts: int) -> tuple[Tensor, ...]:
        """From [rows * n, parts * width] to `parts` of [rows, heads, n, width / heads]."""
        split = flat.view(rows, len(flat) // rows, parts, self.encoder.heads, -1)
        return split.permute(2, 0, 3, 1, 4).unbind(0)


def _attended(q: Tensor, k: Tensor, v: Tensor, **options: Any) -> Tensor:
    """Scaled dot-product attention; bf16 on a CPU is computed in float32.

    torch has no quick bf16 attention for CPUs: backward took 65 ms where float32 takes 8 (Zen 4,
    torch 2.13). The products before and after it stay bf16.
    """
    if q.dtype is not torch.bfloat16 or q.device.type != "cpu":
        return F.scaled_dot_product_attention(q, k, v, **options)
    found = F.scaled_dot_product_attention(q.float(), k.float(), v.float(), **options)
    return found.to(q.dtype)
