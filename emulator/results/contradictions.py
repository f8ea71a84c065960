"""Rows of a ledger that no simulation writes; a ledger may come from another person."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emulator.simulation.event_table import DIRECTIONS, KINDS, Columns, EventTable
from emulator.simulation.records import (
    OUTCOMES,
    Client,
    Computation,
    Evaluation,
    Holding,
    LabelScore,
    PathRate,
    Round,
    Row,
    SharedLink,
    Transfer,
)


def contradictions(rows: Iterable[Row]) -> Iterator[str]:
    """Yield each row that no simulation writes, as text.

    Times are finite and start before they finish, links have a rate, and clients are in the fleet
    if the rows have one.
    """
    table = EventTable.of(rows)
    links, fleet = table.columns(SharedLink), table.columns(Client)["client"]
    cells = links["number"][links.having("kind", "cell")]
    if len(fleet) and not links.having("kind", "server").any():
        yield "clients without a server"
    wrong: list[int] = []
    for record in KINDS:
        columns = table.columns(record)
        is_right = _are_possible(columns) & _are_known(columns, fleet, cells)
        wrong += table.positions(record)[~is_right].tolist()
    for index in sorted(wrong):
        yield str(table[index])


def _are_possible(columns: Columns[Any]) -> NDArray[np.bool_]:
    """Return which rows have values that a simulation writes: bool [rows]."""
    record, names = columns.record, columns.record._fields
    checks = [np.ones(len(columns), bool)]
    if "direction" in names:
        checks.append(columns["direction"] < len(DIRECTIONS))
    if "outcome" in names:
        checks.append(columns["outcome"] < len(OUTCOMES))
    if "finish_s" in names:
        start_s, finish_s = columns["start_s"], columns["finish_s"]
        checks.append((start_s >= 0) & (start_s <= finish_s) & (finish_s < np.inf))
    if record is Evaluation:
        checks += [np.isfinite(columns[name]) for name in ("time_s", "accuracy", "loss")]
    if record is LabelScore:
        checks.append(columns["right"] <= columns["examples"])
    counts: dict[type[Row], tuple[str, ...]] = {
        Transfer: ("nbytes",), Computation: ("examples",), Round: ("cohort", "used"),
        Holding: ("examples",), LabelScore: ("right",), PathRate: ("client_Bps", "server_Bps"),
    }  # fmt: skip
    checks += [columns[name] >= 0 for name in counts.get(record, ())]
    rates_Bps = [columns[name] for name in names if name.endswith("_Bps")]
    checks += [rate_Bps < np.inf for rate_Bps in rates_Bps]
    if record in (Client, SharedLink):
        checks += [rate_Bps > 0 for rate_Bps in rates_Bps]
    found: NDArray[np.bool_] = np.logical_and.reduce(checks)
    return found


def _are_known(
    columns: Columns[Any], fleet: NDArray[np.int64], cells: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return which rows have a client in the fleet: bool [rows]. Older ledgers have no fleet."""
    found: NDArray[np.bool_] = np.ones(len(columns), bool)
    if columns.record is Client:
        found = (columns["cell"] == -1) | np.isin(columns["cell"], cells)
    elif len(fleet) and "client" in columns.record._fields:
        found = np.isin(columns["client"], fleet)
    return found
