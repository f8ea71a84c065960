"""The loss that trains a model and the metric that evaluates it.

A metric is a ratio, from 0 to 1, of two whole numbers that are summed over examples (`tally`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Tally = NDArray[np.int64]  # [labels or 1, 2]: summands of the metric's numerator and denominator
IGNORED = -100  # a label without loss and metric, as in torch and transformers


class Objective(Protocol):
    """Loss and metric; `logits` are the model's, `labels` the task's, for the same rows."""

    @property
    def metric(self) -> str:
        """Name of the metric."""

    @property
    def problem(self) -> str | None:
        """The `problem_type` of transformers, if it must be set."""

    def losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Mean loss of each row, nats: float32 [rows]."""

    def tally(self, logits: Tensor, labels: Tensor) -> Tally:
        """Numerator and denominator of the metric, per label if each example has one label."""


@dataclass(frozen=True)
class SingleLabel:
    """One of several classes: logits [rows, classes], labels int64 [rows]."""

    metric: Literal["accuracy"] = "accuracy"
    problem: None = None

    def losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Cross entropy."""
        from torch.nn import functional as F

        return F.cross_entropy(logits, labels, reduction="none")

    def tally(self, logits: Tensor, labels: Tensor) -> Tally:
        """Rows whose largest logit is that of the label, and all rows: int64 [classes, 2]."""
        true, predicted = labels.cpu().numpy(), logits.argmax(-1).cpu().numpy()
        of = np.bincount(true, minlength=logits.shape[-1])
        return np.stack([np.bincount(true[true == predicted], minlength=len(of)), of], axis=1)


@dataclass(frozen=True)
class MultiLabel:
    """Any number of labels: logits [rows, labels], labels float32 zero or one, the same shape."""

    metric: Literal["micro F1"] = "micro F1"
    problem: Literal["multi_label_classification"] = "multi_label_classification"

    def losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Binary cross entropy, mean over the labels."""
        from torch.nn import functional as F

        return F.binary_cross_entropy_with_logits(logits, labels, reduction="none").mean(1)

    def tally(self, logits: Tensor, labels: Tensor) -> Tally:
        """2 TP and 2 TP + FP + FN at a probability of 0.5, over rows and labels: int64 [1, 2]."""
        predicted, true = logits >= 0, labels > 0.5
        ends = 2 * int((predicted & true).sum()), int(predicted.sum()) + int(true.sum())
        return np.array([ends])


@dataclass(frozen=True)
class NextToken:
    """Each next token: logits [rows, tokens, vocabulary], labels int64 [rows, tokens].

    Labels are the inputs, with IGNORED for padding; position t predicts token t + 1.
    """

    metric: Literal["next-token accuracy"] = "next-token accuracy"
    problem: None = None

    def losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Cross entropy, mean over the tokens of a row; zero for a row without tokens."""
        from torch.nn import functional as F

        targets = labels[:, 1:]
        each = F.cross_entropy(
            logits[:, :-1].transpose(1, 2).float(), targets, reduction="none", ignore_index=IGNORED
        )
        return each.sum(1) / (targets != IGNORED).sum(1).clamp(min=1)

    def tally(self, logits: Tensor, labels: Tensor) -> Tally:
        """Number of tokens with the largest logit, and of all predicted tokens: int64 [1, 2]."""
        targets = labels[:, 1:]
        right = (logits[:, :-1].argmax(-1) == targets) & (targets != IGNORED)
        return np.array([[int(right.sum()), int((targets != IGNORED).sum())]])
