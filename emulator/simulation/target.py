"""Which evaluation reaches a target."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Rule = Literal["first", "mean3"]
FIRST: Rule = "first"  # the rule of runs that do not name theirs
# How many evaluations in a row a rule averages, and how reports say it.
WINDOW: dict[Rule, int] = {"first": 1, "mean3": 3}
MEANING: dict[Rule, str] = {
    "first": "at one evaluation",
    "mean3": "as the mean of three evaluations in a row",
}
# What an evaluation has. `accuracy` is the task's metric, whatever its name, and is to grow; so is
# `falling`, but it is to fall, like a perplexity. `loss` is the mean loss, and is to fall.
Measure = Literal["accuracy", "loss", "falling"]
ACCURACY: Measure = "accuracy"  # the measure of runs that do not name theirs
LOSS: Measure = "loss"
FALLING: Measure = "falling"
ROUNDING = 1e-12  # relative rounding error of a sum of scores


class Scored(Protocol):
    """An evaluation, or what is left of one."""

    @property
    def accuracy(self) -> float:
        """The task's metric: from 0 to 1 and to grow, except in some message logs."""

    @property
    def loss(self) -> float:
        """The mean loss per example; less is better."""


def merit(value: float, measure: Measure) -> float:
    """A value of `measure`, negated if it is to fall: more is better."""
    return value if measure == ACCURACY else -value


def value_text(value: float) -> str:
    """A target as text: two decimals, like '0.70', unless these are not its value: '0.125'."""
    is_short = abs(value) < 1e6 and math.isclose(round(value, 2), value, abs_tol=1e-12)
    return f"{value:.2f}" if is_short else f"{value:.6g}"


@dataclass(frozen=True, slots=True)
class Goal:
    """A target: `measure` of the evaluations is to reach `value`; `rule` says which one does."""

    value: float
    rule: Rule = FIRST
    measure: Measure = ACCURACY

    def reached_at(self, scores: Sequence[Scored]) -> int | None:
        """The index of the evaluation that reaches the target; None if none does.

        `first`: the first one that reaches it. `mean3`: the first one whose mean with the two
        before it reaches it.
        """
        size = WINDOW[self.rule]
        gains = map(self._gain, scores)
        if size == 1:
            return next((i for i, gain in enumerate(gains) if gain >= 0), None)
        gained, least = list(gains), -size * ROUNDING * self.value
        sums = (math.fsum(gained[i - size : i]) for i in range(size, len(gained) + 1))
        return next((i for i, total in enumerate(sums, size - 1) if total >= least), None)

    @property
    def demand(self) -> float:
        """The value, negated if it is to be reached from above: more is harder."""
        return merit(self.value, self.measure)

    def is_met_by(self, scores: Sequence[Scored]) -> bool:
        """Whether one of the evaluations alone reaches the target."""
        return any(self._gain(score) >= 0 for score in scores)

    def best(self, scores: Sequence[Scored]) -> float:
        """The best score of one or more, by the target's measure."""
        return self._of(max(scores, key=self._gain))

    def __str__(self) -> str:
        """The value, and the measure unless it is the task's metric: '0.70', 'loss 1.20'."""
        text = value_text(self.value)
        return f"{self.measure} {text}" if self.measure == LOSS else text

    def _gain(self, score: Scored) -> float:
        """How far a score is beyond the target; below 0: not there."""
        return merit(self._of(score), self.measure) - self.demand

    def _of(self, score: Scored) -> float:
        return score.loss if self.measure == LOSS else score.accuracy


def hardest(goals: Sequence[Goal]) -> Goal | None:
    """The goal that takes longest to reach, of goals of one measure; None without goals."""
    return max(goals, key=lambda goal: goal.demand, default=None)
