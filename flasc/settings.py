"""What all settings are made of: strictness, fractions, bounded numbers. Torch-free."""

import contextlib
import math
import re
from fractions import Fraction
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

_RATIO = re.compile(r"\s*(\d+)\s*/\s*(\d+)\s*")
_PERCENT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*")


def parse_fraction(text: object) -> float:
    """A number from '1/16', '25 %' or 0.25. Raises ValueError for anything else."""
    value = math.nan
    with contextlib.suppress(OverflowError):  # too large for a float
        if isinstance(text, (int, float)) and not isinstance(text, bool):
            value = float(text)
        elif isinstance(text, str):
            if (ratio := _RATIO.fullmatch(text)) and int(ratio[2]):
                value = int(ratio[1]) / int(ratio[2])
            elif percent := _PERCENT.fullmatch(text):
                # Exact, so that 33.3 % is 0.333 and the same training has the same digest.
                value = float(Fraction(percent[1]) / 100)
    if not math.isfinite(value):
        raise ValueError(f"found {text!r}; allowed: a fraction, like 1/16, 25 % or 0.25")
    return value


def _density(value: float) -> float:
    if not 0 < value <= 1:
        raise ValueError(f"found {value:g}; allowed: a density above 0 and at most 1, like 1/16")
    return value


Density = Annotated[float, BeforeValidator(parse_fraction), AfterValidator(_density)]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegativeFloat = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Momentum = Annotated[float, Field(ge=0, lt=1)]
PositiveInt = Annotated[int, Field(gt=0, le=2**31 - 1)]
Targets = Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]


class Settings(BaseModel):
    """Base of all settings: strict, frozen, no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    # Keys that came after the first recordings: see TrainingSettings.
    LATER: ClassVar[frozenset[str]] = frozenset()
