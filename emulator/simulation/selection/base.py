"""Who of the clients that are there is asked, as a scenario names it.

How each is carried out stands in `emulator.simulation.registry`: see its `Selector`.
"""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Tag

from emulator.common.tagged_unions import kind_or, spelled_out
from flasc.common.plugins import Pluggable


class SelectionSettings(Pluggable):
    """What every selection has: a kind."""

    plugin_group = "flasc_emu.selections"

    kind: str


class Uniform(SelectionSettings):
    """Any of them, each as likely (McMahan et al. 2017)."""

    kind: Literal["uniform"] = "uniform"


class Oort(SelectionSettings):
    """By utility and speed, in Oort's form (Lai et al. 2021)."""

    kind: Literal["oort"]


Selection = Annotated[
    Annotated[Uniform, Tag("uniform")] | Annotated[Oort, Tag("oort")],
    kind_or("uniform"),
    BeforeValidator(spelled_out),
]
