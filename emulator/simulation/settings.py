"""Settings of the rounds of a simulation: number, target, evaluation, privacy."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from emulator.common.distributions import only
from emulator.simulation.target import FIRST, Rule, reached_at
from flasc.common.settings import Fraction, PositiveFloat, PositiveInt, Settings, newer
from flasc.common.tagged_unions import ShortForm
from flasc.training.settings import Privacy, Scaling


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
    """Target accuracy on the validation split; reports state the time to reach it.

    `rule` says which evaluation reaches it: see `emulator.simulation.target`. Training ends
    `stop_after` evaluations after that one; `never`: at the last round.
    """

    accuracy: Accuracy
    rule: Rule = newer(FIRST)
    stop_after: Annotated[int, Field(ge=0, le=2**31 - 1)] | Literal["never"] = 2

    def reached(self, accuracies: Sequence[float]) -> bool:
        """Whether a training with these evaluations has reached the target."""
        return reached_at(accuracies, self.accuracy, self.rule) is not None

    def ends(self, accuracies: Sequence[float]) -> bool:
        """Whether a training with these evaluations is at its end."""
        if self.stop_after == "never":
            return False
        hit = reached_at(accuracies, self.accuracy, self.rule)
        return hit is not None and len(accuracies) - 1 - hit >= self.stop_after


def _as_target(value: object) -> object:
    """An accuracy alone, like '70 %', is a target with the default `stop_after`."""
    is_alone = isinstance(value, str | int | float) and not isinstance(value, bool)
    return {"accuracy": value} if is_alone else value


class EvaluationPlan(Settings):
    """Evaluates on the validation split every `every` rounds, on its first `examples` if given.

    `test` evaluates the last model once on the test split, with the same limit.
    """

    every: PositiveInt = 1
    examples: PositiveInt | None = None
    test: bool = False


class RoundPlan(Settings):
    """The training settings that policies use; `cohort` is the number of clients per round."""

    rounds: PositiveInt
    cohort: PositiveInt = 10
    target: Annotated[Target | None, ShortForm(_as_target, types=("string", "number"))] = None
    evaluation: EvaluationPlan = EvaluationPlan()
    dp: DifferentialPrivacy | None = None
