"""Which evaluation reaches a target."""

import math
from collections.abc import Sequence
from typing import Literal

Rule = Literal["first", "mean3"]
FIRST: Rule = "first"  # the rule of runs that do not name theirs
# How many evaluations in a row a rule averages, and how reports say it.
WINDOW: dict[Rule, int] = {"first": 1, "mean3": 3}
MEANING: dict[Rule, str] = {
    "first": "at one evaluation",
    "mean3": "as the mean of three evaluations in a row",
}
ROUNDING = 1e-12  # relative rounding error of a sum of accuracies


def reached_at(accuracies: Sequence[float], target: float, rule: Rule) -> int | None:
    """The index of the evaluation that reaches `target`; None if none does.

    `first`: the first one that reaches it. `mean3`: the first one whose mean with the two before it
    reaches it.
    """
    if rule == FIRST:
        return next((i for i, found in enumerate(accuracies) if found >= target), None)
    size = WINDOW[rule]
    least = size * target * (1 - ROUNDING)
    sums = (math.fsum(accuracies[i - size : i]) for i in range(size, len(accuracies) + 1))
    return next((i for i, total in enumerate(sums, size - 1) if total >= least), None)
