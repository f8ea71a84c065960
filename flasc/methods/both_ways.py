"""One density for both directions, as a short form of `down` and `up`."""

from collections.abc import Mapping
from typing import Any

from pydantic import model_validator

from flasc.common.errors import FieldError
from flasc.common.settings import Density, Settings, as_density, newer

WAYS = ("down", "up")


class DensityBothWays(Settings):
    """Base of settings with the densities `down` and `up`, which `density` sets to one value.

    `density` is None in all settings that were read, so that both forms have one digest.
    """

    density: Density | None = newer(None)
    """share of the entries in downloads and uploads: a short form of `down` and `up`"""

    @model_validator(mode="before")
    @classmethod
    def _to_ways(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or data.get("density") is None:
            return data
        if beside := [way for way in WAYS if way in data]:
            raise FieldError(
                ("density",),
                f"found density with {' and '.join(beside)} beside it; allowed: density alone, "
                "which is both, or down and up (null deletes an inherited key)",
            )
        try:
            value = as_density(data["density"])
        except ValueError as error:
            raise FieldError(("density",), str(error)) from None
        return {**data, **dict.fromkeys(WAYS, value), "density": None}
