"""results.json, results.csv and groups.json: one object or row per simulation."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, fields
from types import MappingProxyType
from typing import Any

from emulator.reports.validation import Validation
from emulator.results.metadata import Swept, swept_columns
from emulator.results.metrics import Outcome
from emulator.results.participation import GroupShare
from emulator.simulation.records import Emulation


def to_json(
    outcomes: Iterable[Outcome],
    validations: Mapping[Emulation, Validation] | None = None,
    swept: Swept = MappingProxyType({}),
) -> str:
    """Return a list of objects; null if the target was never reached.

    Validated simulations have a `validation`, those of a sweep its numbers.
    """
    rows, numbers = [], swept_columns(swept)
    for o in outcomes:
        found = (validations or {}).get(o.emulation)
        checked = {"validation": asdict(found)} if found else {}
        rows.append(asdict(o) | numbers.get(o.variant, {}) | checked)
    return json.dumps(rows, indent=1, ensure_ascii=False) + "\n"


def groups_json(groups: Mapping[Emulation, Iterable[GroupShare]]) -> str:
    """Return a list of objects, one per (method, variant, seed) and group of clients."""
    found = [e._asdict() | asdict(group) for e, shares in groups.items() for group in shares]
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def rows_json(rows: Iterable[Any]) -> str:
    """Return a list of objects, one per row, which is a dataclass."""
    return json.dumps([asdict(row) for row in rows], indent=1, ensure_ascii=False) + "\n"


def rows_csv(rows: Sequence[Any]) -> str:
    """Return rows of one dataclass with a header line; an empty cell for None."""
    columns = [each.name for each in fields(rows[0])] if rows else []
    return csv_text(columns, map(astuple, rows))


def to_csv(outcomes: Iterable[Outcome], swept: Swept = MappingProxyType({})) -> str:
    """Return the outcomes with a header line; an empty cell if the target was never reached.

    The numbers of sweeps are the last columns.
    """
    numbers = swept_columns(swept)
    columns = list(dict.fromkeys(name for row in numbers.values() for name in row))
    rows = ((*astuple(o), *map(numbers.get(o.variant, {}).get, columns)) for o in outcomes)
    return csv_text([*(f.name for f in fields(Outcome)), *columns], rows)


def csv_text(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """Return `rows` as CSV with a header line; an empty cell for None."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()
