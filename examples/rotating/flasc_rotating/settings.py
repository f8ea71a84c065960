"""What a scenario says of the method. Imports no torch, so that `flasc-emu check` stays quick."""

from typing import ClassVar, Literal

from flasc.common.settings import PositiveInt
from flasc.method_settings import MethodSettings


class Rotating(MethodSettings):
    """Dense training; round r sends every `parts`-th entry of the update up, from r on."""

    implementation: ClassVar[str] = "flasc_rotating.method:Rotating"

    kind: Literal["rotating"]
    parts: PositiveInt
