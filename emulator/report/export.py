"""Results for other programs: one row a (method, variant, seed), the fields of `Outcome`."""

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import asdict, fields

from emulator.metrics import Outcome


def to_json(outcomes: Iterable[Outcome]) -> str:
    """A list of objects; null where the target was never reached."""
    return json.dumps([asdict(o) for o in outcomes], indent=1, ensure_ascii=False) + "\n"


def to_csv(outcomes: Iterable[Outcome]) -> str:
    """The same with a header line; an empty cell where the target was never reached."""
    text = io.StringIO()
    table = csv.DictWriter(text, [f.name for f in fields(Outcome)], lineterminator="\n")
    table.writeheader()
    table.writerows(asdict(o) for o in outcomes)
    return text.getvalue()
