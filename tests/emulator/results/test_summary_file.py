"""Summaries of simulations: what was written is read, and damage is an error."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from emulator.common.errors import LedgerError
from emulator.results.ledger import Ledger
from emulator.results.metrics import curve, outcome
from emulator.results.stored import open_run
from emulator.results.summary_file import NAME, Summariser, SummaryFile, decode
from emulator.simulation.records import Emulation, Evaluation, Round, Transfer
from emulator.simulation.target import Goal

ROWS = [
    Transfer(1, 0, "down", 100, 0.0, 1.5),
    Transfer(1, 0, "up", 10, 1.5, 2.0),
    Round(1, 1, 0.0, 2.0, 1),
    Evaluation(1, 2.0, "validation", 10, 1 / 3, 0.25),
    Evaluation(1, 2.0, "test", 10, 0.4, 0.3),
]
ONE = Emulation("LoRA", "fast", 0, 7)


@pytest.fixture
def folder(tmp_path):
    summary = Summariser(Goal(0.3))(ONE, ROWS)
    with SummaryFile.create(tmp_path / NAME, {"name": "toy"}) as stored:
        stored.write({ONE: summary, ONE._replace(network_seed=None): summary})
        stored.annotate({"failure": "one"})
    return tmp_path


def test_what_is_read_is_what_was_measured(folder):
    with open_run(folder) as stored:
        assert stored.meta() == {"name": "toy", "failure": "one"}
        assert stored.emulations() == [ONE, ONE._replace(network_seed=None)]
        found = dict(stored.measured())
    assert found[ONE].outcome == outcome(ONE, ROWS, Goal(0.3))
    assert found[ONE].curve == curve(ROWS)


def test_the_same_summaries_are_the_same_bytes(folder, tmp_path):
    other = tmp_path / "other"
    with SummaryFile.create(other / NAME, {"name": "toy"}) as stored:
        summary = Summariser(Goal(0.3))(ONE, ROWS)
        stored.write({ONE: summary, ONE._replace(network_seed=None): summary})
        stored.annotate({"failure": "one"})
    assert (other / NAME).read_bytes() == (folder / NAME).read_bytes()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE simulation SET measured = x'00'",
        "UPDATE simulation SET method = x'00'",
        "UPDATE simulation SET network_seed = 'seven'",
        "PRAGMA user_version = 9",
        "PRAGMA application_id = 9",
        "DROP TABLE simulation",
    ],
)
def test_damage_is_one_message(folder, change):
    with closing(sqlite3.connect(folder / NAME)) as db, db:
        db.execute(change)
    with (
        pytest.raises(LedgerError, match="not a file of summaries, or damaged"),
        open_run(folder) as stored,
    ):
        list(stored.measured())


def test_what_needs_rows_says_so(folder):
    with pytest.raises(LedgerError, match="found summaries alone") as refused:
        Ledger.open(folder / "ledger.sqlite")
    assert f"flasc-emu run {folder} --keep ledger" in refused.value.hint


def test_a_summary_of_other_data_is_refused():
    with pytest.raises(ValueError, match="header"):
        decode(b"no summary")
    encoded = Summariser()(ONE, ROWS).encoded
    assert replace(decode(encoded).outcome, seed=1) != decode(encoded).outcome
