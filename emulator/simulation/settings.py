"""Settings of the rounds of a simulation: number, target, evaluation, privacy."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from emulator.common.distributions import only
from emulator.simulation.target import ACCURACY, FALLING, FIRST, LOSS, Goal, Measure, Rule, Scored
from flasc.common.settings import (
    Fraction,
    PositiveFloat,
    PositiveInt,
    Settings,
    fraction_schema,
    newer,
)
from flasc.common.tagged_unions import ShortForm
from flasc.training.settings import Precision, Privacy, Scaling


class DifferentialPrivacy(Settings):
    """Client-level privacy: (epsilon, `delta`) follows from noise, rounds and `sampling`.

    `fixed` draws `cohort` clients without replacement; `poisson` draws each client independently
    with probability cohort / clients, so that a round may be empty.
    """

    clip: PositiveFloat
    """bound on the L2 norm of a client's update, over all its entries"""
    noise: Annotated[float, Field(ge=0.1, allow_inf_nan=False)]
    """standard deviation of the noise on the sum of updates, in units of `clip`"""
    delta: Annotated[float, Field(gt=0, lt=1)]
    """delta for which epsilon is computed; well below 1 / number of clients"""
    sampling: Literal["fixed", "poisson"] = "fixed"
    """a cohort without replacement; each client independently with probability cohort / clients"""
    scaling: Scaling = "reference"
    """the mean update stays divided by `clip`, as in the reference code; or has the scale of the
    updates"""

    def mechanism(self, cohort: int) -> Privacy:
        """The settings that change what is learned; delta and sampling do not."""
        return Privacy(clip=self.clip, noise=self.noise, scaling=self.scaling, cohort=cohort)


Accuracy = Annotated[
    Fraction,
    only(lambda x: 0 < x <= 1, "an accuracy above 0 and at most 1, like 70 %"),
    fraction_schema("a fraction above 0 to 1, like 70 % or 0.7"),
]


# Keys of a target that name the metric of a task, beside `accuracy` for any that is to grow.
METRICS = {
    "macro_f1": "macro F1",
    "perplexity": "perplexity",
    "exact_match": "exact match",
    "token_accuracy": "next-token accuracy",
}


class Target(Settings):
    """The accuracy or the loss to reach on the validation split; reports state the time to it.

    `accuracy` is at least the task's metric, `loss` at most the mean loss per example; other keys
    name the metric. `rule` says
    which evaluation reaches it: see `emulator.simulation.target`. Training ends `stop_after`
    evaluations after that one; `never`: at the last round.
    """

    accuracy: Accuracy | None = newer(None)
    """one of the metrics is required: target accuracy on the validation split"""
    loss: PositiveFloat | None = newer(None)
    """target loss per example on the validation split, which is reached from above"""
    macro_f1: Accuracy | None = newer(None)
    """target macro F1, for a task that is [scored by](../howto/use_your_own_data.md#metrics) it"""
    perplexity: PositiveFloat | None = newer(None)
    """target perplexity, which is reached from above, for a task that is scored by it"""
    exact_match: Accuracy | None = newer(None)
    """target share of exact answers, for a task that is scored by it"""
    token_accuracy: Accuracy | None = newer(None)
    """target share of right tokens, for a task that is scored by next-token accuracy"""
    rule: Rule = newer(FIRST)
    """the evaluation that reaches the target: the first one at or beyond it; the first one whose
    mean with the two evaluations before it is at or beyond it"""
    stop_after: Annotated[int, Field(ge=0, le=2**31 - 1)] | Literal["never"] = 2
    """number of further evaluations after the target is reached"""

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if len(given := self._given()) != 1:
            found = " and ".join(given) or "neither accuracy nor loss"
            raise ValueError(f"found {found}; allowed: one of them, like accuracy: 70 %")
        return self

    def _given(self) -> dict[str, float]:
        found = {name: getattr(self, name) for name in ("accuracy", "loss", *METRICS)}
        return {name: value for name, value in found.items() if value is not None}

    @property
    def goal(self) -> Goal:
        """What is to be reached."""
        ((name, value),) = self._given().items()
        measures: dict[str, Measure] = {"loss": LOSS, "perplexity": FALLING}
        return Goal(value, self.rule, measures.get(name, ACCURACY))

    @property
    def key(self) -> str:
        """The key that has the value."""
        (name,) = self._given()
        return name

    def misfit(self, metric: str) -> str:
        """Why this is no target of a task with a metric of that name; '' if it is one."""
        name = self.key
        if name == "loss" or METRICS.get(name) == metric:
            return ""
        if name == "accuracy" and metric != "perplexity":
            return ""  # the task's metric, whatever its name
        key = next((key for key, of in METRICS.items() if of == metric), "accuracy")
        asked = f", or task.scored_by: {METRICS[name]}" if name in METRICS else ""
        return f"found {name} with a task scored by {metric}; allowed: {key} or loss{asked}"

    def ends(self, scores: Sequence[Scored]) -> bool:
        """Whether a training with these evaluations is at its end."""
        if self.stop_after == "never":
            return False
        hit = self.goal.reached_at(scores)
        return hit is not None and len(scores) - 1 - hit >= self.stop_after


def short_target(key: str) -> ShortForm:
    """The short form of a target: a value alone, like '70 %', is that of `key`."""

    def as_target(value: object) -> object:
        is_alone = isinstance(value, str | int | float) and not isinstance(value, bool)
        return {key: value} if is_alone else value

    return ShortForm(as_target, types=("string", "number"), about=f"its {key} alone")


class EvaluationPlan(Settings):
    """Evaluates on the validation split every `every` rounds, on its first `examples` if given.

    On the test split, the limit is the same. `precision` is that
    of the engine's matrix products while it evaluates; None: as in training.
    """

    every: PositiveInt = 1
    """rounds between evaluations; the last round is always evaluated"""
    examples: PositiveInt | None = None
    """number of examples, the first of each split; none: all"""
    test: bool | Literal["each"] = False
    """evaluate the last model on the test split as well, or with `each` all models that are
    evaluated"""
    precision: Precision | None = newer(None)
    """precision of matrix products while the model is evaluated; none: `training.precision`.
    Training keeps its own precision and bits"""


class RoundPlan(Settings):
    """The training settings that policies use; `cohort` is the number of clients per round."""

    rounds: PositiveInt
    """maximum number of server steps"""
    cohort: PositiveInt = 10
    """clients per round, at most all, drawn uniformly without replacement; for `poisson` sampling,
    the expected number"""
    target: Annotated[Target | None, short_target("accuracy")] = None
    """what the time to target refers to; none: no time to target"""
    evaluation: EvaluationPlan = EvaluationPlan()
    """when and on which examples the model is evaluated"""
    dp: DifferentialPrivacy | None = None
    """client-level [differential privacy](../howto/differential_privacy.md)"""

    @property
    def goal(self) -> Goal | None:
        """What is to be reached, if there is a target."""
        return self.target.goal if self.target else None
