"""Whether rows that somebody filed can be those of an emulation. A ledger may be anyone's."""

import math
from collections.abc import Iterator, Sequence

from emulator.common.errors import LedgerError
from emulator.results.ledger import Ledger
from emulator.simulation.records import (
    OUTCOMES,
    Absence,
    Client,
    Computation,
    Emulation,
    Evaluation,
    Holding,
    LabelScore,
    Round,
    Row,
    SharedLink,
    Transfer,
)


def rows_of(ledger: Ledger, emulation: Emulation) -> list[Row]:
    """Its rows, fit to be measured. Raises LedgerError where they contradict each other."""
    rows = ledger.rows(emulation)
    if (found := next(contradictions(rows), None)) is not None:
        raise LedgerError(
            f"{ledger.path}: the rows of {emulation} contradict each other: {found}",
            "the file was changed; run the scenario again",
        )
    return rows


def contradictions(rows: Sequence[Row]) -> Iterator[str]:
    """Each row that no emulation has, in words.

    Times are finite and do not run back, links carry something, and where the fleet was filed,
    everybody who works is of it.
    """
    cells = {row.number for row in rows if isinstance(row, SharedLink) and row.kind == "cell"}
    fleet = {row.client for row in rows if isinstance(row, Client)}
    served = any(isinstance(row, SharedLink) and row.kind == "server" for row in rows)
    if fleet and not served:
        yield "clients, and no server"
    for row in rows:
        if not (_is_sane(row) and _is_known(row, fleet, cells)):
            yield str(row)


def _is_sane(row: Row) -> bool:
    match row:
        case Transfer() | Computation() | Absence():
            count = row.nbytes if isinstance(row, Transfer) else getattr(row, "examples", 0)
            is_way = getattr(row, "direction", "up") in ("down", "up")
            return is_way and count >= 0 and row.outcome in OUTCOMES and _passes(row)
        case Round():
            return row.cohort >= 0 and row.used >= 0 and _passes(row)
        case Evaluation():
            return all(map(math.isfinite, (row.time_s, row.accuracy, row.loss)))
        case Holding():
            return row.examples >= 0
        case LabelScore():
            return 0 <= row.right <= row.examples
        case _:
            return all(0 < rate_Bps < math.inf for rate_Bps in (row.down_Bps, row.up_Bps))


def _passes(row: Transfer | Computation | Absence | Round) -> bool:
    return 0 <= row.start_s <= row.finish_s < math.inf


def _is_known(row: Row, fleet: set[int], cells: set[int]) -> bool:
    """Whether who it is about is of the fleet; one without a fleet is an older ledger's."""
    if isinstance(row, Client):
        return row.cell == -1 or row.cell in cells
    client = getattr(row, "client", None)
    return not fleet or client is None or client in fleet
