"""Schedules of the server's learning rate: a factor for each server step. Torch-free."""

import math
from typing import Annotated, Literal

from pydantic import Field, Tag

from flasc.common.settings import Fraction, PositiveFloat, PositiveInt, Settings, fraction_schema
from flasc.common.tagged_unions import ShortForm, kind_or, spelled_out

Steps = Annotated[int, Field(ge=0, le=2**31 - 1)]


class _Schedule(Settings):
    """A factor that is multiplied by a linear warm-up over the first `warmup` server steps."""

    warmup: Steps = 0
    """the factor is multiplied by (*t* + 1) / `warmup` in the first `warmup` steps"""

    def factor(self, step: int) -> float:
        """The factor on the learning rate at server step `step`, counted from 0."""
        warmed = min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0
        return warmed * self._decayed(step)

    def _decayed(self, step: int) -> float:  # noqa: ARG002
        return 1.0


class Constant(_Schedule):
    """The same rate in all steps."""

    kind: Literal["constant"] = "constant"


class Inverse(_Schedule):
    """1 / (1 + decay * t) at step t."""

    kind: Literal["inverse"]
    decay: PositiveFloat
    """fall of the factor: see `kind`"""

    def _decayed(self, step: int) -> float:
        return 1 / (1 + self.decay * step)


class Cosine(_Schedule):
    """Half a cosine from 1 to `final` over `rounds` steps, then `final`."""

    kind: Literal["cosine"]
    rounds: PositiveInt
    """step at which the factor reaches `final`, and stays there"""
    final: Annotated[
        Fraction, Field(ge=0, le=1), fraction_schema("a fraction from 0 to 1, like 1/10 or 0.1")
    ] = 0.0
    """factor at the end"""

    def _decayed(self, step: int) -> float:
        angle = math.pi * min(step, self.rounds) / self.rounds
        return self.final + (1 - self.final) * (1 + math.cos(angle)) / 2


Schedule = Annotated[
    Annotated[Constant, Tag("constant")]
    | Annotated[Inverse, Tag("inverse")]
    | Annotated[Cosine, Tag("cosine")],
    kind_or("constant"),
    ShortForm(spelled_out),
]
