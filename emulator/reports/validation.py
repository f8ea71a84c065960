"""Reads the validation.json of a run, if it matches the ledger."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator.common.errors import LedgerError
from emulator.simulation.event_table import EventTable
from emulator.simulation.records import Emulation, Row, Transfer

SAME = 1e-6  # relative; validation times a round from 0, the ledger from its start


@dataclass(frozen=True, slots=True)
class Validation:
    """Errors of the simulated times of one validated round; positive is too slow.

    Not `trusted` if the machine was too slow or busy to measure.
    """

    round: int
    transfers: int
    makespan_error: float
    mean_absolute_error: float
    trusted: bool


def read(path: Path) -> Mapping[Emulation, Any]:
    """Return the cases of a validation.json; empty without such a file.

    Raises LedgerError for a file of another format.
    """
    if not path.is_file():
        return {}
    try:
        cases = json.loads(path.read_text("utf-8"))["cases"]
        return {
            Emulation(case["method"], case["variant"], case["seed"], case.get("network_seed")): case
            for case in cases
        }
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise _foreign(path) from error


def of(path: Path, case: Any, rows: Iterable[Row]) -> Validation | None:
    """Return the summary of a case of `path`; None if `rows` have other messages now."""
    try:
        found = Validation(
            round=int(case["round"]),
            transfers=len(case["transfers"]),
            makespan_error=float(case["makespan"]["error"]),
            mean_absolute_error=float(case["mean_absolute_error"]),
            trusted=not case["warning"],
        )
        timed = {
            (t["client"], t["direction"], t["nbytes"]): float(t["simulated_s"])
            for t in case["transfers"]
        }
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise _foreign(path) from error
    if not (math.isfinite(found.makespan_error) and math.isfinite(found.mean_absolute_error)):
        raise _foreign(path)
    sent = EventTable.of(rows).columns(Transfer)
    filed = {
        (row.client, row.direction, row.nbytes): row.finish_s - row.start_s
        for row in sent.take(sent["round"] == found.round)
    }
    same = filed.keys() == timed.keys() and all(
        math.isclose(filed[message], timed[message], rel_tol=SAME) for message in filed
    )
    return found if same else None


def line(validations: Iterable[Validation]) -> str:
    """Return a sentence on the trusted validations; empty without any."""
    trusted = [each for each in validations if each.trusted]
    if not trusted:
        return ""
    low, high = (f(each.makespan_error for each in trusted) for f in (min, max))
    several = f"{low:+.1%} to {high:+.1%}, {len(trusted)} cases" if len(trusted) > 1 else ""
    return (
        f"Against this machine's TCP (validation.json), a round's simulated time is off by "
        f"{several or f'{low:+.1%}'}; negative is too fast."
    )


def _foreign(path: Path) -> LedgerError:
    return LedgerError(
        f"{path}: found another format; allowed: the format of flasc-emu validate",
        "run flasc-emu validate again, or remove the file",
    )
