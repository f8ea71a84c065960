"""How updates become one vector: the weights of clients, and entries that were not sent."""

from collections.abc import Sequence

import torch
from torch import Tensor

from flasc.methods.base import Mask
from flasc.training.settings import Aggregation


def combined(
    settings: Aggregation,
    deltas: Sequence[Tensor],
    weights: Sequence[float],
    supports: Sequence[Mask],
    examples: Sequence[int],
) -> Tensor:
    """The sum of weight * delta, float32 [n], as `settings` say.

    `supports` are the entries that each client sent, and `examples` those that it trained on.
    """
    if settings.weights == "examples":
        weights = by_examples(weights, examples)
    total = weighted_sum(deltas, weights)
    return total if settings.zeros == "count" else over_senders(total, weights, supports)


def weighted_sum(deltas: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """Sum of weight * delta in the given order; entries that were not sent count as zero."""
    assert len(deltas) == len(weights) > 0
    total = torch.zeros_like(deltas[0])
    for delta, weight in zip(deltas, weights, strict=True):
        total.add_(delta, alpha=weight)
    return total


def by_examples(weights: Sequence[float], examples: Sequence[int]) -> list[float]:
    """`weights` times the number of examples, scaled to the same sum; unchanged without examples.

    With equal weights that sum to 1 this is the mean over examples of McMahan et al. 2017.
    """
    products = [weight * count for weight, count in zip(weights, examples, strict=True)]
    whole = sum(products)
    return [product * (sum(weights) / whole) for product in products] if whole else list(weights)


def over_senders(total: Tensor, weights: Sequence[float], supports: Sequence[Mask]) -> Tensor:
    """The weighted sum `total` with each entry scaled to all weights from those that sent it."""
    sent, whole = torch.zeros_like(total), torch.zeros_like(total)
    everything = torch.ones_like(total)
    for weight, support in zip(weights, supports, strict=True):
        sent.add_(everything if support is None else support.to(total.dtype), alpha=weight)
        whole.add_(everything, alpha=weight)  # rounded as `sent`: exactly 1 if all sent the entry
    return torch.where(sent > 0, total * (whole / sent), total)
