"""Settings of the rounds of a simulation: number, target, evaluation, privacy."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from emulator.common.distributions import only
from emulator.simulation.target import ACCURACY, FIRST, LOSS, Goal, Rule, Scored
from flasc.common.settings import Fraction, PositiveFloat, PositiveInt, Settings, newer
from flasc.common.tagged_unions import ShortForm
from flasc.training.settings import Precision, Privacy, Scaling


class DifferentialPrivacy(Settings):
    """Client-level privacy: (epsilon, `delta`) follows from noise, rounds and `sampling`.

    `fixed` draws `cohort` clients without replacement; `poisson` draws each client independently
    with probability cohort / clients, so that a round may be empty.
    """

    clip: PositiveFloat
    noise: Annotated[float, Field(ge=0.1, allow_inf_nan=False)]
    delta: Annotated[float, Field(gt=0, lt=1)]
    sampling: Literal["fixed", "poisson"] = "fixed"
    scaling: Scaling = "reference"

    def mechanism(self, cohort: int) -> Privacy:
        """The settings that change what is learned; delta and sampling do not."""
        return Privacy(clip=self.clip, noise=self.noise, scaling=self.scaling, cohort=cohort)


Accuracy = Annotated[
    Fraction, only(lambda x: 0 < x <= 1, "an accuracy above 0 and at most 1, like 70 %")
]


class Target(Settings):
    """The accuracy or the loss to reach on the validation split; reports state the time to it.

    `accuracy` is at least the task's metric, `loss` at most the mean loss per example. `rule` says
    which evaluation reaches it: see `emulator.simulation.target`. Training ends `stop_after`
    evaluations after that one; `never`: at the last round.
    """

    accuracy: Accuracy | None = newer(None)
    loss: PositiveFloat | None = newer(None)
    rule: Rule = newer(FIRST)
    stop_after: Annotated[int, Field(ge=0, le=2**31 - 1)] | Literal["never"] = 2

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.accuracy is None) == (self.loss is None):
            found = "neither accuracy nor loss" if self.loss is None else "accuracy and loss"
            raise ValueError(f"found {found}; allowed: one of them, like accuracy: 70 %")
        return self

    @property
    def goal(self) -> Goal:
        """What is to be reached."""
        if self.loss is not None:
            return Goal(self.loss, self.rule, LOSS)
        assert self.accuracy is not None, "a target has one of the two"
        return Goal(self.accuracy, self.rule, ACCURACY)

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

    return ShortForm(as_target, types=("string", "number"))


class EvaluationPlan(Settings):
    """Evaluates on the validation split every `every` rounds, on its first `examples` if given.

    `test` evaluates the last model once on the test split, with the same limit. `precision` is that
    of the engine's matrix products while it evaluates; None: as in training.
    """

    every: PositiveInt = 1
    examples: PositiveInt | None = None
    test: bool = False
    precision: Precision | None = newer(None)


class RoundPlan(Settings):
    """The training settings that policies use; `cohort` is the number of clients per round."""

    rounds: PositiveInt
    cohort: PositiveInt = 10
    target: Annotated[Target | None, short_target("accuracy")] = None
    evaluation: EvaluationPlan = EvaluationPlan()
    dp: DifferentialPrivacy | None = None

    @property
    def goal(self) -> Goal | None:
        """What is to be reached, if there is a target."""
        return self.target.goal if self.target else None
