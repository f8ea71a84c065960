"""What a task asks of its model: the loss that trains it, and the metric that scores it.

A metric is a ratio of two whole numbers summed over examples (`tally`), from 0 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Tally = NDArray[np.int64]  # [kinds, 2]: what adds up to a metric's numerator and denominator
IGNORED = -100  # a label that neither trains nor counts, as in torch and transformers


class Objective(Protocol):
    """`logits` are the model's, `labels` the task's, both of the same rows."""

    @property
    def metric(self) -> str:
        """Name of the metric."""

    @property
    def problem(self) -> str | None:
        """What transformers calls it (`problem_type`), where it has to be told."""

    def losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Mean loss of each row, nats: float32 [rows]."""

    def tally(self, logits: Tensor, labels: Tensor) -> Tally:
        """Numerator and denominator of the metric, by label where an example has just one."""


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
        """Rows whose largest logit is the label's, of all rows; int64 [classes, 2]."""
        asked, said = labels.cpu().numpy(), logits.argmax(-1).cpu().numpy()
        of = np.bincount(asked, minlength=logits.shape[-1])
        return np.stack([np.bincount(asked[asked == said], minlength=len(of)), of], axis=1)


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
        """2 TP of 2 TP + FP + FN, at a probability of 0.5, over all rows and labels: [1, 2]."""
        said, true = logits >= 0, labels > 0.5
        return np.array([[2 * int((said & true).sum()), int(said.sum()) + int(true.sum())]])


@dataclass(frozen=True)
class NextToken:
    """Each next token: logits [rows, tokens, vocabulary], labels int64 [rows, tokens].

    The labels are the inputs, IGNORED where padding stands; position t is asked for token t + 1.
    """

    metric: Literal["next-token accuracy"] = "next-token accuracy"
    problem: None = None

    def losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Cross entropy, mean over a row's tokens; zero for a row with none."""
        from torch.nn import functional as F

        asked = labels[:, 1:]
        each = F.cross_entropy(
            logits[:, :-1].transpose(1, 2).float(), asked, reduction="none", ignore_index=IGNORED
        )
        return each.sum(1) / (asked != IGNORED).sum(1).clamp(min=1)

    def tally(self, logits: Tensor, labels: Tensor) -> Tally:
        """Tokens that had the largest logit, of all that are asked for: [1, 2]."""
        asked = labels[:, 1:]
        right = (logits[:, :-1].argmax(-1) == asked) & (asked != IGNORED)
        return np.array([[int(right.sum()), int((asked != IGNORED).sum())]])
