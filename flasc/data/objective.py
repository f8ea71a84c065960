"""The loss that trains a model and the metric that evaluates it.

A metric is computed from whole numbers that are summed over examples (`tally`), so that it does not
depend on their batches.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Tally = NDArray[np.int64]  # [labels or 1, 2 or 3]: what is summed, first a numerator of the metric
NATS = 1 << 20  # a tally counts losses in this part of a nat
MOST_NATS = 230.0  # of a mean loss, so that a perplexity is finite
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
        """What the metric needs of these rows, per label if each example has one label.

        The first two columns are then the examples of a label that were right, and all of them.
        """

    def value(self, tally: Tally) -> float:
        """The metric from the sum of all tallies."""


class _Ratio:
    """A metric that is a ratio of two sums; 0 for no examples."""

    def value(self, tally: Tally) -> float:
        """The first sum by the second."""
        part, of = tally.sum(axis=0).tolist()
        return part / of if of else 0.0


@dataclass(frozen=True)
class SingleLabel(_Ratio):
    """One of several classes: logits [rows, classes], labels int64 [rows]."""

    metric: str = "accuracy"
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
class MacroF1(SingleLabel):
    """One of several classes, scored by the mean of the classes' F1, whatever their sizes."""

    metric: str = "macro F1"

    def tally(self, logits: Tensor, labels: Tensor) -> Tally:
        """As for accuracy, and the rows that were taken for each class: int64 [classes, 3]."""
        taken = np.bincount(logits.argmax(-1).cpu().numpy(), minlength=logits.shape[-1])
        return np.concatenate([super().tally(logits, labels), taken[:, None]], axis=1)

    def value(self, tally: Tally) -> float:
        """The mean of 2 TP / (2 TP + FP + FN), without classes that do not occur at all.

        As scikit-learn's f1_score with average="macro" and zero_division=0.
        """
        right, of, taken = tally.T
        occurs = of + taken > 0
        return float(np.mean(2 * right[occurs] / (of + taken)[occurs])) if occurs.any() else 0.0


@dataclass(frozen=True)
class MultiLabel(_Ratio):
    """Any number of labels: logits [rows, labels], labels float32 zero or one, the same shape."""

    metric: str = "micro F1"
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
class NextToken(_Ratio):
    """Each next token: logits [rows, tokens, vocabulary], labels int64 [rows, tokens].

    Labels are the inputs, with IGNORED for padding and for what is not to be learned; position t
    predicts token t + 1.
    """

    metric: str = "next-token accuracy"
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

    def tally_tokens(self, right: Tensor, nats: Tensor, row: Tensor) -> Tally:  # noqa: ARG002
        """The same from each label: whether it is right, its loss, float64, and its row."""
        return np.array([[int(right.sum()), len(right)]])


@dataclass(frozen=True)
class Perplexity(NextToken):
    """Each next token, scored by the exponential of the mean loss of all tokens; less is better."""

    metric: str = "perplexity"

    def tally(self, logits: Tensor, labels: Tensor) -> Tally:
        """The loss of all tokens in units of 1 / NATS, and their number: int64 [1, 2]."""
        counts = (labels[:, 1:] != IGNORED).sum(1)
        return self._tally(self.losses(logits, labels).double() * counts, int(counts.sum()))

    def tally_tokens(self, right: Tensor, nats: Tensor, row: Tensor) -> Tally:  # noqa: ARG002
        """The same from each label."""
        return self._tally(nats, len(nats))

    def _tally(self, nats: Tensor, count: int) -> Tally:
        total = float(nats.sum())
        if not math.isfinite(total):  # the loss reports that the training diverged
            total = MOST_NATS * count
        return np.array([[round(total * NATS), count]])

    def value(self, tally: Tally) -> float:
        """At most e^MOST_NATS, about 1e100."""
        return math.exp(min(super().value(tally) / NATS, MOST_NATS))


@dataclass(frozen=True)
class ExactMatch(NextToken):
    """Each next token, scored by the share of rows all of whose tokens are right.

    These are the rows for which greedy generation gives the labels exactly: it has then made the
    same tokens up to each position.
    """

    metric: str = "exact match"

    def tally(self, logits: Tensor, labels: Tensor) -> Tally:
        """Number of rows that are right, and of rows with a token to predict: int64 [1, 2]."""
        targets = labels[:, 1:]
        asked = targets != IGNORED
        right = ((logits[:, :-1].argmax(-1) == targets) | ~asked).all(1) & asked.any(1)
        return np.array([[int(right.sum()), int(asked.any(1).sum())]])

    def tally_tokens(self, right: Tensor, nats: Tensor, row: Tensor) -> Tally:  # noqa: ARG002
        """The same from each label."""
        asked, wrong = (int((each.bincount() > 0).sum()) for each in (row, row[~right]))
        return np.array([[asked - wrong, asked]])


# What language models are scored by.
LANGUAGE: dict[str, NextToken] = {
    each.metric: each for each in (NextToken(), Perplexity(), ExactMatch())
}
