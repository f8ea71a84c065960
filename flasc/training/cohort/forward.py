"""The forward pass of the cohort engine: the model's function with less work.

Exact optimisations, each measured in bench/training.py: padding is removed, on a CPU also from
attention; dropout is a hash; the projections of q, k and v are one product; and the last block
computes only the tokens that the head reads, since no other output is used.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F

from flasc.models.dropout import hashes, kept, places
from flasc.training.cohort.attention import attended, split_heads
from flasc.training.cohort.lean_model import Block, ClassHead, LeanModel, Projection
from flasc.training.cohort.lora import project
from flasc.training.cohort.pack import Packed
from flasc.training.cohort.rotary import rotated

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

    model: LeanModel
    batch: Packed
    leaves: Leaves
    dropper: Dropper | None
    prune: bool = True
    padded: bool = False  # attention over all rows at once instead of per length

    def embedded(self) -> Tensor:
        """The frozen embeddings of the real tokens: [tokens, width]."""
        with torch.no_grad():
            x = self.model.embed(self.batch.inputs)
        x = x.reshape(-1, x.shape[-1])
        return x if self.batch.place is None else x[self.batch.place]

    def below(self, layers: int) -> Tensor:
        """The output of the lowest `layers` layers for the real tokens: [tokens, width]."""
        x = self.embedded()
        for block in self.model.blocks[:layers]:
            x = self._block(block, x)
        return x

    def features(self, x: Tensor, layers: int = 0) -> Tensor:
        """What the head reads: [outputs, width]; `x` is the output of `layers` layers."""
        model, last = self.model, self.model.blocks[-1]
        for block in model.blocks[layers:-1]:
            x = self._block(block, x)
        if not self.prune:
            x = self._block(last, x)[self.batch.read]
        elif model.reads == "labelled":
            x = self._block(last, x, only_read=True)
        else:
            x = self._pruned(last, x)
        if model.final is not None:
            x = model.final(x)
        if (pooler := model.pooler) is not None:
            x = torch.tanh(F.linear(x, pooler.weight, pooler.bias))
        return x

    def classify(self, features: Tensor) -> Tensor:
        """Logits by each client's own head for its rows: float32 [rows, classes]."""
        head = self.model.head
        assert isinstance(head, ClassHead)
        weight = self.leaves[head.weight.start]
        bias = None if head.bias is None else self.leaves[head.bias.start]
        features = features.float()
        logits = [
            F.linear(features[a:b], weight[c], None if bias is None else bias[c])
            for c, (a, b) in enumerate(self.batch.read_runs)
        ]
        return torch.cat(logits)

    def _project(self, x: Tensor, projection: Projection, only_read: bool = False) -> Tensor:
        batch = self.batch
        row, token, runs = batch.row, batch.token, batch.token_runs
        if only_read:
            row, token, runs = row[batch.read], token[batch.read], batch.read_runs
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

    def _block(self, block: Block, x: Tensor, only_read: bool = False) -> Tensor:
        """The output of the block for all tokens, or for those alone that the head reads."""
        first, heads = self.model.norm_first, self.model.heads
        qkv = self._project(block.norm_attention(x) if first else x, block.qkv)
        answer = self._attend(self._placed(block, qkv, heads.queries, heads.keys), block.scale)
        if only_read:
            x, answer = x[self.batch.read], answer[self.batch.read]
        x = x + self._project(answer, block.out, only_read)
        return self._mlp(block, x if first else block.norm_attention(x), only_read)

    def _pruned(self, block: Block, x: Tensor) -> Tensor:
        """The output of the block for the one token of each row that the head reads."""
        first, heads, batch = self.model.norm_first, self.model.heads, self.batch
        width, all_widths = heads.width, len(block.qkv.weight)
        normed = block.norm_attention(x) if first else x
        q = self._project(normed[batch.read], block.qkv.outputs(0, width), only_read=True)
        q = self._placed(block, q, heads.queries, 0, only_read=True)
        kv = self._project(normed, block.qkv.outputs(width, all_widths))
        kv = self._pad(self._placed(block, kv, 0, heads.keys))
        k, v = split_heads(kv, batch.rows, [heads.keys] * 2, heads.size)
        q = q.view(batch.rows, heads.queries, 1, -1)
        mask = None if batch.attends.all() else batch.attends[:, None, None]
        answer = attended(q, k, v, attn_mask=mask, scale=block.scale)
        answer = self._project(answer.reshape(batch.rows, width), block.out, only_read=True)
        x = x[batch.read] + answer
        return self._mlp(block, x if first else block.norm_attention(x), only_read=True)

    def _mlp(self, block: Block, x: Tensor, only_read: bool = False) -> Tensor:
        first = self.model.norm_first
        inner = self._project(block.norm_perceptron(x) if first else x, block.up, only_read)
        if self.model.gated:
            gate, inner = inner.chunk(2, dim=1)
            inner = self.model.activation(gate) * inner
        else:
            inner = self.model.activation(inner)
        x = x + self._project(inner, block.down, only_read)
        return x if first else block.norm_perceptron(x)

    def _placed(
        self, block: Block, x: Tensor, queries: int, keys: int, only_read: bool = False
    ) -> Tensor:
        """`x` [tokens, heads and more] after the norms and the rotation of its queries and keys.

        The heads of `queries` come first, then those of `keys`.
        """
        size = self.model.heads.size
        if block.norm_queries is not None and block.norm_keys is not None:
            q, k, v = torch.split(
                x, [queries * size, keys * size, x.shape[1] - (queries + keys) * size], dim=1
            )
            q = block.norm_queries(q.reshape(len(x), queries, size)).flatten(1)
            k = block.norm_keys(k.reshape(len(x), keys, size)).flatten(1)
            x = torch.cat([q, k, v], dim=1)
        if self._angles is None or not block.rotates:
            return x
        cos, sin = self._angles
        if only_read:
            cos, sin = cos[self.batch.read], sin[self.batch.read]
        return rotated(x, cos, sin, queries + keys, size)

    @cached_property
    def _angles(self) -> tuple[Tensor, Tensor] | None:
        """Cosines and sines of the positions of the tokens, in a model with rotary positions."""
        if self.model.rotary is None:
            return None
        cos, sin = self.model.rotary.table(self.batch.width, self.batch.token.device)
        return cos[self.batch.token], sin[self.batch.token]

    def _attend(self, qkv: Tensor, scale: float) -> Tensor:
        batch = self.batch
        if self.padded and batch.place is not None:
            # Padding is on the right, where the real tokens of a causal model do not look.
            mask = None if self.model.causal else batch.attends[:, None, None]
            return self._attention(self._pad(qkv), batch.rows, scale, mask)[batch.place]
        parts = torch.split(qkv, [rows * length for rows, length in batch.blocks])
        pairs = zip(parts, batch.blocks, strict=True)
        found = [self._attention(part, rows, scale) for part, (rows, _) in pairs]
        return torch.cat(found) if len(found) > 1 else found[0]

    def _attention(
        self, qkv: Tensor, rows: int, scale: float, mask: Tensor | None = None
    ) -> Tensor:
        """Attention over rows of one length: [rows * length, width]."""
        heads = self.model.heads
        q, k, v = split_heads(qkv, rows, [heads.queries, heads.keys, heads.keys], heads.size)
        answer = attended(q, k, v, attn_mask=mask, is_causal=self.model.causal, scale=scale)
        return answer.transpose(1, 2).reshape(len(qkv), -1)

    def _pad(self, flat: Tensor) -> Tensor:
        """From real tokens to [rows * length, width], zero for padding."""
        batch = self.batch
        if batch.place is None:
            return flat
        padded = flat.new_zeros(batch.rows * batch.length, flat.shape[1])
        return padded.index_copy(0, batch.place, flat)
