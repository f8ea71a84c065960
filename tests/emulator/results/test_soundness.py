"""Rows that are not those of an emulation are refused, each for its own reason."""

import math

import pytest

from emulator.common.errors import LedgerError
from emulator.results.ledger import Ledger
from emulator.results.soundness import contradictions, rows_of
from emulator.scenario.scenario import Scenario
from emulator.simulation.records import Client, Emulation, Evaluation, Round, SharedLink, Transfer
from emulator.simulation.simulate import simulate
from emulator.simulation.trainer import StubTrainer

WHO = Emulation("LoRA", "as given", 0)
LINK = {"down": "8 Mbps", "up": "2 Mbps"}


@pytest.fixture(scope="module")
def rows():
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


def test_an_emulations_own_rows_are_sound(rows):
    assert not list(contradictions(rows))


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
def test_a_row_that_no_emulation_has_is_named(rows, kind, change, tmp_path):
    at = next(i for i, row in enumerate(rows) if isinstance(row, kind))
    wrong = [*rows[:at], rows[at]._replace(**change), *rows[at + 1 :]]
    assert list(contradictions(wrong))
    with Ledger.create(tmp_path / "ledger.sqlite", {}) as ledger:
        ledger.write(WHO, wrong)
        with pytest.raises(LedgerError, match="contradict each other"):
            rows_of(ledger, WHO)
