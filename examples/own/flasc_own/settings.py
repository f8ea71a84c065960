"""What a scenario says of each. Imports no torch, so that `flasc-emu check` stays quick."""

import hashlib
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, PrivateAttr, computed_field, model_validator
from typing_extensions import Self

from emulator.common.distributions import Distribution, PositiveDuration, RateDistribution
from emulator.common.units import format_duration
from emulator.network.capacity.base import CapacityModel
from emulator.network.capacity.profile import Profile
from emulator.simulation.policies.base import PolicySettings
from emulator.simulation.selection.base import SelectionSettings
from flasc.common.settings import Density, PositiveInt
from flasc.tasks import TaskSettings
from flasc.tasks.settings import Model, Split, Tokens


class Csv(TaskSettings):
    """Classes of texts from a CSV file with the columns `text` and `label`."""

    implementation: ClassVar[str] = "flasc_own.task:load"

    name: Literal["csv"]
    # A recording is known by what the file holds, wherever it lies.
    file: Annotated[str, Field(exclude=True)]
    model: Model = "minilm"
    tokens: Tokens = 128
    split: Split = Split()
    _sha256: str = PrivateAttr()

    @model_validator(mode="after")
    def _read(self) -> Self:
        try:
            self._sha256 = hashlib.sha256(Path(self.file).read_bytes()).hexdigest()
        except OSError as error:
            raise ValueError(f"{self.file}: cannot be read: {error.strerror}") from None
        return self

    @computed_field  # type: ignore[prop-decorator]  # as pydantic has it: mypy cannot tell
    @property
    def sha256(self) -> str:
        """Of the file."""
        return self._sha256


class Patient(PolicySettings):
    """A deadline that grows by `step` where fewer than `enough` arrived, and shrinks otherwise."""

    implementation: ClassVar[str] = "flasc_own.policy:patient"

    kind: Literal["patient"]
    deadline: PositiveDuration
    enough: Density = 0.8
    step: Annotated[float, Field(gt=1, le=10)] = 1.5

    def describe(self, cohort: int) -> list[str]:
        """Said by `flasc-emu check`."""
        return [f"a deadline of {format_duration(self.deadline)} at first, for {self.enough:.0%}"]


class Resting(SelectionSettings):
    """Whoever was asked rests for the next `rest` draws, as long as there are others."""

    implementation: ClassVar[str] = "flasc_own.selection:Resting"

    kind: Literal["resting"]
    rest: PositiveInt = 1


class DutyCycle(CapacityModel):
    """A radio that may send for a `share` of each `period`, at `rate`, and is silent otherwise."""

    kind: Literal["duty_cycle"]
    rate: RateDistribution
    share: Density
    period: PositiveDuration

    @property
    def level(self) -> Distribution:
        """Bits/s."""
        return self.rate

    @property
    def shape_mean(self) -> float:
        """Bytes/s of the shape: a bit, `share` of the time."""
        return self.share / 8

    def shape(self, rng: np.random.Generator, u: float) -> Profile:
        """On, then off; each client is at another place of its period, in both directions."""
        if self.share == 1:
            return Profile([0.0], [1 / 8])
        on_off = Profile([0.0, self.share * self.period], [1 / 8, 0.0], self.period)
        return on_off.shifted(u * self.period)
