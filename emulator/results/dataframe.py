"""Rows of results as flat mappings, and as a data frame where pandas is there."""

from collections.abc import Iterable
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from emulator.common.errors import SupportError

if TYPE_CHECKING:
    import pandas as pd


def flat(row: Any) -> dict[str, Any]:
    """The fields of a row; a named tuple in a dataclass becomes a column a part: time_s_median."""
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


def frame(rows: Iterable[Any]) -> "pd.DataFrame":
    """Rows (outcomes, scores, contrasts, points of a front) as a pandas data frame, a line each.

    What was never reached is missing in it (NaN). Raises SupportError without pandas.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise SupportError(
            f"data frames need pandas: {error}", "pip install 'flasc-emu[pandas]', or take the rows"
        ) from None
    return pd.DataFrame.from_records([flat(row) for row in rows])
