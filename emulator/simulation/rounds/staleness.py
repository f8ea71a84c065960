"""Weights of updates that were computed from an older version of the model."""

from typing import Annotated, Literal

from pydantic import Field, Tag

from flasc.common.settings import Settings
from flasc.common.tagged_unions import ShortForm, kind_or, spelled_out


class Constant(Settings):
    """Stale updates have the same weight as fresh ones."""

    kind: Literal["constant"] = "constant"

    def weight(self, _staleness: int) -> float:
        """1, for any number of server steps."""
        return 1.0


class Polynomial(Settings):
    """Weight (1 + s)^-a at a staleness of s server steps (Xie et al. 2019; FedBuff: a = 1/2)."""

    kind: Literal["polynomial"]
    a: Annotated[float, Field(ge=0, le=100)] = 0.5
    """exponent a"""

    def weight(self, staleness: int) -> float:
        """Weight of an update computed from a model that is `staleness` server steps old."""
        return float((1 + staleness) ** -self.a)


Staleness = Annotated[
    Annotated[
        Annotated[Constant, Tag("constant")] | Annotated[Polynomial, Tag("polynomial")],
        kind_or("constant"),
    ],
    ShortForm(spelled_out),
]
Late = Literal["drop", "accept"]
LATE_IN_WORDS: dict[Late, list[str]] = {"drop": [], "accept": ["late ones count"]}
