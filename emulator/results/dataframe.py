"""Rows of results as flat mappings and as a pandas data frame."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def flat(row: Any) -> dict[str, Any]:
    """Return the fields of a row. A nested named tuple has one column per part: time_s_median."""
    if hasattr(row, "_asdict"):
        return dict(row._asdict())
    columns: dict[str, Any] = {}
    for each in fields(row):
        value = getattr(row, each.name)
        if hasattr(value, "_asdict"):
            columns |= {f"{each.name}_{part}": one for part, one in value._asdict().items()}
        else:
            columns[each.name] = value
    return columns


def frame(
    rows: Iterable[Any], settings: Mapping[str, Mapping[str, float]] = MappingProxyType({})
) -> "pd.DataFrame":
    """Return a data frame of rows: outcomes, scores, contrasts, or points of a front.

    A target that was not reached is NaN. `settings` adds the numbers of sweeps by variant, as
    `Results.settings` has them.
    """
    import pandas as pd

    return pd.DataFrame.from_records(
        [flat(row) | dict(settings.get(getattr(row, "variant", ""), {})) for row in rows]
    )
