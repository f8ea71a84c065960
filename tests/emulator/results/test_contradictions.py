"""Rows that no simulation writes are found, as by their definition row by row."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from emulator.common.errors import LedgerError
from emulator.results.contradictions import contradictions
from emulator.results.ledger import Ledger
from emulator.scenario.scenario import Scenario
from emulator.simulation.records import (
    OUTCOMES,
    Absence,
    Client,
    Computation,
    Emulation,
    Evaluation,
    Holding,
    LabelScore,
    PathRate,
    Round,
    Row,
    SharedLink,
    Transfer,
)
from emulator.simulation.simulate import simulate
from emulator.simulation.trainer import StubTrainer

from ..simulation.some_rows import ANY_ROWS

LORA = Emulation("LoRA", "1x", 0)
LINK = {"down": "8 Mbps", "up": "2 Mbps"}


@pytest.fixture(scope="module")
def simulated() -> list[Row]:
    scenario = Scenario.model_validate(
        {
            "name": "sound",
            "task": {"name": "20newsgroups", "clients": 6},
            "training": {"rounds": 2, "cohort": 3},
            "methods": {"LoRA": {"kind": "lora"}},
            "network": {"server": LINK, "clients": {**LINK, "cells": {"clients": 3, **LINK}}},
        }
    )
    return simulate(scenario, 0, StubTrainer(down_bytes=1000, up_bytes=500))


def test_simulated_rows_do_not_contradict_each_other(simulated: list[Row]) -> None:
    assert not list(contradictions(simulated))


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (Transfer, {"direction": "wifi"}),
        (Transfer, {"nbytes": -1}),
        (Transfer, {"client": 6}),
        (Transfer, {"finish_s": math.inf}),
        (Transfer, {"start_s": 1e9}),
        (Transfer, {"outcome": "eaten"}),
        (Round, {"finish_s": -1.0}),
        (Evaluation, {"loss": math.inf}),
        (Client, {"cell": 9}),
        (Client, {"up_Bps": 0.0}),
        (SharedLink, {"kind": "gone"}),
    ],
)
def test_a_row_that_no_simulation_writes_is_an_error(
    simulated: list[Row], kind: type[Row], change: dict[str, Any], tmp_path: Path
) -> None:
    at = next(i for i, row in enumerate(simulated) if isinstance(row, kind))
    wrong = [*simulated]
    wrong[at] = wrong[at]._replace(**change)
    assert list(contradictions(wrong))
    with Ledger.create(tmp_path / "ledger.sqlite", {}) as ledger:
        ledger.write(LORA, wrong)
        with pytest.raises(LedgerError, match="contradict each other"):
            ledger.rows(LORA)


@pytest.mark.parametrize(
    "change", [{"direction": "wifi"}, {"client_Bps": -1.0}, {"server_Bps": math.inf}]
)
def test_rates_that_no_simulation_writes_are_an_error(change: dict[str, Any]) -> None:
    rate = PathRate(1, 7, "up", 0.5, 1e6, -1.0, 1e6)
    assert list(contradictions([rate._replace(**change)]))


@given(ANY_ROWS)
def test_they_are_those_of_the_definition(rows: list[Row]) -> None:
    assert list(contradictions(rows)) == list(row_by_row(rows))


def row_by_row(rows: Sequence[Row]) -> Iterator[str]:
    """Yield each row that no simulation writes, as text.

    Times are finite and start before they finish, links have a rate, and clients are in the fleet
    if the rows have one.
    """
    cells = {row.number for row in rows if isinstance(row, SharedLink) and row.kind == "cell"}
    fleet = {row.client for row in rows if isinstance(row, Client)}
    served = any(isinstance(row, SharedLink) and row.kind == "server" for row in rows)
    if fleet and not served:
        yield "clients without a server"
    for row in rows:
        if not (is_valid(row) and is_known(row, fleet, cells)):
            yield str(row)


def is_valid(row: Row) -> bool:
    match row:
        case Transfer() | Computation() | Absence():
            count = row.nbytes if isinstance(row, Transfer) else getattr(row, "examples", 0)
            is_way = getattr(row, "direction", "up") in ("down", "up")
            return is_way and count >= 0 and row.outcome in OUTCOMES and passes(row)
        case Round():
            return row.cohort >= 0 and row.used >= 0 and passes(row)
        case Evaluation():
            return all(map(math.isfinite, (row.time_s, row.accuracy, row.loss)))
        case PathRate():
            rates_Bps = (row.client_Bps, row.server_Bps, max(row.cell_Bps, 0.0))
            is_way = row.direction in ("down", "up")
            return is_way and all(0 <= rate_Bps < math.inf for rate_Bps in rates_Bps)
        case Holding() | LabelScore():
            return 0 <= getattr(row, "right", 0) <= row.examples
        case _:
            return all(0 < rate_Bps < math.inf for rate_Bps in (row.down_Bps, row.up_Bps))


def passes(row: Transfer | Computation | Absence | Round) -> bool:
    return 0 <= row.start_s <= row.finish_s < math.inf


def is_known(row: Row, fleet: set[int], cells: set[int]) -> bool:
    """Whether its client is in the fleet. Older ledgers have no fleet."""
    if isinstance(row, Client):
        return row.cell == -1 or row.cell in cells
    client = getattr(row, "client", None)
    return not fleet or client is None or client in fleet
