"""The loss of a language model from the tokens before a label, in small parts of the vocabulary's
logits.

Logits of 1,024 tokens are 620 MB for 151,936 words (Qwen), and as much again for their gradient.
The output embeddings are frozen and each token's loss depends on its own logits alone, so that the
gradient for the head's input is computed along with the loss, and no logits are kept.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from flasc.data.objective import NextToken
from flasc.training.client import Scored
from flasc.training.cohort.lean_model import TokenHead
from flasc.training.cohort.pack import Packed

LOGITS = 1 << 24  # at once


def token_losses(features: Tensor, head: TokenHead, labels: Tensor) -> Tensor:
    """Cross entropy of each label, nats: float32 [labels] from features [labels, width]."""
    # torch's `apply` is untyped.
    found: Tensor = _TokenLoss.apply(features, labels, head)  # type: ignore[no-untyped-call]
    return found


def token_scores(features: Tensor, head: TokenHead, batch: Packed, objective: NextToken) -> Scored:
    """What the metric needs of the labels, and the sum of the rows' mean losses."""
    right = [features.new_empty(0, dtype=torch.bool)]
    losses = [features.new_empty(0, dtype=torch.float64)]
    for part, logits in _parts(features, head):
        labels = batch.labels[part]
        right.append(logits.argmax(1) == labels)
        losses.append(F.cross_entropy(logits, labels, reduction="none").double())
    row, nats = batch.row[batch.read], torch.cat(losses)
    labelled = torch.bincount(row, minlength=batch.rows)[row]
    return objective.tally_tokens(torch.cat(right), nats, row), float((nats / labelled).sum())


def _parts(features: Tensor, head: TokenHead) -> Iterator[tuple[slice, Tensor]]:
    """The logits, float32 [tokens, vocabulary], of successive slices of the features."""
    step = max(1, LOGITS // len(head.weight))
    for start in range(0, len(features), step):
        part = slice(start, start + step)
        yield part, F.linear(features[part], head.weight, head.bias).float()


class _TokenLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, labels: Tensor, head: TokenHead) -> Tensor:
        losses = features.new_empty(len(features), dtype=torch.float32)
        gradient = torch.empty_like(features)
        for part, logits in _parts(features, head):
            chosen = labels[part].unsqueeze(1)
            whole = logits.logsumexp(1, keepdim=True)
            losses[part] = (whole - logits.gather(1, chosen)).squeeze(1)
            wrong = logits.sub_(whole).exp_()  # the probabilities
            wrong.scatter_add_(1, chosen, -torch.ones_like(whole))
            gradient[part] = wrong.to(features.dtype) @ head.weight
        ctx.save_for_backward(gradient)
        return losses

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (gradient,) = ctx.saved_tensors
        return (gradient * grads[0].unsqueeze(1)).to(gradient.dtype), None, None
