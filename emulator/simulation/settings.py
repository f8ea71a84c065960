"""Settings of the rounds of a simulation: how many, until when, how they are evaluated."""

from typing import Annotated, Literal, Protocol

from pydantic import AfterValidator, BeforeValidator, Field

from flasc.common.settings import PositiveFloat, PositiveInt, Settings, parse_fraction
from flasc.training.settings import Privacy, Scaling


class DifferentialPrivacy(Settings):
    """Client-level privacy: (epsilon, `delta`) follows from noise, rounds and `sampling`.

    `fixed` draws `cohort` clients without replacement; `poisson` takes each client by itself with
    probability cohort / clients, so that a round may be empty.
    """

    clip: PositiveFloat
    noise: Annotated[float, Field(ge=0.1, allow_inf_nan=False)]
    delta: Annotated[float, Field(gt=0, lt=1)]
    sampling: Literal["fixed", "poisson"] = "fixed"
    scaling: Scaling = "reference"

    def mechanism(self, cohort: int) -> Privacy:
        """The part that changes what is learned: neither delta nor sampling does."""
        return Privacy(clip=self.clip, noise=self.noise, scaling=self.scaling, cohort=cohort)


def _accuracy(value: float) -> float:
    if not 0 < value <= 1:
        raise ValueError(f"found {value:g}; allowed: an accuracy above 0 and at most 1, like 70 %")
    return value


Accuracy = Annotated[float, BeforeValidator(parse_fraction), AfterValidator(_accuracy)]


class Target(Settings):
    """The accuracy on the validation split; the report says how long it takes to reach it.

    Training ends `stop_after` evaluations after the target; `never`: at the last round.
    """

    accuracy: Accuracy
    stop_after: Annotated[int, Field(ge=0, le=2**31 - 1)] | Literal["never"] = 2


class EvaluationPlan(Settings):
    """Evaluates on `validation` `every` so many rounds; `examples` limits it to the first ones.

    `test` evaluates the last model once on the test split, limited to the same number.
    """

    every: PositiveInt = 1
    examples: PositiveInt | None = None
    test: bool = False


class RoundPlan(Protocol):
    """What a policy asks of the training section: how many rounds, and when they end."""

    @property
    def rounds(self) -> int:
        """Number of rounds, unless the target ends the training before."""

    @property
    def cohort(self) -> int:
        """Number of clients per round."""

    @property
    def target(self) -> Target | None:
        """The accuracy that ends a training, if any."""

    @property
    def evaluation(self) -> EvaluationPlan:
        """When the model is evaluated, and on what."""

    @property
    def dp(self) -> DifferentialPrivacy | None:
        """Differential privacy, if any."""
