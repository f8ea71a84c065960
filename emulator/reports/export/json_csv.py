"""Results for other programs: outcomes, one row a (method, variant, seed), and every row."""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields

from emulator.reports.validation import Validation
from emulator.results.metrics import Outcome
from emulator.results.participation import GroupShare
from emulator.simulation.records import Emulation


def to_json(
    outcomes: Iterable[Outcome], validations: Mapping[Emulation, Validation] | None = None
) -> str:
    """A list of objects; null where the target was never reached.

    Those that were validated have a `validation` as well.
    """
    rows = []
    for o in outcomes:
        found = (validations or {}).get(Emulation(o.method, o.variant, o.seed))
        rows.append(asdict(o) | ({"validation": asdict(found)} if found else {}))
    return json.dumps(rows, indent=1, ensure_ascii=False) + "\n"


def groups_json(groups: Mapping[Emulation, Iterable[GroupShare]]) -> str:
    """A list of objects, one a (method, variant, seed) and group of clients."""
    found = [e._asdict() | asdict(group) for e, shares in groups.items() for group in shares]
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def to_csv(outcomes: Iterable[Outcome]) -> str:
    """The same with a header line; an empty cell where the target was never reached."""
    text = io.StringIO()
    table = csv.DictWriter(text, [f.name for f in fields(Outcome)], lineterminator="\n")
    table.writeheader()
    table.writerows(asdict(o) for o in outcomes)
    return text.getvalue()
